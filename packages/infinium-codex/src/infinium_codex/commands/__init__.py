"""The commands, a module each: `run(options, ctx) -> Result`."""
