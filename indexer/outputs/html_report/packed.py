"""The clusters as the page carries them: JSON, compressed, in letters that mean nothing to HTML."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from indexer.outputs.html_report.contents import MAX_CLUSTERS, ClusterItem, Member
from indexer.outputs.invisible import INVISIBLE

_MAX_TEXT = 600
_MAX_CELL = 300
"""Characters of a text and of another cell that the page shows."""
_MAX_JSON = 24_000_000
"""Characters of JSON in a page that a browser on a small machine still opens."""
_GZIP = 16 + zlib.MAX_WBITS
_SURROGATES = "\ud800-\udfff"


def pack(clusters: Iterable[ClusterItem], columns: Sequence[str]) -> tuple[str, int]:
    """Return the clusters as base64 of gzip of JSON, and how many of them fitted.

    The object has ``columns``, ``hidden`` (a class of characters to be marked) and ``clusters``: each
    ``[id, weakest, size, change, members]``, ``weakest`` null if all records are exact duplicates; a member is
    ``[source, id, text, probability, exact, reasons, cells]``.
    """
    coder = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    head = {"columns": list(columns), "hidden": INVISIBLE.replace(_SURROGATES, "")}
    pieces = [coder.compress(f'{_json(head)[:-1]},"clusters":['.encode())]
    packed, room = 0, _MAX_JSON
    for cluster in islice(clusters, MAX_CLUSTERS):
        text = _json(_cluster(cluster))
        room -= len(text)
        if room < 0:
            break
        pieces.append(coder.compress(f"{',' if packed else ''}{text}".encode()))
        packed += 1
    pieces += coder.compress(b"]}"), coder.flush()
    return base64.b64encode(b"".join(pieces)).decode(), packed


def _cluster(cluster: ClusterItem) -> list[Any]:
    members = [_member(member) for member in cluster.members]
    return [cluster.cluster_id, _rounded(cluster.weakest), cluster.size, cluster.change, members]


def _member(one: Member) -> list[Any]:
    cells = [_cut(cell, _MAX_CELL) for cell in one.cells]
    own = (_cut(one.source, _MAX_CELL), _cut(one.id, _MAX_CELL), _cut(one.text, _MAX_TEXT))
    return [*own, _rounded(one.probability), int(one.exact), list(one.reasons), cells]


def _rounded(probability: float | None) -> float | None:
    return None if probability is None else round(probability, 4)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … and {len(text) - most:,} more characters"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
