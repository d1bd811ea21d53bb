"""The report of a run, as figures and as a page."""
