"""Scores: columns of events, the tempo map, bar lines, many scores as one."""
