"""Whatever is loaded, a store holds what plain dictionaries hold."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loading import Load, normals, row

from dedup.errors import InputRefused
from dedup.text.normalise import normalise
from indexer.ingest import load as ingest_module
from indexer.ingest.intake import Identity
from indexer.store import engines
from indexer.store.runs import Accounts
from indexer.store.workspace import Workspace

names = st.sampled_from(["Acme", "ACME", "acme!", "Beta", "Beta Ltd", "Gamma", "", "?", "株式会社", "3M"])
files = st.lists(st.tuples(st.sampled_from("abcde"), names, st.sampled_from(["", "Oslo"])), max_size=8)


class Model:
    """What a store should hold, in plain dictionaries."""

    def __init__(self) -> None:
        self.by_id: dict[str, tuple[str, str]] = {}
        self.by_content: Counter[tuple[str, str]] = Counter()

    def load(self, identity: Identity, file: list[tuple[str, str, str]]) -> Accounts | None:
        """Return the expected summary; None if the file is refused."""
        sound = [entry for entry in file if normalise(entry[1])]
        if identity == "column":
            accepted: dict[str, tuple[str, str]] = {}
            for identifier, raw, city in sound:
                accepted.setdefault(identifier, (raw, city))
            before, after = self.by_id, {**self.by_id, **accepted}
            added = len(after) - len(before)
            changed = sum(before.get(key, value) != value for key, value in accepted.items())
            removed, n_accepted = 0, len(accepted)
        else:
            content = Counter((raw, city) for _, raw, city in sound)
            added, changed = (content - self.by_content).total(), 0
            removed, n_accepted = (self.by_content - content).total(), content.total()
            if not file and removed:
                return None
        if file and not n_accepted:
            return None
        if identity == "column":
            self.by_id = after
        else:
            self.by_content = content
        unchanged = n_accepted - added - changed
        return Accounts(len(file), len(file) - n_accepted, added, changed, unchanged, removed)

    def rows(self) -> Counter[tuple[str, str]]:
        return Counter(self.by_id.values()) + self.by_content


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    loads=st.lists(st.tuples(st.sampled_from(["column", "content"]), files), min_size=1, max_size=5),
    page=st.integers(1, 4),
)
def test_store_equals_the_model(
    new_database: Callable[[], str],
    tmp_path: Path,
    loads: list[tuple[Identity, list[tuple[str, str, str]]]],
    page: int,
) -> None:
    model = Model()
    workspace = Workspace(tmp_path / uuid.uuid4().hex, new_database())
    with pytest.MonkeyPatch.context() as patch, workspace.open(for_writing=True) as store:
        patch.setattr(ingest_module, "PAGE", page)
        patch.setattr(engines, "PAGE", page)
        for identity, file in loads:
            rows = [row(i, key, raw, city=city) for i, (key, raw, city) in enumerate(file, 1)]
            expected = model.load(identity, file)
            if expected is None:
                with pytest.raises(InputRefused):
                    Load(store, rows, identity, source=identity, batch_rows=page, removal_rows=page)
            else:
                load = Load(store, rows, identity, source=identity, batch_rows=page, removal_rows=page)
                assert load.summary == expected
            records = list(store.iter_records())
            assert Counter((r.raw, r.fields["city"]) for r in records) == model.rows()
            assert normals(store) == sorted({normalise(raw) for raw, _ in model.rows()})
            texts = store.normals({r.text_id for r in records})
            assert all(texts[r.text_id] == normalise(r.raw) for r in records)
            assert {r.external_id: (r.raw, r.fields["city"]) for r in records if r.source == "column"} == (model.by_id)
