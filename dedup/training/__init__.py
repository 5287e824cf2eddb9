"""Training of the shipped model; the only package that imports torch."""
