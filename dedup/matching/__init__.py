"""Comparison of many pairs at once: cheap upper bounds rule most of them out, several processes compare the rest."""
