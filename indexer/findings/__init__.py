"""What reports remember: the baseline of their probabilities, pairs, clusters, and what became of them."""
