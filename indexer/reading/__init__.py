"""Readers of each format; ``indexer.readers`` is the way in."""
