"""Which model a command or a call uses: the one that is asked for, or the one that the index was made with."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import dedup.model
from dedup.errors import UsageError, VersionMismatch
from dedup.matching.matcher import Matcher
from dedup.model import MANIFEST, SHIPPED, Model
from indexer.models.registry import Registered, find_registered, no_such_model, registered_with
from indexer.models.stored import model_of_vectors, remembered_model
from indexer.store.corpus_words import model_of_kind
from indexer.store.store import Store
from indexer.store.workspace import Workspace

VARIABLE = "DEDUP_MODEL"


def asked_model(asked: str | None) -> Model | None:
    """Return the model of this directory or name, or else of ``DEDUP_MODEL``; None if there is neither.

    Raises:
        UsageError: there is no such model.
        VersionMismatch: it is damaged, or of another version.
    """
    asked = asked if asked is not None else os.environ.get(VARIABLE) or None
    return None if asked is None else named_model(asked)


def asked_or_shipped(asked: str | None = None, kind: str | None = None) -> Model:
    """Return the model that is asked for, or else the one that ships with neardup, for a kind of texts.

    Raises what ``asked_model`` and ``Model.with_kind`` raise.
    """
    model = asked_model(asked) or dedup.model.load_model()
    return model if kind is None else model.with_kind(kind)


def named_model(asked: str) -> Model:
    """Return the model of a directory or name; raises as ``asked_model``."""
    if asked == SHIPPED:
        return dedup.model.load_model()
    directory = Path(asked)
    is_path = os.sep in asked or asked in (".", "..", "")
    found = None if is_path else find_registered(asked)
    if found is None and not directory.is_dir():
        if is_path or directory.exists():
            remedy = "register an archive with `dedup models add`" if directory.is_file() else "check the path"
            raise UsageError(f"There is no model in {asked}: it is not a directory; {remedy}.")
        raise UsageError(f"There is no model in {asked}: it is not a directory. {no_such_model(asked)}")
    if found is None:
        return dedup.model.load_model(directory)
    model = found.load()
    if (directory / MANIFEST).exists() and dedup.model.load_model(directory).fingerprint != model.fingerprint:
        raise UsageError(
            f"{asked!r} is a directory here, and another model that is registered; write {os.path.join('.', asked)} "
            f"or {found.full_name}."
        )
    return model


def model_for(
    workspace: Workspace,
    asked: str | Matcher | None = None,
    *,
    may_change: bool = False,
    shipped: Callable[[], Matcher] | None = None,
) -> Matcher:
    """Return the model for a job on an index.

    That is the model that is asked for, in person, by an option or by ``DEDUP_MODEL``; else the one that the index was
    made with, if it is registered; else the one that ships with neardup, which ``shipped`` loads. It has the scorer and
    the thresholds for the kind of the index's texts. With ``may_change`` any model may be asked for.

    Raises:
        UsageError: there is no such model.
        VersionMismatch: the index was made with another model, or with one that is not registered, or the model has no
            scorer for the kind of its texts.
    """
    model = asked_model(asked) if asked is None or isinstance(asked, str) else asked
    load_shipped = shipped or dedup.model.load_model
    with suppress(UsageError), workspace.open(for_writing=False) as store:  # nothing is indexed yet: the job says so
        if model is None:
            return model_of_kind(store, _model_of(store, load_shipped))
        if not may_change:
            check_model_of(store, model)
            return model_of_kind(store, model)
    return model or load_shipped()


def hint_to_register(model: Matcher) -> str | None:
    """Return what a user should know whose index has a model that it will not find by itself; None if it will."""
    if model.is_shipped or not isinstance(model, Model) or registered_with(model.fingerprint) is not None:
        return None
    return (
        f"Note: Register the model with `dedup models add {shlex.quote(str(model.directory))}`, and other commands "
        "find it by themselves; or name it in each of them with --model."
    )


def check_model_of(store: Store, model: Matcher) -> None:
    """Raise ``VersionMismatch`` if an index was made with another model than this one.

    Whether one that ships with neardup fits, which another version may have made, is left to the jobs: they compare
    the vectors.
    """
    found = remembered_model(store)
    if found is not None:
        if found.fingerprint != model.fingerprint:
            raise _other(model, f"model {found.name} ({found.fingerprint[:12]})", found.model_id)
    elif not model.is_shipped:
        vectors = model_of_vectors(store) or model.model_id
        shipped = dedup.model.load_model()
        if vectors != model.model_id or vectors == shipped.model_id:
            before = "the model that ships with neardup" if vectors == shipped.model_id else f"model {vectors[:12]}"
            raise _other(model, before, vectors)


def _model_of(store: Store, shipped: Callable[[], Matcher]) -> Matcher:
    """Return the model that a store was made with; raises ``VersionMismatch`` if it is not to be found."""
    found = remembered_model(store)
    if found is None:
        return shipped()
    registered = registered_with(found.fingerprint)
    model = shipped() if registered is None else _loaded(registered)
    if model.fingerprint == found.fingerprint:
        return model
    raise VersionMismatch(
        f"The index was made with model {found.name} ({found.fingerprint[:12]}), which is not registered here. "
        "Register it with `dedup models add DIR`, or name its directory with --model (model= in Python, or "
        f"{VARIABLE}). Back to the model that ships with neardup: `dedup index --model {SHIPPED}`."
    )


@cache
def _loaded(registered: Registered) -> Model:
    return registered.load()


def _other(model: Matcher, before: str, model_id: str) -> VersionMismatch:
    cost = (
        "which is done at once, for both have the same encoder"
        if model.model_id == model_id
        else "which encodes every text anew"
    )
    return VersionMismatch(
        f"The index was made with {before}, not with {model.name} ({model.fingerprint[:12]}). Leave out --model "
        f"(model= in Python, or {VARIABLE}) to use that one, or change the index with `dedup index --model "
        f"{_as_asked(model)}`, {cost}."
    )


def _as_asked(model: Matcher) -> str:
    """Return what ``--model`` would be for a model."""
    if model.is_shipped or not isinstance(model, Model):
        return model.name
    found = registered_with(model.fingerprint)
    return shlex.quote(str(model.directory) if found is None else found.full_name)
