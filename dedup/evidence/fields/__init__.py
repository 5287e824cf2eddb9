"""Further columns as evidence: what agrees or differs beside the names, and what that is worth in a corpus.

``field_table`` brings columns into normal form, ``agreement`` compares the values of pairs of records, and
``field_model`` learns weights among pairs whose names are near and explains them. Nothing here reads or stores
anything.
"""
