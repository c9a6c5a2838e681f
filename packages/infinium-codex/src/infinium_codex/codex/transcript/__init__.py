"""Codex's transcript (rollout JSONL), told as neutral events."""
