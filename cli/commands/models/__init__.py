"""``dedup models``: the models of a user."""
