"""Accuracy of a model on labelled data."""
