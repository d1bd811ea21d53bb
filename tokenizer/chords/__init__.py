"""Chords: their names, charts, and how they are estimated from notes."""
