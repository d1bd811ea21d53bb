"""Sampling: from a model and a prompt to new rows of tokens."""
