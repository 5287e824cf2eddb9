"""The siamese tower in torch: both sides of a pair share its weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dedup.encoder.tokens import N_BUCKETS, N_SYMBOLS

SYMBOL_SIZE = 32
HIDDEN_SIZE = 64
DIMENSION = 128


class Tower(nn.Module):
    """Maps the characters and grams of a text to a unit vector; ``docs/notes/encoders.md`` compares alternatives.

    The LSTM is unidirectional, so padding on the right cannot affect the characters before it; maximum and mean
    pooling skip the padding. The embeddings of the grams are summed and divided by the square root of their number.
    """

    def __init__(self) -> None:
        super().__init__()
        self.symbol = nn.Embedding(N_SYMBOLS, SYMBOL_SIZE)
        self.lstm = nn.LSTM(SYMBOL_SIZE, HIDDEN_SIZE, batch_first=True)
        self.projection = nn.Linear(2 * HIDDEN_SIZE, DIMENSION)
        self.gram = nn.Embedding(N_BUCKETS, DIMENSION, padding_idx=0)

    def forward(self, symbols: Tensor, grams: Tensor) -> Tensor:
        """Return (n, DIMENSION) unit vectors of (n, length) symbols and (n, max grams) gram buckets; 0 is padding."""
        real = (symbols > 0).unsqueeze(2)
        count = real.sum(dim=1).clamp(min=1)
        outputs, _ = self.lstm(self.symbol(symbols))
        highest = outputs.masked_fill(~real, -2.0).amax(dim=1)  # LSTM outputs lie in (-1, 1)
        mean = (outputs * real).sum(dim=1) / count
        bag = functional.embedding_bag(grams, self.gram.weight, mode="sum", padding_idx=0)
        bag = bag / (grams > 0).sum(dim=1, keepdim=True).clamp(min=1).sqrt()
        return functional.normalize(self.projection(torch.cat([highest, mean], dim=1)) + bag, dim=1)
