"""Reads Codex's transcripts (rollout JSONL) as neutral events."""
