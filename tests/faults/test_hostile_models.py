"""Archives and directories that claim to be models: whatever they hold, nothing is written elsewhere or registered.

Each case is one that an archive may not have, in each kind of archive and at each place; others must be registered.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import dedup.model
from dedup.errors import InputRefused
from dedup.model import FILES, MANIFEST
from indexer.models.registry import add_model, registered_models

KINDS = ("zip", "tar", "tar.gz")
Entry = tuple[str, bytes, str]
"""A path, a content, and what it is: ``file``, ``symlink``, ``hardlink``, ``fifo``, ``device``."""

MODEL: list[Entry] = [(name, b"{}", "file") for name in (MANIFEST, *FILES)]
LEADING_ELSEWHERE = (
    *("../evil.json", "../../evil.json", "a/../../evil.json", "/evil.json", "//evil.json", "./../evil.json"),
    *(
        "..\\evil.json",
        "C:\\evil.json",
        "C:evil.json",
        "\\\\host\\evil.json",
        "a\\..\\b.json",
        "a/b/../../../evil.json",
    ),
    *("/etc/passwd", "/tmp/evil.onnx", "../.ssh/authorized_keys", "x\n.json", "x\x1b[2J.json", "../encoder.onnx"),
    *("../manifest.json", "/manifest.json", "training/../../evil.pt", "__MACOSX/../../evil"),
)
PICKLES = (
    *("model.pkl", "model.pickle", "weights.pt", "weights.pth", "weights.bin", "scaler.joblib", "data.npy", "w.npz"),
    *("encoder.onnx.data", "encoder.onnx_data", "extra.onnx", "evil.py", "run.sh", "lib.so", "model.h5", "a/b.pkl"),
    *("scorer.json.pkl", "MANIFEST.JSON", "manifest.json.bak", "checkpoint.pth", "weights.safetensors", "x" * 200),
)
LINKS = ("symlink", "hardlink", "fifo", "device")
LINKED = ("encoder.onnx", "scorer.json", MANIFEST, "training/checkpoint.pt", "README.md", "extra")
LEFT_OUT = (
    *("training/checkpoint.pt", "training/metrics.jsonl", "checkpoint.pt", "README.md", "LICENSE", ".DS_Store"),
    *("__MACOSX/._manifest.json", "notes.txt", ".git/config", "registered.json", "training/a/b/manifest.json"),
)


def hostile() -> Iterator[tuple[str, list[Entry]]]:
    """Yield what must be refused."""
    for path, root in product(LEADING_ELSEWHERE, ("", "model/")):
        yield f"path {path!r} {root}", [*_under(root), (path, b"x", "file")]
        yield f"first path {path!r} {root}", [(path, b"x", "file"), *_under(root)]
        yield f"inside {path!r} {root}", [*_under(root), (f"{root}{path.lstrip('/')}", b"x", "file")]
    for name, root in product(PICKLES, ("", "model/", "a/b/")):
        yield f"file {name!r} {root}", [*_under(root), (f"{root}{name}", pickle.dumps([1]), "file")]
    for kind, name, root in product(LINKS, LINKED, ("", "model/")):
        kept = [entry for entry in _under(root) if entry[0] != f"{root}{name}"]
        yield f"{kind} {name} {root}", [*kept, (f"{root}{name}", b"/etc/passwd", kind)]
    for root in ("", "model/"):
        for name in (MANIFEST, *FILES):
            yield f"without {name} {root}", [entry for entry in _under(root) if entry[0] != f"{root}{name}"]
        yield f"two models {root}", [*_under(root), *_under("other/")]
        yield f"huge manifest {root}", [(f"{root}{MANIFEST}", b" " * (2 << 20), "file"), *_under(root)[1:]]
        yield f"twice {root}", [*_under(root), (f"{root}scorer.json", b"{}", "file")]
        yield f"many {root}", [*_under(root), *((f"{root}training/{number}", b"", "file") for number in range(10_001))]
    yield "nothing", []


def harmless() -> Iterator[tuple[str, list[Entry]]]:
    """Yield what must be registered."""
    for root in ("", "./", "model/", "a/b/c/"):
        yield f"plain {root}", _under(root)
        for name in LEFT_OUT:
            yield f"with {name} {root}", [*_under(root), (f"{root}{name}", pickle.dumps([1]), "file")]


def _under(root: str) -> list[Entry]:
    return [(f"{root}{name}", content, kind) for name, content, kind in MODEL]


def is_possible(kind: str, entries: list[Entry]) -> bool:
    """Tell whether a kind of archive can have such entries; a tar of a path with a NUL or without links cannot."""
    return kind != "zip" or all(entry[2] in ("file", "symlink") for entry in entries)


def write_archive(path: Path, kind: str, entries: list[Entry]) -> None:
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content, what in entries:
                info = zipfile.ZipInfo("x")
                info.filename = name  # as it is: the class would mend it
                info.external_attr = (0o120777 if what == "symlink" else 0o100644) << 16
                archive.writestr(info, content)
        return
    types = {
        "symlink": tarfile.SYMTYPE,
        "hardlink": tarfile.LNKTYPE,
        "fifo": tarfile.FIFOTYPE,
        "device": tarfile.CHRTYPE,
    }
    with (
        tarfile.open(path, "w:gz" if kind == "tar.gz" else "w", compresslevel=1)
        if kind == "tar.gz"
        else tarfile.open(path, "w") as tar
    ):
        for name, content, what in entries:
            member = tarfile.TarInfo(name)
            if what == "file":
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = types[what], content.decode()
                tar.addfile(member)


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The registry, and a loader of models that does not look at what it loads."""

    def load(directory: Path) -> Any:
        assert sorted(path.name for path in directory.iterdir()) == sorted((MANIFEST, *FILES))
        return SimpleNamespace(encoder=None, head=None, kinds=(), fingerprint="0123456789abcdef" * 4)

    monkeypatch.setattr(dedup.model, "load_model", load)
    monkeypatch.setenv("DEDUP_MODELS", str(tmp_path / "registry"))
    return tmp_path


