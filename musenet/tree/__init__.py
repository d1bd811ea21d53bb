"""Trees of prompts and variations, in one file."""
