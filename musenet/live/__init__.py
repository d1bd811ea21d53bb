"""Playing together over MIDI ports: an answer, a band beside a player, takes in a loop."""
