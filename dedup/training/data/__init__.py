"""Training data: labelled sources, and generated variants and pairs."""
