"""The command line: one module per subject; heavy imports happen when a command runs."""
