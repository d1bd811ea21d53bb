"""Music as a player reads it: a readable grid, voices and staves, and MusicXML files."""