def found_in(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def test_hostile_archives_are_refused_and_write_nothing(quick: Path) -> None:
    cases = [(kind, *case) for kind in KINDS for case in hostile() if is_possible(kind, case[1])]
    assert len(cases) >= 500
    archive, failures = quick / "archive", []
    for kind, what, entries in cases:
        write_archive(archive, kind, entries)
        before = found_in(quick)
        try:
            add_model(archive, "name")
            failures.append((kind, what, "registered"))
        except InputRefused as error:
            if error.code != "E_MODEL" or str(archive) not in str(error):
                failures.append((kind, what, str(error)))
        if [name for name in found_in(quick) if name not in (*before, "registry")]:
            failures.append((kind, what, "files were left"))
    assert failures == []
    assert registered_models() == []


def test_archives_of_models_are_registered(quick: Path) -> None:
    for kind, (what, entries) in product(KINDS, harmless()):
        write_archive(quick / "archive", kind, entries)
        found, is_new = add_model(quick / "archive", "name")
        assert is_new, (kind, what)
        names = sorted(path.name for path in found.directory.iterdir())
        assert names == sorted((MANIFEST, "registered.json", *FILES)), (kind, what)
        for path in found.directory.iterdir():
            path.unlink()
        found.directory.rmdir()


def test_a_damaged_archive_is_refused(quick: Path) -> None:
    for kind in KINDS:
        write_archive(quick / "archive", kind, _under("model/"))
        content = (quick / "archive").read_bytes()
        for damaged in (
            b"",
            content[:40],
            content[: len(content.rstrip(b"\0")) // 2],  # a tar ends with many zeros
            b"PK" + content[2:60],
            b"\x1f\x8b" + b"\0" * 50,
        ):
            (quick / "archive").write_bytes(damaged)
            with pytest.raises(InputRefused) as refused:
                add_model(quick / "archive", "name")
            assert refused.value.code == "E_MODEL"


def test_a_size_that_an_archive_claims_is_not_believed(quick: Path) -> None:
    """A header of tar with 3 GiB of weights, and one with a comment of 1 GiB that would be read into memory."""
    for name, kind in (("encoder.onnx", tarfile.REGTYPE), ("comment", tarfile.XHDTYPE)):
        member = tarfile.TarInfo(name)
        member.type, member.size = kind, 3 << 30
        rest = b"".join(_header(entry) for entry in MODEL if entry[0] != name)
        (quick / "archive").write_bytes(rest + member.tobuf(tarfile.GNU_FORMAT))
        with pytest.raises(InputRefused):
            add_model(quick / "archive", "name")
    assert registered_models() == []


def _header(entry: Entry) -> bytes:
    member = tarfile.TarInfo(entry[0])
    member.size = len(entry[1])
    return member.tobuf(tarfile.GNU_FORMAT) + entry[1].ljust(512, b"\0")
