"""Pairs to clusters: connected components, then average linkage."""
