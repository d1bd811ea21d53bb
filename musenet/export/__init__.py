"""Export: continuations as MIDI files for a DAW, as stems and as pictures."""
