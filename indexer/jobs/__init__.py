"""One module for each job that the API and the command line offer."""
