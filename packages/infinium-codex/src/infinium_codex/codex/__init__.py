"""Everything specific to Codex CLI: its program, configuration, hooks, trust and transcripts."""
