"""``dedup train``: train a model, or fine-tune the shipped one."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import label_options, options
from cli.exit_codes import end_with_rejects
from cli.show.notes import notes_unless, say, say_rejected, shown_progress
from cli.show.render import write_summary
from dedup.runtime.threads import compute_with, count

if TYPE_CHECKING:
    from dedup.evaluation.pair_set import PairSet
    from dedup.model import Model
    from dedup.training.toolkit.recipe import Recipe
    from dedup.training.toolkit.scorer_task import Task
    from indexer.ingest.labelled_pairs import Wanted
    from indexer.jobs.reviewing.training_pairs import JudgedTexts
    from indexer.reading.open import ReadOptions
    from indexer.store.workspace import Workspace

EXAMPLES = options.examples(
    "dedup train labelled.csv -o model",
    "dedup train labelled.csv --tune encoder -o model",
    "dedup train pairs.jsonl more.csv.gz --preset word-rnn --set training.epochs=3 -o model",
    "dedup train --from-judgements -o model",
    "dedup train --from-corpus companies.csv -t name --preset char-lstm -o model",
    "dedup train data -o model --seed 1",
)
TRAINING = "Training options"
GENERATED_PAIRS = 20_000


class Tuned(StrEnum):
    """What is fine-tuned without a preset."""

    scorer = "scorer"
    encoder = "encoder"


_NO_PAIRS = (
    "Give files of labelled pairs, as in `dedup train labelled.csv -o model`, or --from-corpus or --from-judgements."
)
_MADE_UP = (
    "--from-corpus makes pairs up, which would teach a scorer how they were made, and it would be worse on real ones. "
    "Train an encoder with them: add --tune encoder or --preset NAME."
)
_REGISTER = "Note: Register it with `dedup models add {0}`, or use it as it is: --model {0}."
_STEPS = "--steps is for a directory of training data; use --epochs with pairs."

Pairs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE",
        help="Labelled pairs: CSV, TSV, JSON Lines or Parquet files, also compressed; - reads standard input. A "
        "directory of training data instead trains as the shipped model was.",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option("--preset", metavar="NAME", help="Train a network from nothing by this recipe (docs/training.md)."),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="TOML file with the parts of the network and of the training."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, e.g. training.epochs=3; may be repeated."),
]
Init = Annotated[
    str | None,
    typer.Option(
        "--init",
        metavar="MODEL",
        help="Begin with the model of this directory or name, or with the shipped one: shipped.",
    ),
]
Tune = Annotated[
    Tuned | None,
    typer.Option(
        "--tune",
        metavar="PART",
        help="Part of the model to fine-tune: its scorer (seconds) or its encoder (minutes). Default without --preset "
        "and --config: scorer.",
    ),
]
FromCorpus = Annotated[
    str | None,
    typer.Option(
        "--from-corpus", metavar="FILE", help="Make pairs of the texts of this file: variants, and similar names."
    ),
]
FromJudgements = Annotated[
    bool,
    typer.Option(
        "--from-judgements", help="Train on what people judged the same or different in the index of --workspace."
    ),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget the checkpoints of an interrupted training.")]

Epochs = Annotated[
    int | None,
    typer.Option("--epochs", metavar="N", min=1, help="Passes over the pairs.", rich_help_panel=TRAINING),
]
BatchSize = Annotated[
    int | None,
    typer.Option("--batch-size", metavar="N", min=1, help="Pairs of a step.", rich_help_panel=TRAINING),
]
LearningRate = Annotated[
    float | None,
    typer.Option("--learning-rate", metavar="RATE", help="Highest learning rate.", rich_help_panel=TRAINING),
]
Device = Annotated[
    str | None, typer.Option("--device", metavar="NAME", help="cpu, cuda or mps.", rich_help_panel=TRAINING)
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        max=2**63 - 1,
        help="Random seed. Default: that of the recipe, or of the shipped model.",
        rich_help_panel=TRAINING,
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--steps",
        metavar="N",
        min=1,
        help="Training steps with a directory of training data. Default: those of the shipped model.",
        rich_help_panel=TRAINING,
    ),
]


def train(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Directory for the model.")],
    pairs: Pairs = None,
    preset: Preset = None,
    config: Config = None,
    changes: Changes = None,
    init: Init = None,
    tune: Tune = None,
    from_corpus: FromCorpus = None,
    from_judgements: FromJudgements = False,
    fresh: Fresh = False,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    device: Device = None,
    seed: Seed = None,
    steps: Steps = None,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    schema: options.Schema = None,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    text: options.TextColumns = None,
    first: label_options.First = None,
    second: label_options.Second = None,
    label: label_options.Label = None,
    labels: label_options.Labels = None,
    same: label_options.Same = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    quote: options.Quote = '"',
    no_header: options.NoHeader = False,
    skip_lines: options.SkipLines = 0,
    lenient: options.Lenient = False,
    escape: options.Escape = "",
    short_rows: options.ShortRows = False,
    rejects: options.Rejects = None,
    allow_rejects: options.AllowRejects = False,
    max_reject_rate: options.MaxRejectRate = 0.05,
) -> None:
    """Train a model on labelled pairs.

    Without --preset and --config, the shipped model is fine-tuned: its scorer is fitted to the labels, and written
    only if it is better on entities held back. With them, a network is trained. The columns of the texts and the label
    are found by their names and values.

    An interrupted training continues when the same command is run again. Exit code 3: done, but some rows were
    rejected. All but the scorer needs torch: pip install 'neardup[train]'.
    """
    from dedup.errors import UsageError

    files = pairs or []
    compute_with(threads)
    from dedup.training.toolkit.model_directory import check_output

    check_output(output)
    if len(files) == 1 and Path(files[0]).is_dir():
        others = (preset, config, init, tune, from_corpus, from_judgements or None)
        _train_shipped(Path(files[0]), output, steps, seed, given=others)
        return
    if steps is not None or not (files or from_corpus or from_judgements):
        raise UsageError(_NO_PAIRS if steps is None else _STEPS)

    from dedup.training.data.corpus_pairs import joined
    from indexer.ingest.labelled_pairs import Wanted, kind_asked
    from indexer.reading.open import ReadOptions
    from indexer.store.workspace import Workspace

    if from_corpus and not (preset or config or tune is Tuned.encoder):
        raise UsageError(_MADE_UP)
    asked = _asked(changes, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, device=device, seed=seed)
    place = Workspace(workspace, database, schema=schema)
    recipe, model, start = _begun_with(preset, config, asked, init, tune, place if from_judgements else None)
    reading = ReadOptions(
        text_columns=text or (), encoding=encoding, delimiter=delimiter, quote=quote, header=not no_header,
        skip_lines=skip_lines, lenient=lenient, escape=escape, short_rows=short_rows,
    )  # fmt: skip
    wanted = Wanted(first, second, label, kind_asked(labels), same or (), max_reject_rate)
    own_seed = recipe.training.seed if recipe is not None else seed or 0
    read, generated, rejected = _read(files, from_corpus, reading, wanted, rejects, output, own_seed, quiet=quiet)
    if from_judgements:
        judged = _judged(place, quiet=quiet)
        read.append(judged.pairs)
        model = model.with_corpus(judged.corpus) if judged.corpus else model
    read += generated
    used = [*files, *([from_corpus] if from_corpus else []), *(["judgements"] if from_judgements else [])]
    task = _task(joined(read), sum(map(len, generated)), output, model, start, used, fresh=fresh)
    write_summary(_run(task, recipe, own_seed, quiet=quiet), sys.stdout, as_json=False)
    notes_unless(quiet)(_REGISTER.format(shlex.quote(str(output))))
    end_with_rejects(rejected, allowed=allow_rejects)


def _asked(changes: Sequence[str] | None, **settings: float | str | None) -> list[str]:
    """Return the changes of --set and of the options that stand for some of them."""
    return [*(changes or []), *(f"training.{name}={value}" for name, value in settings.items() if value is not None)]


def _task(
    pairs: PairSet,
    generated: int,
    output: Path,
    model: Model,
    start: Model | None,
    inputs: Sequence[str],
    *,
    fresh: bool,
) -> Task:
    from dedup.training.toolkit.scorer_task import Task

    sources = {Path(file).name: "given by the user" for file in inputs}
    return Task(pairs, output, model, start, shlex.join(["dedup", *sys.argv[1:]]), sources, fresh, generated)


def _train_shipped(data: Path, output: Path, steps: int | None, seed: int | None, *, given: Sequence[object]) -> None:
    """Train as the shipped model was; raises ``UsageError`` for options that are for labelled pairs."""
    from dedup.errors import UsageError

    _require_torch()
    from dedup.training.command import train as train_model
    from dedup.training.toolkit.model_directory import reserved

    if any(option is not None for option in given):
        raise UsageError(
            f"{data} is a directory of training data, from which a model is trained as the shipped one was; --preset, "
            "--config, --init, --tune, --from-corpus and --from-judgements are for labelled pairs."
        )
    with reserved(output):
        train_model(data, output, steps, seed, say)


def _require_torch() -> None:
    """Raise ``UsageError`` unless what trains a network is installed."""
    from importlib.util import find_spec

    from dedup.errors import UsageError

    if find_spec("torch") is None or find_spec("onnx") is None:
        raise UsageError(
            "Training an encoder needs torch: pip install 'neardup[train]'. Without it, the scorer can be fine-tuned: "
            "leave out --preset, --config and --tune."
        )


def _begun_with(
    preset: str | None,
    config: Path | None,
    asked: list[str],
    init: str | None,
    tune: Tuned | None,
    place: Workspace | None,
) -> tuple[Recipe | None, Model, Model | None]:
    """Return the recipe (None to fine-tune the scorer), the model to compare with, and the one to begin with.

    Without ``init`` that is the model of the index ``place``, whose judgements are learnt, or else the shipped one.

    Raises:
        UsageError: the options contradict each other.
        InputRefused: a file is missing or damaged.
    """
    from dedup.errors import InputRefused, UsageError
    from dedup.model import Model, load_model
    from indexer.models.choice import model_for, named_model

    model = named_model(init) if init is not None else load_model()
    if init is None and place is not None:
        own = model_for(place)
        assert isinstance(own, Model)
        model = own
    is_new = preset is not None or config is not None
    if is_new and tune is not None:
        raise UsageError("--tune fine-tunes a model; leave it out, or --preset and --config.")
    if not is_new and tune is not Tuned.encoder:
        if only_seed := [one for one in asked if not one.startswith("training.seed=")]:
            raise UsageError(f"{only_seed[0]} is for training a network: add --preset NAME, or --tune encoder.")
        return None, model, None
    _require_torch()
    from dedup.training.toolkit.recipe import read_recipe, recipe_of

    if config is not None and not config.is_file():
        raise InputRefused(f"--config {config} does not exist, or is no file.", "E_NO_FILE")
    if is_new:
        return read_recipe(preset, config, asked), model, model if init is not None else None
    return recipe_of(model.manifest, asked), model, model


def _read(
    files: Sequence[str],
    from_corpus: str | None,
    reading: ReadOptions,
    wanted: Wanted,
    rejects: Path | None,
    output: Path,
    seed: int,
    *,
    quiet: bool,
) -> tuple[list[PairSet], list[PairSet], int]:
    """Return the pairs that are read, those that are made, and the number of rejected rows.

    Raises what the readers raise.
    """
    from dedup.errors import InputRefused
    from dedup.training.data.corpus_pairs import generated_pairs
    from dedup.training.toolkit.model_directory import TRAINING as FOLDER
    from indexer.ingest.labelled_pairs import read_pairs, read_texts
    from indexer.reading.inputs import open_rejects

    inputs = [*files, *([from_corpus] if from_corpus else [])]
    default = output / FOLDER / "rejects.jsonl"
    found: list[PairSet] = []
    made: list[PairSet] = []
    with open_rejects(inputs, rejects, default) as refused:
        try:
            with shown_progress(quiet=quiet) as progress:
                if files:
                    found.append(read_pairs(files, wanted, reading, refused.add, progress, notes_unless(quiet)))
                if from_corpus:
                    texts = read_texts(from_corpus, reading, refused.add, wanted, progress, notes_unless(quiet))
                    made.append(generated_pairs(texts, min(GENERATED_PAIRS, 2 * len(texts)), seed))
        except InputRefused as error:
            if error.code == "E_TOO_MANY_REJECTS":
                say_rejected(refused)
            raise
        say_rejected(refused)
        return found, made, refused.count


def _judged(place: Workspace, *, quiet: bool) -> JudgedTexts:
    """Return what people judged in an index; raises ``InputRefused`` if that is too little."""
    from dedup.training.toolkit.fine_tuning import MIN_OF_EACH
    from indexer.jobs.reviewing.training_pairs import judged_texts

    place.check_readable()
    return judged_texts(place, MIN_OF_EACH, notes_unless(quiet))


def _run(task: Task, recipe: Recipe | None, seed: int, *, quiet: bool) -> dict[str, Any]:
    """Fine-tune or train; return a summary."""
    from dedup.training.toolkit.model_directory import reserved
    from dedup.training.toolkit.scorer_task import fine_tune

    with reserved(task.output), shown_progress(quiet=quiet) as progress:
        if recipe is None:
            return fine_tune(task, seed, progress, notes_unless(quiet))
        from torch import set_num_threads

        from dedup.training.toolkit.train_pairs import train_network

        set_num_threads(count())
        return train_network(task, recipe, progress, notes_unless(quiet))
