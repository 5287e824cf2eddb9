"""What a user sees: help, tables, matches, notes, progress bars and safe text."""
