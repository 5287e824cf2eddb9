"""Text: normal forms, parsed names, legal forms, the gazetteer, and the weights of words."""
