"""The number of threads: how it is set, and that libraries use it."""

import os
import subprocess
import sys

import pytest

from dedup.encoder.onnx import pair_similarities
from dedup.model import load_model
from dedup.runtime import threads


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # so that monkeypatch restores it after the test
        monkeypatch.delenv(name)
    return monkeypatch


def test_by_default_all_usable_cores_are_used() -> None:
    threads.compute_with(None)
    assert threads.count() == threads.usable() <= len(os.sched_getaffinity(0))


def test_the_argument_overrides_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OMP_NUM_THREADS", "3,1")
    assert threads.count() == 3
    threads.compute_with(5)
    assert threads.count() == 5


def test_the_number_is_bounded_by_the_cores(environment: pytest.MonkeyPatch) -> None:
    threads.compute_with(100_000)
    assert threads.count() == 8 * threads.usable()
    environment.setenv("OMP_NUM_THREADS", "99999999999999999999")
    assert threads.count() == 8 * threads.usable()


@pytest.mark.parametrize("value", ["", "none", "0", "-1", "1.5", "½"])
def test_an_invalid_environment_is_ignored(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("OMP_NUM_THREADS", value)
    assert threads.count() == threads.usable()


def test_the_cpu_affinity_is_respected() -> None:
    code = "import os; from dedup.runtime import threads; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])"
    code += "; print(threads.count())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"1\n"


def test_faiss_uses_the_number() -> None:
    code = (
        "from dedup.runtime.threads import compute_with; compute_with(3); "
        "import faiss; print(faiss.omp_get_max_threads())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"3\n"


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    left = [f"acme {number} widgets of the north {'x' * (number % 50)}" for number in range(700)]
    right = [f"acne {number} widgets of north" for number in range(700)]
    found = []
    for number in (1, 2, 5):
        threads.compute_with(number)
        model = load_model()
        similarities = pair_similarities(model.encoder, left, right)
        found.append((similarities.tolist(), model.compare(left, right, similarities).tolist()))
    assert found[0] == found[1] == found[2]
