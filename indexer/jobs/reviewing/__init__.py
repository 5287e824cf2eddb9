"""Judgements of people: stored, read, turned into constraints on clusters, and asked for."""
