"""Sends queued traces: secrets and approved origins, the delivery itself, and what blocks it."""
