"""Which records a deletion without ids means."""

from __future__ import annotations

from pathlib import Path

import pytest

import neardup


def test_an_empty_list_of_ids_deletes_nothing(directory: Path) -> None:
    with neardup.Index(directory) as index:
        index.add([{"id": 1, "name": "Acme Holdings Inc"}, {"id": 2, "name": "Zenith Bank"}], source="crm")
        assert index.delete([], source="crm") == 0
        assert index.delete(iter([]), source="crm") == 0
        assert index.delete([]) == 0
        assert index.status().records == 2
        with pytest.raises(neardup.UsageError, match="Say what to delete"):
            index.delete()
        assert index.delete(source="crm") == 2
