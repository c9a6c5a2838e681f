"""Unattended processes: the worker, the scheduler and what it starts."""
