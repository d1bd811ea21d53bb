"""Workers: files become records, on threads, processes or Ray."""
