"""Sampling from weights of a learned encoding, which write ids instead of rows."""
