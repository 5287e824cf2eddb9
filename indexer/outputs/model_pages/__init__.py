"""Pages about a model: what it is worth on labelled pairs, and what it sees in one pair."""
