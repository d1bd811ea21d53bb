"""Notation: a style file, its patterns and the words in it, read."""
