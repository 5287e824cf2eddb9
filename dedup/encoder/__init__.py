"""Normal forms to int8 vectors, and their cosine similarities."""
