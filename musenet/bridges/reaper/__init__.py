"""REAPER: a script that runs there, and what answers it."""
