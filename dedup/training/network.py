"""The siamese tower in torch: one set of weights for both sides of a pair."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dedup.encode import N_SYMBOLS, N_TRIGRAM_BUCKETS

SYMBOL_SIZE = 32
HIDDEN_SIZE = 128
DIMENSION = 96


class Tower(nn.Module):
    """Characters and trigrams of a text to a unit vector.

    A unidirectional LSTM reads from left to right, so padding on the right never reaches a real
    character; maximum and mean run over real characters only.
    """

    def __init__(self) -> None:
        super().__init__()
        self.symbol = nn.Embedding(N_SYMBOLS, SYMBOL_SIZE)
        self.lstm = nn.LSTM(SYMBOL_SIZE, HIDDEN_SIZE, batch_first=True)
        self.projection = nn.Linear(2 * HIDDEN_SIZE, DIMENSION)
        self.trigram = nn.Embedding(N_TRIGRAM_BUCKETS, DIMENSION, padding_idx=0)

    def forward(self, symbols: Tensor, trigrams: Tensor) -> Tensor:
        """Return (n, DIMENSION) unit vectors of (n, length) symbols and trigram buckets; 0 is padding."""
        real = (symbols > 0).unsqueeze(2)
        count = real.sum(dim=1).clamp(min=1)
        outputs, _ = self.lstm(self.symbol(symbols))
        highest = outputs.masked_fill(~real, -2.0).amax(dim=1)  # LSTM outputs lie in (-1, 1)
        mean = (outputs * real).sum(dim=1) / count
        grams = self.trigram(trigrams).sum(dim=1) / count.sqrt()
        return functional.normalize(self.projection(torch.cat([highest, mean], dim=1)) + grams, dim=1)
