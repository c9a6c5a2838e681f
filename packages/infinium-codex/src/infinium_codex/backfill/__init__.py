"""Turns that Codex has and Infinium lacks: finds them, tells why, previews and sends them."""
