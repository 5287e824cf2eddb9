"""Pairs to clusters."""
