"""Generation: from a prompt and options to finished pieces."""
