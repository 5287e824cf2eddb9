"""Read tables of texts from files, standard input and databases."""
