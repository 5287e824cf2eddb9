"""Normal forms to int8 vectors, and the cosines of these vectors."""
