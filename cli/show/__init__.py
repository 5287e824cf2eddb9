"""Results on a terminal: tables, matches, progress bars and safe text."""
