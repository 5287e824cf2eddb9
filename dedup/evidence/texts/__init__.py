"""Evidence on two texts that are no names: products, titles, citations, addresses, sentences."""
