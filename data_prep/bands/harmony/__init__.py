"""Harmony: chord symbols, and how chords are voiced."""
