"""Attention: patterns, backends, the key-value cache."""
