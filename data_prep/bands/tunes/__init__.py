"""Tunes: lead sheets to arrange."""
