"""Copy the files of a model out of a directory or an archive, and nothing else.

What a model does not consist of is left out if it is known (the folder of a training, texts to read, what systems add),
and refused otherwise: a pickle may run a program when it is loaded. A name may not lead out of the place where the
model is, nothing may be a link, and sizes are limited, whatever an archive says about them.
"""

from __future__ import annotations

import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from dedup.encoder.pair_head import HEAD
from dedup.errors import EnvironmentFault, InputRefused, UsageError
from dedup.model import FILES, MANIFEST, OPTIONAL_FILES

NOT_A_MODEL = "E_MODEL"

_MIB = 1 << 20
_LARGEST = {MANIFEST: _MIB, HEAD: 2048 * _MIB, "encoder.onnx": 2048 * _MIB}
_LARGEST_OTHER = 64 * _MIB
_LARGEST_ARCHIVE = 8192 * _MIB
"""Bytes of all that is in an archive, also of what is left out."""
_MOST_MEMBERS = 10_000
_BLOCK = _MIB
_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")

_LEFT_OUT_FOLDERS = ("training", "__MACOSX")
_LEFT_OUT_FILES = ("checkpoint.pt", "registered.json", "LICENSE", "LICENCE", "NOTICE")
_LEFT_OUT_SUFFIXES = (".md", ".txt")
_BROKEN = (
    gzip.BadGzipFile,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    NotImplementedError,
)


@dataclass(frozen=True, slots=True)
class _Member:
    """A file: its path as written, its size, and what opens it."""

    path: str
    size: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]


def stem_of(source: Path) -> str:
    """Return the name of a directory, or of an archive without its suffix."""
    name = source.resolve().name
    return next((name.removesuffix(end) for end in sorted(_SUFFIXES, key=len)[::-1] if name.endswith(end)), name)


def copy_model(source: Path, folder: Path) -> None:
    """Copy the files of the model in ``source`` into ``folder``.

    Raises:
        UsageError: there is nothing.
        InputRefused: it is no model, or has a part that it may not have.
        EnvironmentFault: it cannot be read.
        OSError: the copy cannot be written.
    """
    opened = _members_of_directory if source.is_dir() else _members_of_archive
    if not source.exists():
        raise UsageError(f"{source} does not exist; give the directory or archive of a model.")
    with opened(source) as members:
        chosen = _chosen(source, members)
        for name, member in chosen.items():
            _copy(source, member, folder / name, _LARGEST.get(name, _LARGEST_OTHER))


def _chosen(source: Path, members: list[_Member]) -> dict[str, _Member]:
    """Return the files of the model by name; raises ``InputRefused`` as ``copy_model``."""
    paths = [_checked_path(source, member.path) for member in members]
    roots = [path.parent for path in paths if path.name == MANIFEST and not _is_left_out(path)]
    if len(roots) != 1:
        found = "no" if not roots else "more than one"
        raise _refused(source, f"there is {found} {MANIFEST} in it")
    root, chosen = roots[0], dict[str, _Member]()
    for path, member in zip(paths, members, strict=True):
        inside = path.relative_to(root) if path.is_relative_to(root) else path
        name = str(inside)
        if path.is_relative_to(root) and name in (MANIFEST, *FILES, *OPTIONAL_FILES):
            if name in chosen:
                raise _refused(source, f"{member.path!r} is in it twice")
            chosen[name] = member
        elif not _is_left_out(inside):
            raise _refused(source, f"{member.path!r} is no file of a model, which is ONNX and JSON only; remove it")
    if missing := [name for name in FILES if name not in chosen]:
        raise _refused(source, f"{missing[0]} is missing")
    return chosen


def _checked_path(source: Path, written: str) -> PurePosixPath:
    path = PurePosixPath(written)
    if path.is_absolute() or ".." in path.parts or "\\" in written or written[1:2] == ":" or not written.isprintable():
        raise _refused(source, f"{written!r} is a path that leads elsewhere")
    return path


def _is_left_out(path: PurePosixPath) -> bool:
    return (
        any(part.startswith(".") or part in _LEFT_OUT_FOLDERS for part in path.parts)
        or path.name in _LEFT_OUT_FILES
        or path.suffix.lower() in _LEFT_OUT_SUFFIXES
    )


def _copy(source: Path, member: _Member, target: Path, most: int) -> None:
    if member.size > most:
        raise _refused(source, f"{member.path!r} has {member.size:,} bytes, more than {most:,}")
    done = 0
    with member.open() as reading, target.open("xb") as writing:
        while block := _read(source, reading):
            done += len(block)
            if done > most:
                raise _refused(source, f"{member.path!r} has more than {most:,} bytes")
            writing.write(block)


