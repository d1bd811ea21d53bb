"""What was done to a corpus, as figures and as a page."""
