"""The jobs that the API and the command line offer, one per module."""
