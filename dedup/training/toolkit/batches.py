"""Batches of pairs as tensors; each distinct text is split into tokens once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dedup.encoder.onnx import Reader
from dedup.encoder.token_reader import TokenReader, padded
from dedup.evaluation.pair_set import PairSet
from dedup.training.data.splitting import counted

_SORTED = 16
"""Batches within which pairs are sorted by length, so that little of a batch is padding."""


class Texts:
    """Turns texts into the inputs of an encoder, and remembers their tokens."""

    def __init__(self, reader: Reader, device: str) -> None:
        self._reader, self._device = reader, device
        self._known: dict[str, list[int]] = {}

    def inputs(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Return the inputs for n texts, as the tensors that an encoder takes."""
        if isinstance(self._reader, TokenReader):
            arrays = {"tokens": padded([self._numbers(text) for text in texts])}
        else:
            arrays = dict(self._reader.read([self._reader.windows(text)[0] for text in texts]))
        return {name: torch.from_numpy(array).long().to(self._device) for name, array in arrays.items()}

    def width(self, text: str) -> int:
        """Return about the number of tokens of a text."""
        return self._reader.width(text)

    def _numbers(self, text: str) -> list[int]:
        if (known := self._known.get(text)) is None:
            assert isinstance(self._reader, TokenReader)
            known = self._known[text] = self._reader.numbers(text)
        return known


def weights_of(pairs: PairSet, balance: str, negatives: int = 0) -> NDArray[np.float64]:
    """Return the weight of a pair of each class, (classes,): 1, or such that all classes weigh the same in an epoch.

    In an epoch each positive pair comes with so many random ``negatives``.
    """
    counts = np.array(counted(pairs), dtype=np.float64)
    if balance == "sampling":
        counts = np.where(counts > 0, len(pairs) / max(1, int((counts > 0).sum())), 0.0)
    if negatives:
        counts[0] += negatives * counts[1]
    return np.ones(len(counts)) if balance == "none" else counts.sum() / len(counts) / np.maximum(counts, 1)


def order_of(pairs: PairSet, texts: Texts, batch_size: int, balance: str, seed: int) -> list[NDArray[np.int64]]:
    """Return the rows of each batch of one epoch, in an order drawn with ``seed``.

    With the balance ``sampling``, rows are drawn with replacement, all classes equally often.
    """
    rng = np.random.default_rng(seed)
    n = len(pairs)
    if balance == "sampling" and pairs.labels != "graded":
        weights = weights_of(pairs, "weights")[pairs.targets.astype(np.int64)]
        rows = rng.choice(n, n, p=weights / weights.sum())
    else:
        rows = rng.permutation(n)
    widths = np.fromiter(map(texts.width, pairs.left), np.int64, n) + np.fromiter(
        map(texts.width, pairs.right), np.int64, n
    )
    found = [
        batch
        for chunk in _chunks(rows, batch_size * _SORTED)
        for batch in _chunks(chunk[np.argsort(widths[chunk], kind="stable")], batch_size)
    ]
    return [found[at] for at in rng.permutation(len(found))]


def _chunks(rows: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
