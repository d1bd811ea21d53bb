"""Encodings whose vocabulary is learned from a corpus: one field, ids of whole chords or merges."""
