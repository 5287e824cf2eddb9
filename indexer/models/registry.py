"""The models that a user has registered: copies in one directory, each by its name and hash.

    companies@3f2a91c08d5e7b64/    the files of the model, and registered.json, which says when it was added

The directory is ``$DEDUP_MODELS``, or ``neardup/models`` in ``$XDG_DATA_HOME`` or ``~/.local/share``. Several models
may have one name, which then means the one added last; an index still finds an older one by its hash.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

import dedup.model
from dedup.errors import EnvironmentFault, InputRefused, UsageError, VersionMismatch
from dedup.model import SHIPPED, Model
from indexer.files import make_directory, sync_directory
from indexer.models.model_files import NOT_A_MODEL, copy_model, stem_of

VARIABLE = "DEDUP_MODELS"
_ENTRY = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,63})@(?P<hash>[0-9a-f]{16})")
_HASH = re.compile(r"[0-9a-f]{8,64}")
_NOTE = "registered.json"
_HASH_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered model: its name, the first digits of its hash, where it is, and when it was added (ISO 8601)."""

    name: str
    hash: str
    directory: Path
    added_at: str

    @property
    def full_name(self) -> str:
        """The name with the hash, which no other model has."""
        return f"{self.name}@{self.hash}"

    def load(self) -> Model:
        """Load the model; raises ``VersionMismatch`` if it is damaged."""
        model = dedup.model.load_model(self.directory)
        if not model.fingerprint.startswith(self.hash):
            raise VersionMismatch(f"{self.directory} holds another model than its name says; add it again.")
        return model


def registry() -> Path:
    """Return the directory of the registered models, which need not be there."""
    if asked := os.environ.get(VARIABLE):
        return Path(asked)
    home = os.environ.get("XDG_DATA_HOME", "")
    return (Path(home) if os.path.isabs(home) else Path.home() / ".local" / "share") / "neardup" / "models"


def registered_models() -> list[Registered]:
    """Return the registered models by name, of several of one name the one added last at the end."""
    place, found = registry(), []
    try:
        entries = sorted(place.iterdir()) if place.exists() else []
    except OSError as error:
        raise EnvironmentFault(f"{place} cannot be read: {error.strerror}; check {VARIABLE}.") from error
    for path in entries:
        if (match := _ENTRY.fullmatch(path.name)) and path.is_dir():
            found.append(Registered(match["name"], match["hash"], path, _added_at(path)))
    return sorted(found, key=lambda one: (one.name, one.added_at))


def find_registered(asked: str) -> Registered | None:
    """Return the model of this name, ``NAME@HASH`` or hash; eight digits of a hash are enough.

    Raises:
        UsageError: several have a hash that begins so.
    """
    name, _, digits = asked.partition("@")
    models = registered_models()
    if not digits and (named := [one for one in models if one.name == name]):
        return named[-1]
    if not digits:
        name, digits = "", name
    fitting = [one for one in models if name in ("", one.name) and _begins(one.hash, digits)]
    if len({one.hash for one in fitting}) > 1:
        names = ", ".join(one.full_name for one in fitting)
        raise UsageError(f"Several registered models begin with {asked!r}: {names}; give more digits.")
    return fitting[-1] if fitting else None


def registered_with(fingerprint: str) -> Registered | None:
    """Return the registered model with this hash of all files."""
    return next((one for one in registered_models() if fingerprint.startswith(one.hash)), None)


def add_model(source: Path, name: str | None = None) -> tuple[Registered, bool]:
    """Register a copy of the model in a directory or archive; return it, and whether it is new.

    Raises:
        UsageError: there is nothing there, or the name cannot be that of a model.
        InputRefused: what is there is no model, is damaged, or has files or paths that a model has not.
        EnvironmentFault: it cannot be read, or the copy cannot be written.
    """
    chosen = checked_name(stem_of(source) if name is None else name)
    with _writing(registry()) as place, _temporary(place) as folder:
        copy_model(source, folder)
        try:
            model = dedup.model.load_model(folder)
            _ = model.encoder, model.head, [model.with_kind(kind) for kind in model.kinds]
        except VersionMismatch as error:
            message = str(error).replace(str(folder), str(source))
            raise InputRefused(f"{source} is refused: {message}", NOT_A_MODEL) from None
        digits = model.fingerprint[:_HASH_DIGITS]
        target = place / f"{chosen}@{digits}"
        if target.is_dir():
            return Registered(chosen, digits, target, _added_at(target)), False
        added_at = datetime.now(UTC).isoformat(timespec="microseconds")
        (folder / _NOTE).write_text(json.dumps({"added_at": added_at}) + "\n", encoding="utf-8")
        sync_directory(folder)
        folder.rename(target)
        sync_directory(place)
    return Registered(chosen, digits, target, added_at), True


def remove_model(asked: str) -> Registered:
    """Delete a registered model.

    Raises:
        UsageError: there is none, or there are several of this name.
        EnvironmentFault: it cannot be deleted.
    """
    found = find_registered(asked)
    if found is None:
        raise no_such_model(asked)
    namesakes = [one.full_name for one in registered_models() if one.name == asked]
    if len(namesakes) > 1:
        raise UsageError(f"Several models are called {asked!r}; name one of {', '.join(namesakes)}.")
    with _writing(registry()) as place, _temporary(place) as folder:
        found.directory.rename(folder / found.directory.name)
    return found


def no_such_model(asked: str) -> UsageError:
    """Return the error for a name that no registered model has."""
    known = ", ".join(dict.fromkeys(one.name for one in registered_models())) or "none yet"
    return UsageError(f"No registered model is called {asked!r}; registered are: {known}. See `dedup models`.")


def checked_name(name: str) -> str:
    """Return ``name``; raises ``UsageError`` if no model can have it."""
    if not _ENTRY.fullmatch(f"{name}@{'0' * _HASH_DIGITS}") or name == SHIPPED or _HASH.fullmatch(name):
        raise UsageError(
            f"A model cannot be called {name!r}: give a name of up to 64 letters, digits, dots, dashes and underscores "
            f"that is neither {SHIPPED!r} nor a hash, with --name (name= in Python)."
        )
    return name


def _begins(known: str, digits: str) -> bool:
    """Return whether a hash of which the first digits are known may begin with, or be, ``digits``."""
    return bool(_HASH.fullmatch(digits)) and (known.startswith(digits) or digits.startswith(known))


def _added_at(directory: Path) -> str:
    with suppress(OSError, ValueError, TypeError, KeyError):
        return str(json.loads((directory / _NOTE).read_text(encoding="utf-8"))["added_at"])
    return ""


@contextmanager
def _writing(place: Path) -> Iterator[Path]:
    """Make the directory if needed; raises ``EnvironmentFault`` for what fails in the block."""
    try:
        for folder in reversed([place, *place.parents]):
            if not folder.exists():
                make_directory(folder, 0o700)
        yield place
    except OSError as error:
        where = error.filename or place
        raise EnvironmentFault(f"{where}: {error.strerror}; check the path, or set {VARIABLE} to another.") from error


@contextmanager
def _temporary(place: Path) -> Iterator[Path]:
    """Provide a folder that vanishes, unless it was moved; raises ``OSError``."""
    folder = Path(mkdtemp(dir=place, prefix=".model-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
