"""Music from and to audio workstations: a watched folder, REAPER, Ableton Live."""
