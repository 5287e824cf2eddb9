"""What a model is trained on: labelled sources, and generated variants and pairs."""
