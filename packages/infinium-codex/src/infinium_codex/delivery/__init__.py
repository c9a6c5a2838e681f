"""Sends queued traces: the outbox, the secret and the approved origin of each agent."""
