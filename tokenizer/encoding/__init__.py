"""Encodings: scores to tokens and back, over a grid and a vocabulary."""
