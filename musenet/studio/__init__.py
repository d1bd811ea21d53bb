"""The studio: a tree of music in a page on the user's own machine, and the same over HTTP."""
