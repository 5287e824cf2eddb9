"""Writers of files that people and other programs read."""
