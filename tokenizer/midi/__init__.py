"""MIDI files: reading, repairing and writing them, and their events without loss."""
