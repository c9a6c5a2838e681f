"""The Codex on this machine: what it is, what it has been told, and what only it can answer or change."""
