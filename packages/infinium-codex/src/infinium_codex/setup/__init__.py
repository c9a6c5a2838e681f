"""What `init` does, one module per stage: inspect, decide (options or wizard), plan, apply, report."""
