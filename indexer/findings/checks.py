"""What is wrong with the findings of reports; each statement sees one moment, so a report may be stored meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Select, func, or_, select

from dedup.errors import CorruptStore
from indexer.findings.baseline import read_baseline
from indexer.store.schema import cluster, cluster_member, near_pair
from indexer.store.store import Store

_successor = cluster.alias()


def faults_of_findings(store: Store, model_id: str, dimension: int) -> Iterator[str]:
    """Describe what contradicts itself in pairs, clusters and the baseline, given the vectors' model and dimension."""
    for one, other in store.read(_swapped()):
        yield f"The near pair of the texts {one} and {other} is in the wrong order."
    for record_id, cluster_id in store.read(_in_closed()):
        yield f"Record {record_id} is in the cluster {cluster_id}, which is closed."
    for (cluster_id,) in store.read(_too_small()):
        yield f"The cluster {cluster_id} is open, but has fewer than two members."
    for (cluster_id,) in store.read(_badly_followed()):
        yield f"The successor of the cluster {cluster_id} is closed, or the cluster is not."
    try:
        read_baseline(store, model_id, dimension)
    except CorruptStore as error:
        yield str(error)


def _swapped() -> Select[tuple[int, int]]:
    one, other = near_pair.c.text_id_1, near_pair.c.text_id_2
    return select(one, other).where(one >= other)


def _in_closed() -> Select[tuple[int, int]]:
    columns = select(cluster_member.c.record_id, cluster_member.c.cluster_id)
    return columns.join_from(cluster_member, cluster).where(cluster.c.closed_by_run.is_not(None))


def _too_small() -> Select[tuple[int]]:
    members = select(cluster.c.cluster_id).outerjoin_from(cluster, cluster_member)
    is_open = members.where(cluster.c.closed_by_run.is_(None))
    return is_open.group_by(cluster.c.cluster_id).having(func.count(cluster_member.c.record_id) < 2)


def _badly_followed() -> Select[tuple[int]]:
    joined = select(cluster.c.cluster_id).join_from(cluster, _successor, cluster.c.successor == _successor.c.cluster_id)
    return joined.where(or_(_successor.c.closed_by_run.is_not(None), cluster.c.closed_by_run.is_(None)))
