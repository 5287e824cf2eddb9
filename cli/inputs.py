"""The inputs of a command: files, standard input or an SQL query, their source names and their rejected rows."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cli.show.notes import say, say_columns

if TYPE_CHECKING:
    from indexer.reading.open import ReadOptions, Table
    from indexer.reading.rejects import RejectsFile, RejectsStream


@dataclass(frozen=True, slots=True)
class Input:
    """What is indexed as one source; ``opener`` may be called twice if the table has a size."""

    source: str
    files: Sequence[str]
    opener: Callable[[ReadOptions], Table]

    def open_rejects(self, asked: Path | None) -> RejectsFile | RejectsStream:
        """Open the destination of the rejected rows."""
        return open_rejects(self.files, asked, self.source)


def inputs(
    files: Sequence[str], *, from_sql: str | None, source_url: str | None, source: str | None, rejects: Path | None
) -> list[Input]:
    """Return the inputs to index: one for each file, or a single one if ``source`` is given.

    Raises ``UsageError`` if the arguments contradict each other.
    """
    from dedup.errors import UsageError
    from indexer.reading.open import default_source, open_query, open_tables

    if (from_sql is None) != (source_url is None):
        raise UsageError("--from-sql QUERY and --source-url URL must be given together.")
    if bool(files) == (from_sql is not None):
        raise UsageError("Give either files, as in `dedup index names.csv`, or --from-sql QUERY.")
    if from_sql is not None and source_url is not None:
        opener = partial(open_query, from_sql, source_url)
        return [Input(source or default_source(source_url), (), opener)]
    if files.count("-") > 1:
        raise UsageError("Standard input (-) can be read only once.")
    if source is not None or len(files) == 1:
        return [Input(source or source_name(files[0]), files, partial(open_tables, files))]
    if rejects not in (None, Path("-")):
        raise UsageError("--rejects FILE works for one source only; add --source NAME, or leave out --rejects.")
    found = [Input(source_name(file), (file,), partial(open_tables, (file,))) for file in files]
    names = [one.source for one in found]
    for one in found:
        if names.count(one.source) > 1:
            raise UsageError(
                f"Several files would become the source {one.source!r}. Index them one by one, each with its own "
                "--source, or all together with one --source."
            )
    return found


def source_name(file: str) -> str:
    """Return the default source name of ``file``: its name without the extensions of formats and compressions."""
    name = Path(file).name
    if name != name.encode(errors="replace").decode():
        from dedup.errors import UsageError

        raise UsageError(f"The name of {file!r} is not valid UTF-8; name the source with --source NAME.")
    extensions = r"(\.([a-z]{1,4}|jsonl|ndjson|parquet))?(\.(gz|bgz|bz2|xz|zst))?$"
    return "stdin" if file == "-" else re.sub(extensions, "", name, flags=re.IGNORECASE) or name


@contextmanager
def announced(table: Table, note: str | None = None, *, quiet: bool) -> Iterator[Table]:
    """Name the columns in use, and ``note``, unless ``quiet``; at the end close the table and print its warnings."""
    with table:
        if not quiet:
            say_columns(table, note)
        try:
            yield table
        finally:
            for sentence in table.warnings:
                say(f"Warning: {sentence}")


def open_rejects(files: Sequence[str], asked: Path | None, name: str) -> RejectsFile | RejectsStream:
    """Open the destination of rejected rows: ``asked``, where ``-`` is standard error.

    The default is a file beside a single input, or in the current directory if that of the input is read-only. For
    several inputs or none it is named after ``name``. Raises ``UsageError`` if it would overwrite an input.
    """
    from indexer.reading.rejects import RejectsFile, RejectsStream

    if asked == Path("-"):
        return RejectsStream(sys.stderr)
    for file in files:
        refuse_overwriting(file, asked, "--rejects")
    if asked:
        return RejectsFile(asked)
    if len(files) != 1 or not Path(files[0]).is_file():
        return RejectsFile(Path(f"{name}.rejects.jsonl"))
    beside = Path(f"{files[0]}.rejects.jsonl")
    return RejectsFile(beside if os.access(beside.parent, os.W_OK) else Path(beside.name))


def refuse_overwriting(file: str, output: Path | None, option: str) -> None:
    """Raise ``UsageError`` if ``output`` is the input ``file``, or not a regular file."""
    from dedup.errors import UsageError

    if output is not None and output.exists() and not output.is_file():
        raise UsageError(f"{option} {output} is not a regular file; choose another path.")
    if output is not None and output.is_symlink():
        raise UsageError(f"{option} {output} is a symbolic link, which would be replaced; give the file it points to.")
    if output is not None and file != "-" and output.exists() and Path(file).exists() and output.samefile(file):
        raise UsageError(f"{option} {output} is the input file; choose another path.")
