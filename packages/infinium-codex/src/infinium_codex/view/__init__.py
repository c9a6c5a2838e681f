"""Renderings of a trace for a person."""
