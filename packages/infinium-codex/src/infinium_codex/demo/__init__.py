"""The demo: a turn in a throw-away home."""
