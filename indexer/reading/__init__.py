"""Tables of texts from files, standard input, databases and Python objects."""
