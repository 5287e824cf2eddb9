"""A pair of texts to evidence, to a calibrated probability, and to reasons in words."""
