"""``dedup train``: make a model from data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.exit_codes import say

EXAMPLES = options.examples("dedup train data --output model --seed 1")


def train(
    data: Annotated[Path, typer.Argument(metavar="DATA_DIR", help="Directory of the training data.")],
    output: Annotated[Path, typer.Option(metavar="DIR", help="Directory for the model.")],
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of training. Default: as for the shipped model.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Seed of all that is random. Default: that of the shipped model."),
    ] = None,
) -> None:
    """Train a model.

    Trains the encoder and the scorer from the data and writes them. If the
    directory holds a model whose encoder has the same settings, only the scorer
    is fitted anew. Needs torch: pip install 'neardup[train]'.
    """
    from importlib.util import find_spec

    from dedup.errors import UsageError

    if find_spec("torch") is None:
        raise UsageError("Training needs torch: pip install 'neardup[train]'")
    from dedup.training.command import train as train_model

    train_model(data, output, steps, seed, say)
