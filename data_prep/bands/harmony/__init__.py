"""Harmony: chord symbols, how chords are voiced, and a list of published progressions."""
