"""Other weights and other runs than the one that the optimizer steps."""
