"""A guess at the encoding of a text, by the letters that it would have."""
