"""Where a job may write: to a new file, or in place of a text file that is neither an input nor part of an index."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from dedup.errors import EnvironmentFault, UsageError
from indexer.files import PRIVATE, SIDE_FILES, Access, kind_of, open_beside, open_plainly, sync_directory

_DESCRIPTOR = re.compile(r"/dev/fd/(\d{1,4})|/proc/self/fd/(\d{1,4})|/dev/std(out|err)")
_SIDE_FILE = re.compile(rf"(.+?)({'|'.join(map(re.escape, SIDE_FILES))}|\.\d+\.(backup|tmp))")
"""A file that SQLite or neardup keeps beside a database; the first group is the name of the database."""
_SNAPSHOT = re.compile(r"(?:idx|near)-\d+-[0-9a-f]{32}\..+")
_HEAD_BYTES = 4096
_FOOTER_BYTES = 1 << 20
"""The metadata at the end of a Parquet file is searched in so many bytes."""
MADE_BY = "neardup"
"""The author of a workbook, and in the metadata of Parquet what wrote it."""


def check_destination(
    path: Path,
    what: str,
    *,
    inputs: Iterable[str] = (),
    owns: Callable[[Path], bool] = lambda path: False,
    remedy: str = "choose another path",
) -> None:
    """Raise unless a file may be written to ``path``, which is then new or replaces a text file.

    ``inputs`` are the files that the job reads, ``owns`` tells the files of its index. Messages begin with ``what``,
    an option, and end with ``remedy``. A stream (``is_stream``) is written to, not replaced, if this process has
    inherited it.

    Raises:
        UsageError: there is something else: a link, a folder, a pipe, a device, a socket, an input, a file of this or
            another index, or a file that is neither text nor ``is_ours``.
        EnvironmentFault: the path cannot be looked up, or its folder does not exist or cannot be written to.

    """
    try:
        if is_stream(path):
            _descriptor(path, what)
        else:
            _check_kind(path, what, remedy)
        for file in inputs:
            if _is_input(path, file):
                raise UsageError(f"{what} {path} is the input file; {remedy}.")
        if owns(path) or _is_of_an_index(path):
            raise UsageError(f"{what} {path} belongs to an index; {remedy}.")
        if not is_stream(path) and _head(path).count(b"\0") and not is_ours(path):
            raise UsageError(f"{what} {path} is not a text file, so it is not replaced; {remedy}.")
    except OSError as error:
        raise EnvironmentFault(f"{what} {path} cannot be written: {error.strerror}; {remedy}.") from error


def check_folder(path: Path, option: str) -> None:
    """Raise ``EnvironmentFault`` unless a file can be created beside ``path``."""
    if not is_stream(path) and not os.access(path.parent, os.W_OK | os.X_OK):
        reason = "is not writable" if path.parent.is_dir() else "does not exist"
        raise EnvironmentFault(f"{option} {path} cannot be written: folder {path.parent} {reason}.")


def check_foreign(path: Path, what: str, beginning: re.Pattern[bytes] | None) -> None:
    """Raise unless ``path`` is new, blank or begins as the files of neardup that have this name.

    ``beginning`` is None if those are not text.

    Raises:
        UsageError: it is a file of somebody else.
        EnvironmentFault: it cannot be read.

    """
    try:
        head = _head(path)
        is_known = is_ours(path) if beginning is None else beginning.match(head) is not None
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be read: {error.strerror}.") from error
    if head.strip() and not is_known:
        raise UsageError(f"{path} exists and is not {what} of neardup; move it away, or choose another path.")


def is_ours(path: Path) -> bool:
    """Whether a file is a workbook or a Parquet file that neardup wrote (``outputs.table_files``).

    Raises ``OSError``: it cannot be read.
    """
    head = _head(path)
    if head.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as workbook, workbook.open("docProps/core.xml") as properties:
                return f"<dc:creator>{MADE_BY}<".encode() in properties.read(_HEAD_BYTES)
        except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, RuntimeError, NotImplementedError):
            return False
    if head.startswith(b"PAR1"):
        with open(path, "rb", opener=open_plainly) as file:
            file.seek(-min(_FOOTER_BYTES, os.path.getsize(path)), os.SEEK_END)
            return f"written_by\x18\x07{MADE_BY}".encode() in file.read()
    return False


def is_stream(path: Path) -> bool:
    """Whether ``path`` is an open descriptor of this process or ``/dev/null``.

    Those are ``/dev/stdout``, ``/dev/stderr``, and ``/dev/fd/63``, which is what a shell makes of ``>(...)``.
    """
    return str(path) == os.devnull or _DESCRIPTOR.fullmatch(str(path)) is not None


def open_stream(path: Path, option: str) -> TextIO:
    """Open a path for which ``is_stream`` is true.

    Raises ``UsageError``: its descriptor is not open for writing.
    """
    number = _descriptor(path, option)
    if number is None:
        return open(os.devnull, "w", encoding="utf-8")
    return os.fdopen(os.dup(number), "w", encoding="utf-8", errors="backslashreplace", newline="")


def _descriptor(path: Path, option: str) -> int | None:
    """Return the number of the descriptor that a stream names, None for ``/dev/null``.

    Raises ``UsageError``: it is not open for writing.
    """
    found = _DESCRIPTOR.fullmatch(str(path))
    if found is None:
        return None
    number = int(found[1] or found[2] or {"out": 1, "err": 2}[found[3]])
    with suppress(OSError):  # what this process opened itself is closed on exec; what the shell opened is not
        if os.get_inheritable(number) and fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
            return number
    raise UsageError(f"{option} {path} is not open for writing; choose another path.")


def _is_input(path: Path, file: str) -> bool:
    """Whether ``path`` is the input ``file``, which is standard input if it is ``-``."""
    if not path.exists():
        return False
    if file != "-":
        return Path(file).exists() and path.samefile(file)
    with suppress(OSError):  # standard input is closed
        status = os.fstat(0)
        return stat.S_ISREG(status.st_mode) and os.path.samestat(status, path.stat())
    return False


@contextmanager
def replacing(paths: Sequence[Path], access: Access = PRIVATE, errors: str = "strict") -> Iterator[list[TextIO]]:
    """Open a temporary file for each path; if the block succeeds, they replace the paths, the last one last.

    Raises ``OSError``: a file cannot be created, written or renamed.
    """
    files: list[TextIO] = []
    try:
        with ExitStack() as stack:
            for path in paths:
                files.append(stack.enter_context(open_beside(path, errors, access)))
            yield files
            for file in files:
                file.flush()
                os.fsync(file.fileno())
            for file, path in zip(files, paths, strict=True):
                Path(file.name).replace(path)
        for folder in {path.parent for path in paths}:
            sync_directory(folder)
    finally:
        for file in files:
            with suppress(OSError):
                Path(file.name).unlink(missing_ok=True)


def _check_kind(path: Path, what: str, remedy: str) -> None:
    kind = kind_of(path)
    if kind == "a symbolic link":
        raise UsageError(f"{what} {path} is a symbolic link, which would be replaced; give the file it points to.")
    if kind is not None:
        raise UsageError(f"{what} {path} is {kind}, not a regular file; {remedy}.")


def _is_of_an_index(path: Path) -> bool:
    """Whether this is the name of a file of an index, whichever it is; it need not exist."""
    side = _SIDE_FILE.fullmatch(path.name)
    with suppress(OSError):
        if side and _head(path.with_name(side[1])).startswith(b"SQLite format 3\0"):
            return True
    is_lock = path.name == "lock" and (path.parent / "snapshots").is_dir()
    return is_lock or (path.parent.name == "snapshots" and _SNAPSHOT.fullmatch(path.name) is not None)


def _head(path: Path) -> bytes:
    """Return the first bytes of a regular file, nothing if there is none."""
    try:
        with open(path, "rb", opener=open_plainly) as file:
            return file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return b""
