"""Link two sides, in memory or in an index: what ``neardup.link``, ``Index.link`` and the commands have in common."""

from __future__ import annotations

from collections.abc import Sequence

from dedup.errors import UsageError
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress
from indexer.ingest import id_types
from indexer.jobs.duplicates import encode_in_blocks
from indexer.jobs.link import LinkedTexts, TextVectors, link_texts, link_vectors, texts_of_sources
from indexer.results.links import Links
from indexer.results.records import Rejected
from indexer.results.sides import Side, side_of_index
from indexer.store.corpus_words import model_with_corpus
from indexer.store.workspace import Workspace


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
    linked = link_texts(
        list(left.groups), list(right.groups), model, min_probability=min_probability, limit=limit, progress=progress
    )
    return _links(left, right, linked, min_probability, rejected)


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
        adapted = model_with_corpus(store, model)
    linked = link_vectors(
        left_texts, right_texts, adapted, min_probability=min_probability, limit=limit, progress=progress
    )
    return _links(left, right, linked, min_probability, (rejected, ()))


def _links(
    left: Side,
    right: Side,
    linked: LinkedTexts,
    min_probability: float,
    rejected: tuple[Sequence[Rejected], Sequence[Rejected]],
) -> Links:
    return Links(
        left.records,
        right.records,
        tuple(rejected[0]),
        tuple(rejected[1]),
        min_probability,
        list(left.groups.values()),
        list(right.groups.values()),
        linked,
    )
