"""What a job is to read: files, standard input or the result of a query, and the source under which it is filed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dedup.errors import UsageError
from indexer.files import Access, access_like
from indexer.outputs.destination import check_destination, check_folder, is_stream, open_stream
from indexer.reading.open import default_source, open_query, open_tables
from indexer.reading.rejects import RejectsFile, RejectsStream
from indexer.reading.rows import ReadOptions, Table


@dataclass(frozen=True, slots=True)
class Input:
    """What is indexed as one source. ``opener`` may be called twice where the table has a size."""

    source: str
    files: Sequence[str]
    opener: Callable[[ReadOptions], Table]


def inputs_of_files(files: Sequence[str], source: str | None = None) -> list[Input]:
    """Return what is to be indexed: each file as a source of its own or, with ``source``, all of them as one.

    Raises:
        UsageError: standard input is named twice, or two files would be the same source.
    """
    if files.count("-") > 1:
        raise UsageError("Standard input (-) can be read only once.")
    if source is not None or len(files) == 1:
        return [Input(source or source_name(files[0]), files, partial(open_tables, files))]
    found = [Input(source_name(file), (file,), partial(open_tables, (file,))) for file in files]
    names = [one.source for one in found]
    for one in found:
        if names.count(one.source) > 1:
            raise UsageError(
                f"Several files would become the source {one.source!r}. Index them one by one, each with its own "
                "--source, or all together with one --source."
            )
    return found


def input_of_query(query: str, url: str, source: str | None = None) -> Input:
    """Return the rows of a SELECT as an input; its source is the name of the database unless ``source`` is given."""
    return Input(source or default_source(url), (), partial(open_query, query, url))


def source_name(file: str) -> str:
    """Return the default source name of ``file``: its name without the extensions of formats and compressions.

    Raises:
        UsageError: the name is not valid UTF-8.
    """
    name = Path(file).name
    if name != name.encode(errors="replace").decode():
        raise UsageError(
            f"The name of {file!r} is not valid UTF-8; name the source with --source, or source= in Python."
        )
    extensions = r"(\.([a-z]{1,4}|jsonl|ndjson|parquet))?(\.(gz|bgz|bz2|xz|zst))?$"
    return "stdin" if file == "-" else re.sub(extensions, "", name, flags=re.IGNORECASE) or name


def open_rejects(
    files: Sequence[str],
    asked: Path | None,
    name: str,
    *,
    inputs: Sequence[str] = (),
    owns: Callable[[Path], bool] = lambda path: False,
    access: Access | None = None,
) -> RejectsFile | RejectsStream:
    """Open the destination of the rejected rows of ``files``: ``asked``, where ``-`` is standard error.

    The default is a file beside a single input, or in the current directory if that of the input is read-only. For
    several inputs or none it is named after ``name``. ``inputs`` are all files that the command reads, and ``owns``
    tells the files of its index. The file may be read by those who may read ``files``, unless ``access`` is given.

    Raises:
        UsageError, EnvironmentFault: nothing can be written there, or something would be lost (``check_destination``).
    """
    if asked == Path("-"):
        return RejectsStream(sys.stderr)
    path = asked or _beside(files, name)
    what = "--rejects" if asked else "The rejects file"
    remedy = "choose another path" if asked else "name another with --rejects"
    check_destination(path, what, inputs=[*files, *inputs], owns=owns, remedy=remedy)
    if asked:
        if asked.suffix.lower() in (".tsv", ".xlsx", ".parquet"):
            raise UsageError(f"{what} {path}: rejected rows are written as JSON Lines or CSV; end the name so.")
        check_folder(path, what)
        if is_stream(path):
            return RejectsStream(open_stream(path, what))
    return RejectsFile(path, access or access_like(files))


def _beside(files: Sequence[str], name: str) -> Path:
    if len(files) != 1 or not Path(files[0]).is_file():
        return Path(f"{name}.rejects.jsonl")
    beside = Path(f"{files[0]}.rejects.jsonl")
    return beside if os.access(beside.parent, os.W_OK) else Path(beside.name)


@contextmanager
def reading(table: Table, notify: Callable[[str], None], note: str | None = None) -> Iterator[Table]:
    """Close a table after the block; ``notify`` gets the columns in use before it, and warnings after it."""
    with table:
        if sentence := columns_in_use(table):
            notify(sentence)
        if note:
            notify(note)
        try:
            yield table
        finally:
            for sentence in table.warnings:
                notify(f"Warning: {sentence}")


def columns_in_use(table: Table) -> str:
    """Return a sentence on the columns that were detected; empty if all were asked for by name."""
    choice = table.choice
    if not table.columns or not (choice.text_guessed or choice.id_guessed):
        return ""
    text = " and ".join(map(repr, choice.text))
    no_id = "no id column: rows are identified by their content"
    identity = f"id from column {choice.id!r}" if choice.id else no_id
    return f"Text from column {text}, {identity}."
