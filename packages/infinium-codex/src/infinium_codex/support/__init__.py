"""Paths, locks, processes, logs and other helpers that every room may use."""
