"""The rows that a command writes: to which file, in which format and style."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from cli.options import Format
from cli.show.render import output_to, write_rows

if TYPE_CHECKING:
    from indexer.files import Access
    from indexer.outputs.table_files import Style
    from indexer.reading.rejects import RejectsFile, RejectsStream
    from indexer.store.workspace import Workspace

_FILES = [name.value for name in Format if name is not Format.table]


@dataclass(frozen=True, slots=True)
class RowsFile:
    """A file of rows, or standard output if ``path`` is None; ``access`` is who may read a new file."""

    path: Path | None
    layout: Format
    style: Style
    access: Access

    def opened(self) -> AbstractContextManager[TextIO]:
        """Return the open file, which is complete after the block; raises ``EnvironmentFault``."""
        return output_to(self.path, self.access)

    def write(self, rows: Iterable[dict[str, Any]], types: Mapping[str, type]) -> None:
        """Write the rows; ``types`` as in ``write_rows``.

        Raises:
            UsageError: the format cannot hold them.
            EnvironmentFault: the file cannot be written.

        """
        with self.opened() as out:
            write_rows(rows, self.layout, out, self.style, types)


def rows_file(
    output: Path | None,
    layout: Format | None,
    style: Style,
    place: Workspace,
    *,
    inputs: Sequence[str] = (),
    mode: str | None = None,
    default: Format = Format.csv,
) -> RowsFile:
    """Return the file that ``--output``, ``--format`` and ``--mode`` ask for; ``inputs`` are what the command reads.

    Raises:
        UsageError, EnvironmentFault: nothing can be written there or so, or something would be lost.

    """
    from indexer.files import access_of
    from indexer.outputs.destination import check_destination
    from indexer.outputs.table_files import require

    path = None if output in (None, Path("-")) else output
    layout = _layout_of(path, layout) or default
    require(layout, style)
    if path is not None:
        check_destination(path, "--output", inputs=inputs, owns=place.owns)
    return RowsFile(path, layout, style, access_of(mode) if mode else place.access_with(*inputs))


def _layout_of(path: Path | None, layout: Format | None) -> Format | None:
    """Return the format that is asked for; None if neither the options nor the suffix of ``path`` name one.

    Raises ``UsageError``: nobody knows the suffix, or it names another format than ``--format``.
    """
    from dedup.errors import UsageError
    from indexer.outputs.table_files import suffix_of

    if path is None:
        return layout
    if layout is None:
        suffix = suffix_of(path, "--output", _FILES)
        return None if suffix is None else Format(suffix)
    if (suffix := path.suffix.lower().removeprefix(".")) in _FILES and suffix != layout:
        raise UsageError(f"--output {path} ends in .{suffix}, but --format is {layout}; change one of them.")
    return layout


def rejects_of(
    files: Sequence[str], asked: Path | None, place: Workspace, mode: str | None, target: RowsFile
) -> RejectsFile | RejectsStream:
    """Return where the rejected rows of files of queries are listed: ``asked``, or a file of the workspace.

    Raises what ``open_rejects`` raises, ``EnvironmentFault`` if others can write to the workspace, which need not hold
    an index, and ``UsageError`` if the rows would be written there.
    """
    from dedup.errors import UsageError
    from indexer.files import access_of
    from indexer.reading.inputs import open_rejects, place_of_rejects, stem_of

    if asked is None:
        place.check_folders()
    default = place_of_rejects(place.directory, stem_of(files[0]), of_queries=True)
    listed = open_rejects(files, asked, default, owns=place.owns, access=access_of(mode) if mode else None)
    if target.path is not None and listed.path is not None and target.path.resolve() == listed.path.resolve():
        raise UsageError(f"--output {target.path} is where the rejected rows are listed; choose another path.")
    return listed
