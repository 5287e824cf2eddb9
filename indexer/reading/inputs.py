"""What a job is to read: files, standard input or the result of a query, and the source under which it is filed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from dedup.errors import UsageError
from indexer.files import Access, access_like
from indexer.outputs.destination import check_destination, check_folder, is_stream, open_stream
from indexer.reading.open import default_source, open_query, open_tables
from indexer.reading.rejects import RejectsFile, RejectsStream
from indexer.reading.rows import ReadOptions, Table

_MAX_NAME_BYTES = 160
"""A longer name of a source is cut in the name of its rejects file."""


@dataclass(frozen=True, slots=True)
class Input:
    """What is indexed as one source, which the user named or not.

    ``opener`` may be called twice where the table has a size.
    """

    source: str
    files: Sequence[str]
    opener: Callable[[ReadOptions], Table]
    is_named: bool = True


def inputs_of_files(files: Sequence[str], source: str | None = None) -> list[Input]:
    """Return what is to be indexed: each file as a source of its own or, with ``source``, all of them as one.

    Raises:
        UsageError: standard input is named twice, or two files would be the same source.
    """
    if files.count("-") > 1:
        raise UsageError("Standard input (-) can be read only once.")
    if source is not None or len(files) == 1:
        return [Input(source or source_name(files[0]), files, partial(open_tables, files), source is not None)]
    found = [Input(source_name(file), (file,), partial(open_tables, (file,)), False) for file in files]
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
    return Input(source or default_source(url), (), partial(open_query, query, url), source is not None)


def source_name(file: str) -> str:
    """Return the default source name of ``file``: its name without the extensions of formats and compressions.

    Raises:
        UsageError: the name is not valid UTF-8.
    """
    name = stem_of(file)
    if name != name.encode(errors="replace").decode():
        raise UsageError(
            f"The name of {file!r} is not valid UTF-8; name the source with --source, or source= in Python."
        )
    return name


def stem_of(file: str) -> str:
    """Return the name of ``file`` without the extensions of formats and compressions; it may be no valid UTF-8."""
    name = Path(file).name
    extensions = r"(\.([a-z]{1,4}|jsonl|ndjson|parquet))?(\.(gz|bgz|bz2|xz|zst))?$"
    return "stdin" if file == "-" else re.sub(extensions, "", name, flags=re.IGNORECASE) or name


def open_rejects(
    files: Sequence[str],
    asked: Path | None,
    default: Path,
    *,
    inputs: Sequence[str] = (),
    owns: Callable[[Path], bool] = lambda path: False,
    access: Access | None = None,
) -> RejectsFile | RejectsStream:
    """Open the destination of the rejected rows of ``files``: ``asked``, where ``-`` is standard error.

    Otherwise it is ``default`` (``place_of_rejects``), or standard error if that folder cannot be written to, as by
    somebody who may only read the index. ``inputs`` are all files that the command reads, and ``owns`` tells the files
    of its index. The file may be read by those who may read ``files``, unless ``access`` is given.

    Raises:
        UsageError, EnvironmentFault: nothing can be written there, or something would be lost (``check_destination``).
    """
    if asked == Path("-") or (asked is None and not _can_make(default.parent)):
        return RejectsStream(sys.stderr)
    path = asked or default
    what = "--rejects" if asked else "The rejects file"
    remedy = "choose another path" if asked else "name another with --rejects"
    check_destination(path, what, inputs=[*files, *inputs], owns=owns, remedy=remedy)
    if asked:
        if asked.suffix.lower() in (".tsv", ".xlsx", ".parquet"):
            raise UsageError(f"{what} {path}: rejected rows are written as JSON Lines or CSV; end the name so.")
        check_folder(path, what)
        if is_stream(path):
            return RejectsStream(open_stream(path, what))
    return RejectsFile(path, access or access_like(files), makes_folder=asked is None)


def place_of_rejects(workspace: Path, name: str, *, of_queries: bool = False) -> Path:
    """Return the default rejects file of a source, or of a file of queries, in the directory of an index."""
    folder = workspace / "rejects" / ("queries" if of_queries else "")
    encoded = re.sub(r"[/%\udc80-\udcff]", lambda char: f"%{ord(char[0]) & 0xFF:02X}", name)  # bytes that are no UTF-8
    if len(encoded.encode()) > _MAX_NAME_BYTES:
        encoded = (
            encoded.encode()[:_MAX_NAME_BYTES].decode(errors="ignore") + "%" + sha256(name.encode()).hexdigest()[:16]
        )
    return folder / f"{encoded}.jsonl"


def _can_make(folder: Path) -> bool:
    """Return whether a file can be made in a folder, which may have to be made first."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return os.access(existing, os.W_OK | os.X_OK)


@contextmanager
def reading(table: Table, notify: Callable[[str], None], note: str | None = None) -> Iterator[Table]:
    """Close a table after the block; ``notify`` gets the columns in use before it, and warnings after it."""
    with table:
        for sentence in filter(None, (columns_in_use(table), fields_in_use(table))):
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
    change = "To change that, use --text and --id, or text= and id= in Python."
    return f"Text from column {text}, {identity}. {change}"


def fields_in_use(table: Table) -> str:
    """Return a sentence on the fields whose kind was found, or that the input lacks; empty if there are none."""
    choice, sentences = table.choice, []
    if choice.kinds_found:
        kinds = dict(choice.fields)
        found = ", ".join(f"{name!r} is {kinds[name]}" for name in choice.kinds_found)
        sentences.append(
            f"Fields: {found}. To change that, add the kind, as in --field NAME:KIND, or fields={{name: kind}} in "
            "Python."
        )
    if choice.fields_missing and table.columns:
        missing = " and ".join(map(repr, choice.fields_missing))
        sentences.append(f"The input lacks {missing}, which the source has as fields; they are missing in its records.")
    return " ".join(sentences)
