"""The corpus as a whole: near-duplicates, splits, which pieces are kept, merging."""