def _read(source: Path, file: IO[bytes]) -> bytes:
    try:
        return file.read(_BLOCK)
    except (*_BROKEN, RuntimeError) as error:  # a RuntimeError is zipfile's for an encrypted file
        raise _refused(source, f"it is damaged ({error})") from error
    except OSError as error:  # also of gzip, for a wrong checksum
        raise _refused(source, f"it cannot be read ({error})") from error


@contextmanager
def _members_of_directory(source: Path) -> Iterator[list[_Member]]:
    try:
        paths = sorted(source.iterdir())
        for path in paths:
            real = path.resolve()
            if path.name in (MANIFEST, *FILES, *OPTIONAL_FILES) and not (path.is_file() and not path.is_symlink()):
                raise _refused(source, f"{path.name!r} is a link or no regular file; put the file itself there")
            if not real.is_relative_to(source.resolve()) and not _is_left_out(PurePosixPath(path.name)):
                raise _refused(source, f"{path.name!r} is a link that leads out of the directory")
        members = [_Member(path.name, path.stat().st_size if path.is_file() else 0, _opener(path)) for path in paths]
    except OSError as error:
        raise EnvironmentFault(f"{source} cannot be read: {error.strerror}; check its permissions.") from error
    yield members


def _opener(path: Path) -> Callable[[], AbstractContextManager[IO[bytes]]]:
    return lambda: path.open("rb")


@contextmanager
def _members_of_archive(source: Path) -> Iterator[list[_Member]]:
    """Open an archive, which its content tells from others."""
    try:
        with source.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise EnvironmentFault(f"{source} cannot be read: {error.strerror}; check its permissions.") from error
    try:
        with _zip(source) if head[:2] == b"PK" else _tar(source, is_gzip=head[:2] == b"\x1f\x8b") as members:
            yield members
    except _BROKEN as error:
        kinds = ", ".join(_SUFFIXES)
        raise _refused(source, f"it is neither a directory nor a sound archive ({kinds}): {error}") from error


@contextmanager
def _zip(source: Path) -> Iterator[list[_Member]]:
    with zipfile.ZipFile(source) as archive:
        infos = archive.infolist()
        _check_sizes(source, len(infos), sum(info.file_size for info in infos))
        for info in infos:
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(source, f"{info.filename!r} is a link or no regular file")
            if info.flag_bits & 1:
                raise _refused(source, f"{info.filename!r} is encrypted")

        def opener(info: zipfile.ZipInfo) -> Callable[[], AbstractContextManager[IO[bytes]]]:
            return lambda: archive.open(info)

        yield [_Member(info.filename, info.file_size, opener(info)) for info in infos if not info.is_dir()]


@contextmanager
def _tar(source: Path, *, is_gzip: bool) -> Iterator[list[_Member]]:
    opened = gzip.GzipFile if is_gzip else open
    with opened(source, "rb") as file, tarfile.open(fileobj=cast("IO[bytes]", _Limited(file)), mode="r:") as tar:
        infos: list[tarfile.TarInfo] = []
        size = 0
        for info in tar:
            infos.append(info)
            size += info.size
            _check_sizes(source, len(infos), size)
            if not (info.isdir() or info.isreg()) or info.issparse():
                raise _refused(source, f"{info.name!r} is a link or no regular file")

        def opener(info: tarfile.TarInfo) -> Callable[[], AbstractContextManager[IO[bytes]]]:
            def opened() -> IO[bytes]:
                content = tar.extractfile(info)
                assert content is not None  # a regular file
                return content

            return opened

        yield [_Member(info.name, info.size, opener(info)) for info in infos if info.isreg()]


class _Limited(io.RawIOBase):
    """A decompressed archive of which no more than ``_LARGEST_ARCHIVE`` bytes are read, and few at once."""

    def __init__(self, file: gzip.GzipFile | IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence != 0 or offset > _LARGEST_ARCHIVE:
            raise tarfile.ReadError("it is too large")
        return self._file.seek(offset)

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes; more than a header or a block would be a header without end."""
        if not 0 <= size <= _LARGEST_OTHER or self.tell() > _LARGEST_ARCHIVE:
            raise tarfile.ReadError("it is too large, or has a header that is")
        return self._file.read(size)


def _check_sizes(source: Path, members: int, size: int) -> None:
    if members > _MOST_MEMBERS or size > _LARGEST_ARCHIVE:
        raise _refused(
            source, f"it holds more than {_MOST_MEMBERS:,} files or {_LARGEST_ARCHIVE >> 30:,} GiB when unpacked"
        )


def _refused(source: Path, why: str) -> InputRefused:
    return InputRefused(f"{source} is refused as a model: {why}.", NOT_A_MODEL)
