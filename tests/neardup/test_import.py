"""``import neardup`` is cheap, complete and documented."""

import doctest
import importlib
import json
import subprocess
import sys

import pytest

import neardup

HEAVY = (
    "torch",
    "faiss",
    "onnxruntime",
    "sqlalchemy",
    "scipy",
    "rapidfuzz",
    "numpy",
    "rich",
    "typer",
    "pandas",
    "polars",
)
FUNCTIONS = ("Index", "compare", "compare_many", "deduplicate", "link", "load_model")


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import json, sys, neardup; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(json.loads(done.stdout)) & set(HEAVY)


def test_comparing_does_not_import_the_database_or_faiss() -> None:
    code = "import sys, neardup; neardup.load_model(); print('torch' in sys.modules, 'faiss' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


@pytest.mark.parametrize("name", neardup.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    found = getattr(neardup, name)
    assert name in dir(neardup)
    assert name == "__version__" or found.__doc__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'dedupe'"):
        _ = neardup.dedupe


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_examples_of_the_docstrings_run(name: str) -> None:
    found = getattr(neardup, name)
    tests = doctest.DocTestFinder(recurse=False).find(found, name, module=importlib.import_module(found.__module__))
    assert tests[0].examples
    for test in tests:
        result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)
        assert result.failed == 0


def test_every_error_is_of_one_tree() -> None:
    errors = [name for name in neardup.__all__ if isinstance(getattr(neardup, name), type)]
    ours = [getattr(neardup, name) for name in errors if issubclass(getattr(neardup, name), Exception)]
    assert len(ours) == 8
    assert all(issubclass(error, neardup.DedupError) for error in ours)
