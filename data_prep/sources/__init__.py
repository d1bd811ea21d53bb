"""Sources: files and archives are found and labelled."""
