"""Editing: new music in holes of a song, and parts over its whole length; all else stays."""
