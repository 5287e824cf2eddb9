"""Judgements as labelled pairs to train on: the texts of now, without what contradicts other judgements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dedup.errors import InputRefused
from dedup.evaluation.pair_set import PairSet
from dedup.text.corpus import Corpus
from dedup.text.normalise import normalise
from indexer.jobs.reviewing.judgement_table import SAME, UNSURE, read_judgements, settled, texts_of
from indexer.store.corpus_words import corpus_of
from indexer.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class JudgedTexts:
    """Pairs of normal forms that people judged, and what the texts of the index say about names."""

    pairs: PairSet
    corpus: Corpus | None


def judged_texts(workspace: Workspace, needed: int, notify: Callable[[str], None]) -> JudgedTexts:
    """Return what people judged the same or different; each pair of texts counts once for each verdict.

    Left out, and told to ``notify``: judgements that contradict others, of equal texts (a scorer is not asked about
    them), and of records that are no longer in the index.

    Raises:
        UsageError: nothing is indexed.
        InputRefused: fewer than ``needed`` pairs were judged the same, or different.
    """
    with workspace.open(for_writing=False) as store:
        judgements = read_judgements(store)
        contradicting = {conflict.left_out.pair for conflict in settled(judgements).conflicts}
        told = [one for one in judgements if one.verdict != UNSURE]
        kept = [one for one in told if one.pair not in contradicting]
        texts = texts_of(store, {identity for one in kept for identity in one.pair})
        corpus = corpus_of(store)
    found: dict[tuple[str, str, float], None] = {}
    gone = equal = 0
    for one in kept:
        if one.left not in texts or one.right not in texts:
            gone += 1
            continue
        left, right = sorted(normalise(texts[identity]) for identity in one.pair)
        if left == right:
            equal += 1
        else:
            found[left, right, float(one.verdict == SAME)] = None
    left_out = {"contradict others": len(told) - len(kept), "are of records no longer indexed": gone,
                "are of equal texts": equal}  # fmt: skip
    if any(left_out.values()):
        reasons = ", ".join(f"{count:,} {why}" for why, count in left_out.items() if count)
        notify(f"Of {len(told):,} judgements, these are left out: {reasons}.")
    pairs = PairSet([one[0] for one in found], [one[1] for one in found], np.array([one[2] for one in found]))
    _check(pairs, needed)
    return JudgedTexts(pairs, corpus)


def _check(pairs: PairSet, needed: int) -> None:
    """Refuse too few pairs of a kind, and say how many more are needed."""
    counts = {"the same": int(pairs.positive.sum()), "different": int((~pairs.positive).sum())}
    missing = [f"{needed - count} more of {kind} texts" for kind, count in counts.items() if count < needed]
    if missing:
        has = " and ".join(f"{count:,} pairs of texts judged {kind}" for kind, count in counts.items())
        raise InputRefused(
            f"There are {has}; a scorer needs {needed} of each: judge {' and '.join(missing)}, with `dedup review` or "
            "`dedup judgements --import`.",
            "E_LABELS",
        )
