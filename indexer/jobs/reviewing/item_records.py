"""The records of items: texts, or parts of texts that fields or judgements take apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.store.store import Ids, Record, Store


@dataclass(frozen=True, slots=True)
class ItemRecords:
    """Reads the records of items, given the ids of all texts, the text id of each item, and items of further parts."""

    text_ids: Ids
    item_ids: Ids
    part_of: Mapping[int, int]

    def read(self, store: Store, items: Iterable[int]) -> dict[int, list[Record]]:
        """Return the records of these items in the order of ``record_id``; deleted ones are left out."""
        found: dict[int, list[Record]] = {}
        wanted = set(items)
        texts = store.records_of_texts({int(self.item_ids[item]) for item in wanted})
        for text_id, records in texts.items():
            place = int(np.searchsorted(self.text_ids, text_id))
            for record in records:
                item = self.part_of.get(record.record_id, place)
                if item in wanted:
                    found.setdefault(item, []).append(record)
        return found

    def counts(self, store: Store) -> NDArray[np.int64]:
        """Return the number of records of each item (n,)."""
        of_texts = store.records_per_text(self.text_ids)
        counts = np.zeros(len(self.item_ids), np.int64)
        counts[: len(of_texts)] = of_texts
        parts = np.fromiter(self.part_of.values(), np.int64, len(self.part_of))
        np.add.at(counts, parts, 1)
        places = np.searchsorted(self.text_ids, self.item_ids[parts])
        np.subtract.at(counts, places, 1)
        return counts
