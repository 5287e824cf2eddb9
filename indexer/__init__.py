"""Everything that lasts: store, readers, vectors, search, duplicate runs, reports."""
