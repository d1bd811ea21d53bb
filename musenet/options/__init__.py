"""What may be asked for: options declared once for the command line, Python and JSON."""
