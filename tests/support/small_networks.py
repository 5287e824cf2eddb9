"""Settings that make the networks of the presets small enough for a test."""

SMALL = {
    "recurrent": ["tower.hidden_size=4"],
    "convolution": ["tower.filters=[3, 2]", "tower.widths=[2, 3]"],
    "attention": ["tower.heads=2"],
    "bert": [],
    "letters-and-grams": [],
}
EMBEDDED = ["embedding.size=6"]
