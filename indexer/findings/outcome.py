"""What a report stores: clusters under stable ids, their members, and what changed since the last report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from dedup.clustering.cluster import Clusters
from dedup.clustering.stable_ids import Carried, Membership, carry_over
from indexer.findings.changes import Changes, CurrentRecords, changes_of_run
from indexer.findings.ledger import Ledger, Member, TextPairs, Weakest
from indexer.store.integrity.settings import next_id_key
from indexer.store.schema import record, run, source
from indexer.store.store import Ids, Store


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is stored and told of a report.

    Attributes:
        run_id: Its number.
        records_up_to: The next free record id.
        carried: Clusters under their ids.
        ids: The id of each cluster by its label.
        members: The members of clusters by record.
        weakest: The weakest pair in each cluster by its id.
        changes: What changed since the last report.
        sources: Names of the sources by key.

    """

    run_id: int
    records_up_to: int
    carried: Carried
    ids: dict[int, int]
    members: dict[int, Member]
    weakest: dict[int, Weakest]
    changes: Changes
    sources: dict[int, str]


def outcome_of(
    store: Store,
    ledger: Ledger,
    text_ids: Ids,
    clusters: Clusters,
    pairs: TextPairs,
    record_ids: Ids,
    counts: NDArray[np.int64],
    *,
    is_listed: NDArray[np.bool_],
    otherwise: str,
    has_fields: bool = False,
) -> Outcome:
    """Give clusters of texts their ids, and compare them and the near pairs with those of the last report.

    ``record_ids`` are those of all records, text by text, and ``counts`` (n,) their number for each of ``text_ids``, of
    which one may come several times, for each part of its records. Pairs are not new unless they are ``is_listed``.
    ``otherwise`` is the reason of a change that no row caused. With fields, a row with the same text can cause one.
    """
    places = np.repeat(np.arange(len(text_ids)), counts)
    order = np.argsort(record_ids)
    record_ids, places = record_ids[order], places[order]
    labels = clusters.labels[places]
    is_member = np.bincount(labels, minlength=len(text_ids))[labels] > 1
    now_ = Membership(record_ids[is_member], labels[is_member])
    carried = carry_over(ledger.membership(), now_, ledger.next_cluster_id)
    ids = dict(zip(now_.clusters.tolist(), carried.now.clusters.tolist(), strict=True))
    texts = text_ids[places[is_member]].tolist()
    details = _details(store, ledger, now_.members)
    if ledger.last is not None and has_fields:
        details |= _changed_since(store, ledger.last.run_id)
    members = {}
    for record_id, cluster_id, text_id in zip(now_.members.tolist(), carried.now.clusters.tolist(), texts, strict=True):
        known = ledger.members.get(record_id)
        source_id, external_id = known[3:] if known else details[record_id][:2]
        members[record_id] = (record_id, cluster_id, text_id, source_id, external_id)
    sources = {row[0]: row[1] for row in store.read(select(source.c.source_id, source.c.name))}
    changes = changes_of_run(
        *(ledger, members, carried.events, pairs, CurrentRecords(record_ids, details, sources)),
        is_listed=is_listed,
        otherwise=otherwise,
    )
    weakest = {id_: _weakest_of(label, clusters, text_ids) for label, id_ in ids.items()}
    last_run = store.read(select(run.c.run_id).order_by(run.c.run_id.desc()).limit(1))
    run_id = last_run[0][0] + 1 if last_run else 1
    records_up_to = int(store.required(next_id_key("record")))
    return Outcome(run_id, records_up_to, carried, ids, members, weakest, changes, sources)


def _weakest_of(label: int, clusters: Clusters, text_ids: Ids) -> Weakest:
    if label not in clusters.weakest:
        return 1.0, None, None
    one, other = clusters.weakest_pairs[label]
    return clusters.weakest[label], int(text_ids[one]), int(text_ids[other])


def _details(store: Store, ledger: Ledger, members: Ids) -> dict[int, tuple[int, str, int]]:
    """Return source key, external id and last run of the records that joined a cluster, or left all of them."""
    known = ledger.membership().members
    wanted = np.setxor1d(known, members, assume_unique=True)
    columns = record.c["record_id", "source_id", "external_id", "changed_by_run"]
    return {row[0]: row[1:] for row in store.find(columns, record.c.record_id, wanted)}


def _changed_since(store: Store, run_id: int) -> dict[int, tuple[int, str, int]]:
    """Return the same of the records that were added or changed after a run."""
    columns = record.c["record_id", "source_id", "external_id", "changed_by_run"]
    return {row[0]: tuple(row[1:]) for row in store.read(select(*columns).where(record.c.changed_by_run > run_id))}
