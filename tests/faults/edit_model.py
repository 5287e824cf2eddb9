"""Edit the files of a model: each edit must be refused by name, or give a model that still works.

    python tests/faults/edit_model.py --count 600

Each case is one edit of one file: bytes, or a value of the JSON that becomes one of another type or size. In most cases
the hashes of the manifest are then made right again, so that the edited file is what is read. Case ``n`` depends only
on ``--seed`` and ``n``. A failure is any exception but ``VersionMismatch``, or a model whose vectors or probabilities
are not numbers of their range. One JSON line of totals is printed.
"""

import argparse
import hashlib
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from dedup.encoder.cosine import cosine
from dedup.errors import VersionMismatch
from dedup.model import FILES, load_model

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**63, 10**400, 0.5, -1e300, 1e300, "", "0.5", "a", [], [1], [[]], {}, {"a": 1}),
)
CONSTANTS = ("NaN", "Infinity", "-Infinity", "1e999", "[" * 5_000, "\ud800", '"\\ud800"', "9" * 5_000)
MARK = "\u2042"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to the values of a JSON document: all near the top, and the first of each long list."""
    found = [path]
    if isinstance(value, dict):
        for key in list(value)[:40]:
            found += places(value[key], (*path, key))
    elif isinstance(value, list):
        for at in range(min(2, len(value))):
            found += places(value[at], (*path, at))
    return found


def edited_json(document: Any, chance: random.Random) -> str:
    """Replace, remove or double one value of ``document``, which is changed."""
    path = chance.choice(places(document))
    if not path:
        return json.dumps(chance.choice(VALUES))
    parent = document
    for step in path[:-1]:
        parent = parent[step]
    match chance.randrange(5):
        case 0:
            del parent[path[-1]]
        case 1 if isinstance(parent, list):
            parent.append(parent[path[-1]])
        case 1:
            parent["another"] = parent[path[-1]]
        case 2:
            parent[path[-1]] = MARK
            return json.dumps(document, ensure_ascii=False).replace(f'"{MARK}"', chance.choice(CONSTANTS))
        case _:
            parent[path[-1]] = chance.choice(VALUES)
    return json.dumps(document)


def edited_bytes(content: bytes, chance: random.Random) -> bytes:
    """Cut, flip, blank, repeat or replace bytes."""
    at, length = chance.randrange(len(content)), chance.choice((1, 8, 400))
    match chance.randrange(6):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]
        case 2:
            return content[:at] + b"\0" * length + content[at + length :]
        case 3:
            return content[:at] + content[at : at + length] * 2 + content[at + length :]
        case 4:
            return content[:at] + content[at + length :]
        case _:
            return chance.choice((b"", b"\xff\xfe", b"PK\3\4", b"null", b"{}", b"[]", content[::-1]))


def edit(directory: Path, chance: random.Random) -> str:
    """Edit one file of the model in ``directory`` and return what was done."""
    name = chance.choice(("manifest.json", "manifest.json", *FILES))
    file = directory / name
    how = "gone" if chance.random() < 0.02 else "bytes" if name == "encoder.onnx" or chance.random() < 0.2 else "value"
    if how == "gone":
        file.unlink()
    elif how == "bytes":
        file.write_bytes(edited_bytes(file.read_bytes(), chance))
    else:
        file.write_bytes(edited_json(json.loads(file.read_bytes()), chance).encode("utf-8", "surrogatepass"))
    if name != "manifest.json" and how != "gone" and chance.random() < 0.9:
        manifest = json.loads((directory / "manifest.json").read_bytes())
        manifest["files"][name] = hashlib.sha256(file.read_bytes()).hexdigest()
        (directory / "manifest.json").write_text(json.dumps(manifest))
    return f"{name}: {how}"


def use(directory: Path, *, encoder: bool) -> None:
    """Load a model, encode (``encoder``) and compare; raise ``AssertionError`` for a result that cannot be."""
    model = load_model(directory)
    similarity = np.array([0.9], np.float32)
    if encoder:
        codes = model.encoder.encode(["acme holdings inc", "acme holding"])
        assert codes.shape == (2, model.dimension) and codes.dtype == np.int8
        similarity = cosine(codes[:1], codes[1:])
    assert len(model.model_id) == 64
    probability = model.explain("acme holdings inc", "acme holding", float(similarity[0])).probability
    compared = model.compare(["acme holdings inc"], ["acme holding"], similarity)
    assert 0 <= probability <= 1 and 0 <= compared[0] <= 1
    assert 0 <= model.default_probability <= 1 and -1 <= model.min_similarity <= 1 and 0 < model.candidate_share <= 1


def run(seed: int, count: int, source: Path) -> dict[str, Any]:
    """Play the cases; ``source`` is the model that is edited."""
    outcomes: Counter[str] = Counter()
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "model"
        for number in range(count):
            chance = random.Random(f"{seed}:{number}")
            shutil.copytree(source, copy, dirs_exist_ok=True)
            done = edit(copy, chance) if number else "nothing"  # the first case is the model itself
            try:
                use(copy, encoder=not done.startswith(("scorer", "rarity", "words")))
                outcomes["works"] += 1
                if done.endswith("gone"):
                    failures.append(f"{number}: {done}: was not missed")
            except VersionMismatch as error:
                outcomes["refused"] += 1
                if number == 0 or (str(copy) not in str(error) and "features" not in str(error)):
                    failures.append(f"{number}: {done}: {error}")
            except Exception as error:
                failures.append(f"{number}: {done}: {type(error).__name__}: {error}"[:300])
    return {"count": count, **outcomes, "failures": len(failures), "first": failures[:20]}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=600)
    asked = parser.parse_args()
    result = run(asked.seed, asked.count, load_model().directory)
    print(json.dumps(result))
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
