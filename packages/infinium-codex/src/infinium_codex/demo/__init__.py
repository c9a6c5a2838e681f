"""The demo: one turn of Codex, recorded or real, traced in a temporary home directory."""
