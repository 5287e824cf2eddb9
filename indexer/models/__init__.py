"""The models of a user: which one an index has, how it changes to another, and where models are registered."""
