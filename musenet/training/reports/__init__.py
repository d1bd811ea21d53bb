"""What a run reports: its metrics on disk and elsewhere, and the memory that it takes."""
