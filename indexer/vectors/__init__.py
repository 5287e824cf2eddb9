"""Vectors on disk and in memory: the FAISS snapshot and the searches over it."""
