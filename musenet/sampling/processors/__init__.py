"""Processors: each changes the logits of a field before a value is drawn."""
