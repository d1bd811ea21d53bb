"""Parts: what each instrument plays, from the drums to the solo."""
