"""Whatever people say, and take back, clusters and pairs are those of a plain reference."""

from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from judgement_histories import LEAST, RECORDS, Probabilities, expected, history

from dedup.text.normalise import normalise
from indexer.jobs.duplicates import find_duplicates
from indexer.jobs.index import index_rows
from indexer.jobs.reviewing.judgement_table import Identity, Judgement, read_judgements, settled, write_judgements
from indexer.outputs.record_pairs import RecordPairs
from indexer.reading.open import Row

CASES = 500
SHARES = 10


def judgements_of(steps):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number, step in enumerate(steps):
        pair = tuple(Identity("crm", name) for name in step.pair)
        at = (start + timedelta(minutes=number)).isoformat(timespec="seconds")
        yield pair, None if step.verdict is None else Judgement(*pair, step.verdict, "ann", at)


def prepared(store, snapshots):
    rows = [Row(n, n, name, text, {}, [name, text]) for n, (name, text) in enumerate(RECORDS, 1)]
    index_rows(snapshots, Probabilities(0), "crm", rows, identity="column", mirror=False, on_reject=lambda reject: None)
    order = sorted(store.iter_records(), key=lambda record: (record.text_id, record.record_id))
    return {record.external_id: normalise(record.raw) for record in order}


def found_by(store, snapshots, model):
    found = find_duplicates(snapshots, model, min_probability=LEAST)
    records = list(store.iter_records())
    places = found.places_of(records)
    groups, of_place = {}, {}
    for record, place in zip(records, places, strict=True):
        groups.setdefault(int(found.near.clusters.labels[place]), []).append(record.external_id)
        of_place.setdefault(place, []).append(record.external_id)
    pairs = {frozenset(pair) for group in of_place.values() for pair in combinations(group, 2)}
    listed = RecordPairs(of_place, lambda name: "crm", 10**6)
    for one, other in found.near.pairs.tolist():
        pairs |= {frozenset(pair) for pair in listed.across(one, other)}
    return sorted(sorted(group) for group in groups.values() if len(group) > 1), pairs


def check(store, snapshots, normals, seed):
    told, model = history(seed), Probabilities(seed)
    for pair, judgement in judgements_of(told.steps):
        write_judgements(store, [] if judgement is None else [judgement], [pair])
    clusters, pairs = found_by(store, snapshots, model)
    outcome = expected(told, model, normals)
    assert clusters == outcome.clusters, told
    assert pairs == outcome.pairs, told
    conflicts = settled(read_judgements(store)).conflicts
    assert [(one.left_out.left.id, one.left_out.right.id) for one in conflicts] == outcome.left_out, told
    for conflict in conflicts:
        assert {conflict.chain[0], conflict.chain[-1]} == set(conflict.different.pair)
        words = {frozenset(one.pair) for one in read_judgements(store) if one.verdict == "same"}
        assert all(frozenset(link) in words for link in zip(conflict.chain, conflict.chain[1:], strict=False))
    write_judgements(store, [], [one.pair for one in read_judgements(store)])


@pytest.mark.parametrize("share", range(SHARES))
def test_random_histories(tmp_path, share):
    from indexer.store.workspace import Workspace
    from indexer.vectors.snapshot import Snapshots

    workspace = Workspace(tmp_path)
    with workspace.open(for_writing=True) as store:
        snapshots = Snapshots(store, workspace.snapshots)
        normals = prepared(store, snapshots)
        for seed in range(share, CASES, SHARES):
            check(store, snapshots, normals, seed)


def test_random_histories_on_both_databases(store, snapshots):
    normals = prepared(store, snapshots)
    for seed in range(CASES, CASES + 10):
        check(store, snapshots, normals, seed)
