"""Link two sides, in memory or in an index: what ``neardup.link``, ``Index.link`` and the commands have in common."""

from __future__ import annotations

from collections.abc import Sequence

from dedup.errors import UsageError
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress
from indexer.findings.baseline import FieldBaseline, read_field_baseline
from indexer.ingest import id_types
from indexer.jobs.duplicates import encode_in_blocks
from indexer.jobs.fielding.slots import Slot, columns_with_fields, fields_of_store, kinds_of, slots_of
from indexer.jobs.link import LinkedFields, LinkedTexts, TextVectors, link_texts, link_vectors, texts_of_sources
from indexer.results.links import Links
from indexer.results.records import Rejected
from indexer.results.sides import Side, columns_of, fields_of_sides, items_of_sides, side_of_index
from indexer.store.corpus_words import model_with_corpus
from indexer.store.store import Store
from indexer.store.workspace import Workspace

_FILE = "\0left"
"""The left side as a source: no source of an index is called so."""


def link_sides(
    left: Side,
    right: Side,
    model: Matcher,
    *,
    min_probability: float,
    limit: int,
    progress: Progress,
    rejected: tuple[Sequence[Rejected], Sequence[Rejected]] = ((), ()),
) -> Links:
    """Link two sides in memory, as ``link_texts``; ``rejected`` are the rows of both that have no text."""
    fields = _fields({"left": left, "right": right}, slots_of({"left": left.fields, "right": right.fields}))
    linked = link_texts(
        *(list(left.groups), list(right.groups), model),
        min_probability=min_probability,
        limit=limit,
        fields=fields,
        progress=progress,
    )
    return _links(left, right, linked, min_probability, rejected, fields)


def link_to_index(
    workspace: Workspace,
    left: Side | Sequence[str],
    against: Sequence[str],
    model: Matcher,
    *,
    min_probability: float,
    limit: int,
    progress: Progress,
    rejected: Sequence[Rejected] = (),
) -> Links:
    """Link a side, or the records of these sources, with the records of other sources of an index.

    Fields of the index count. Of a side they are those that it names, else its columns with the name of a field; with
    the weights of the last report, or of what is linked before it.

    Stages reported to ``progress``: ``read vectors``, ``encode`` and those of ``link_vectors``.

    Raises:
        UsageError: nothing is indexed, there is no such source, or a source is on both sides.
        VersionMismatch: the index was made with another model.
    """
    if not isinstance(left, Side) and (both := sorted(set(left) & set(against))):
        raise UsageError(f"Source {both[0]!r} is on both sides; name two different sources.")
    with workspace.open(for_writing=False) as store:
        parsers = id_types.parsers(store)
        right_texts, groups = texts_of_sources(store, against, model, progress)
        right = side_of_index(right_texts.normals, groups, parsers)
        if isinstance(left, Side):
            normals = list(left.groups)
            left_texts = TextVectors(normals, encode_in_blocks(model, normals, progress))
        else:
            left_texts, groups = texts_of_sources(store, left, model, progress)
            left = side_of_index(left_texts.normals, groups, parsers)
        adapted, fields = model_with_corpus(store, model), _fields_with_index(store, left, right)
    linked = link_vectors(
        *(left_texts, right_texts, adapted),
        min_probability=min_probability,
        limit=limit,
        fields=fields,
        progress=progress,
    )
    return _links(left, right, linked, min_probability, (rejected, ()), fields)


def _fields_with_index(store: Store, left: Side, right: Side) -> LinkedFields | None:
    """Return the fields of two sides, of which one is or both are of an index, with the weights of its last report."""
    of_sources = fields_of_store(store)
    known = slots_of(of_sources)
    of_left = left.fields or columns_with_fields(known, columns_of(left))
    slots = slots_of({**of_sources, _FILE: of_left}) if of_left else known
    pinned = read_field_baseline(store)
    if pinned is not None and pinned.columns != kinds_of(slots):
        pinned = None
    return _fields({_FILE: left, "": right}, slots, pinned)


def _fields(sides: dict[str, Side], slots: Sequence[Slot], pinned: FieldBaseline | None = None) -> LinkedFields | None:
    if not slots:
        return None
    records = fields_of_sides(slots, sides, None if pinned is None else pinned.frequencies)
    return LinkedFields(records, None if pinned is None else pinned.model)


def _links(
    left: Side,
    right: Side,
    linked: LinkedTexts,
    min_probability: float,
    rejected: tuple[Sequence[Rejected], Sequence[Rejected]],
    fields: LinkedFields | None,
) -> Links:
    left_groups, right_groups = list(left.groups.values()), list(right.groups.values())
    if fields is not None:
        left_groups = right_groups = items_of_sides(fields.records, (left, right))
    return Links(
        left.records,
        right.records,
        tuple(rejected[0]),
        tuple(rejected[1]),
        min_probability,
        left_groups,
        right_groups,
        linked,
    )
