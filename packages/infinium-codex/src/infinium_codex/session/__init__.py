"""Reads a session's spool and transcript and builds its traces."""
