"""One epoch of a recurrent preset beside a plain loop of torch over the same batches.

    python benchmarks/training_step.py --data ../shared/data [--pairs 2000] [--turns 7]

Both learn from the same pairs of QQP, in the same batches, with the same sizes, in turns and in one thread. The plain
loop is what one would write by hand: padded batches, torch's bidirectional GRU that reads the padding, the mean of the
real states, exp(-L1), squared error, Adam. Both split the texts into tokens first. What counts is the median of the
ratios of their processor seconds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from results import Result, arguments, result, show
from siamese import Clock, read, some_of
from torch import nn

from dedup.encoder.token_reader import TokenReader, padded
from dedup.evaluation.pair_set import PairSet
from dedup.training.architectures.siamese import TokenEncoder
from dedup.training.toolkit.batches import Texts, order_of
from dedup.training.toolkit.build import build
from dedup.training.toolkit.recipe import Recipe, read_recipe
from dedup.training.toolkit.trainer import Trainer


class Plain(nn.Module):
    """The network of ``word-rnn``, written by hand."""

    def __init__(self, words: int, recipe: Recipe) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, recipe.embedding.size, padding_idx=0)
        size = recipe.tower.hidden_size
        self.gru = nn.GRU(recipe.embedding.size, size, batch_first=True, bidirectional=recipe.tower.bidirectional)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the mean of the states of the real tokens."""
        real = (tokens > 0).unsqueeze(2)
        states, _ = self.gru(self.embedding(tokens))
        return (states * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)


def plain_epoch(model: Plain, pairs: PairSet, batches: Sequence[np.ndarray], reader: TokenReader, rate: float) -> float:
    """Train the plain network for one epoch; return the processor seconds."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate)
    start = time.process_time()
    numbers = {text: reader.numbers(text) for text in pairs.texts()}
    model.train()
    for rows in batches:
        tokens = padded([numbers[side[row]] for side in (pairs.left, pairs.right) for row in rows])
        left, right = model(torch.from_numpy(tokens).long()).chunk(2)
        found = torch.exp(-(left - right).abs().sum(dim=1))
        loss = (found - torch.from_numpy(pairs.targets[rows]).float()).square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        float(loss.detach())
    return time.process_time() - start


def own_epoch(recipe: Recipe, pairs: PairSet, folder: Path) -> tuple[float, TokenReader]:
    """Train the preset for one epoch; return the processor seconds without the evaluation, and the reader."""
    siamese = build(recipe, pairs.texts(), 2)
    few = pairs.select(np.arange(64))
    clock = Clock()
    Trainer(siamese, recipe, pairs, few, folder, clock, lambda _: None).fit()
    assert isinstance(siamese.encoder, TokenEncoder) and isinstance(siamese.encoder.reader, TokenReader)
    return clock.times[-1] - clock.times[0], siamese.encoder.reader


def measured(args: argparse.Namespace) -> Iterator[Result]:
    """Yield the ratio of each preset and batch size."""
    pairs = some_of(read(args.data, "sentences/qqp_train", {}), args.pairs, 1)
    for batch_size in (64, 512):
        recipe = read_recipe("word-rnn", None, ["training.epochs=1", f"training.batch_size={batch_size}"])
        ratios = []
        for _ in range(args.turns + 1):  # the first to warm up
            with tempfile.TemporaryDirectory(prefix="dedup-bench-") as folder:
                own, reader = own_epoch(recipe, pairs, Path(folder))
            batches = order_of(pairs, Texts(reader, "cpu"), batch_size, "none", recipe.training.seed)
            bare = plain_epoch(Plain(reader.size, recipe), pairs, batches, reader, recipe.training.learning_rate)
            ratios.append(own / bare)
        yield result("word-rnn", f"epoch / plain torch loop, {batch_size} pairs", statistics.median(ratios[1:]))


def main() -> None:
    """Measure and show."""
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=2_000)
    parser.add_argument("--turns", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    show(measured(args))


if __name__ == "__main__":
    main()
