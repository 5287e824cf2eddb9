"""One reader for each format; ``indexer.reading.open`` chooses among them."""
