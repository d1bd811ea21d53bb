"""Form: the sections of a song and their chords."""
