"""The layout that a newcomer relies on: features live where one would look, and no room is too large."""

from __future__ import annotations

import ast
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import pytest
from paths import ROOT

PACKAGES = ("neardup", "dedup", "indexer", "cli")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 50
MAX_MODULES_IN_A_FOLDER = 12

FEATURES = {
    "legal forms such as S.A. de C.V. are recognised": ("dedup.text.legal_forms", "split_legal_forms"),
    "spellings that count as exactly equal": ("dedup.text.normalise", "normalise"),
    "places and abbreviations": ("dedup.text.gazetteer", "places"),
    "how much a shared word counts": ("dedup.text.word_weights", "InverseDocumentFrequency"),
    "X doing business as Y is two names": ("dedup.text.names", "take_apart"),
    "numbers that differ speak against a pair": ("dedup.evidence.qualifiers", "numbers_differ_label"),
    "Jaro-Winkler and edit distances": ("dedup.evidence.spelling", "JaroWinkler"),
    "evidence to a calibrated probability": ("dedup.evidence.scorer", "Scorer"),
    "the lines that explain a probability": ("dedup.evidence.explain", "explain"),
    "the ONNX model makes vectors": ("dedup.encoder.onnx", "OnnxEncoder"),
    "pairs are ruled out by an upper bound": ("dedup.matching.probability_bounds", "ProbabilityBounds"),
    "average linkage": ("dedup.clustering.linkage", "link"),
    "B-cubed F1": ("dedup.evaluation.measures", "b_cubed"),
    "the training loop": ("dedup.training.loop", "train_encoder"),
    "worker processes": ("dedup.runtime.processes", "Processes"),
    "the delimiter of a CSV file": ("indexer.reading.formats.dialect", "detect"),
    "the column that holds the name": ("indexer.reading.columns", "Columns"),
    "rejected rows": ("indexer.reading.rejects", "RejectsFile"),
    "the guard against formulas in cells": ("indexer.outputs.csv", "safe_cell"),
    "the page of a report": ("indexer.outputs.html_report.write", "write_page"),
    "what each threshold would find": ("indexer.jobs.reporting.thresholds", "preview"),
    "a second writer is refused": ("indexer.store.lock", "file_lock"),
    "the tables of the database": ("indexer.store.schema", "record"),
    "the FAISS snapshot": ("indexer.vectors.snapshot", "Snapshots"),
    "add, query and verify from Python": ("indexer.api", "Index"),
    "one list is linked to another": ("indexer.jobs.link", "link_texts"),
    "what people judged holds in clusters": ("dedup.clustering.constraints", "Constraints"),
    "pairs to ask people about": ("indexer.jobs.reviewing.candidates", "find_candidates"),
    "the record of a cluster to keep": ("indexer.jobs.reporting.cluster_facts", "Keep"),
    "exit codes": ("cli.exit_codes", "exit_code"),
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_is_where_a_newcomer_looks(feature: str) -> None:
    module, symbol = FEATURES[feature]
    assert hasattr(import_module(module), symbol)


def test_no_module_is_too_long() -> None:
    long = {name_of(path): n for path in MODULES if (n := len(path.read_text("utf-8").splitlines())) > MAX_MODULE_LINES}
    assert long == {}


def test_no_function_is_too_long() -> None:
    long = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.body[0].lineno + 1  # its signature may list many options
                if lines > MAX_FUNCTION_LINES:
                    long[f"{name_of(path)}.{node.name}"] = lines
    assert long == {}


def test_no_folder_holds_too_many_modules() -> None:
    counts: defaultdict[str, int] = defaultdict(int)
    for path in MODULES:
        counts[str(path.parent.relative_to(ROOT))] += path.stem != "__init__"
    assert {folder: n for folder, n in counts.items() if n > MAX_MODULES_IN_A_FOLDER} == {}


def test_only_a_command_and_its_job_share_a_name() -> None:
    named: defaultdict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        if path.stem != "__init__" and path.parent != ROOT / "cli" / "commands":
            named[path.stem].append(name_of(path))
    assert {stem: modules for stem, modules in named.items() if len(modules) > 1} == {}


def imports_of(path: Path) -> set[str]:
    """The modules of ours that a module imports when it is loaded."""
    known = {name_of(module) for module in MODULES}
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:  # not in functions, and not for type checkers alone
        if isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names} & known
            found |= full or ({node.module} & known)
    return found - {name_of(path)}


def test_no_imports_go_in_a_circle() -> None:
    graph = {name_of(path): imports_of(path) for path in MODULES}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"{' -> '.join(trail)} -> {module}"
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())
