"""What is wrong with the findings of reports; each statement sees one moment, so a report may be stored meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Select, and_, case, distinct, func, not_, or_, select

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
    for (cluster_id,) in store.read(_without_weakest()):
        yield f"The weakest pair of the cluster {cluster_id} is not of its texts."
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


def _without_weakest() -> Select[tuple[int]]:
    one, other, text_id = cluster.c.weakest_text_1, cluster.c.weakest_text_2, cluster_member.c.text_id
    found = func.count(distinct(case((text_id.in_([one, other]), text_id))))
    is_one_text = and_(one.is_(None), other.is_(None), func.count(distinct(text_id)) == 1)
    members = select(cluster.c.cluster_id).join_from(cluster, cluster_member).where(cluster.c.closed_by_run.is_(None))
    grouped = members.group_by(cluster.c.cluster_id, one, other)
    return grouped.having(not_(or_(is_one_text, found == case((one == other, 1), else_=2))))


def _badly_followed() -> Select[tuple[int]]:
    joined = select(cluster.c.cluster_id).join_from(cluster, _successor, cluster.c.successor == _successor.c.cluster_id)
    return joined.where(or_(_successor.c.closed_by_run.is_not(None), cluster.c.closed_by_run.is_(None)))
