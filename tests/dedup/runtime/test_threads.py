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
        monkeypatch.setenv(name, "1")  # so that it is as before when the test is over
        monkeypatch.delenv(name)
    return monkeypatch


def test_without_a_wish_every_usable_core_computes() -> None:
    threads.compute_with(None)
    assert threads.count() == threads.usable() <= len(os.sched_getaffinity(0))


def test_a_wish_counts_more_than_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OMP_NUM_THREADS", "3,1")
    assert threads.count() == 3
    threads.compute_with(5)
    assert threads.count() == 5


@pytest.mark.parametrize("value", ["", "none", "0", "-1"])
def test_an_environment_without_sense_is_passed_over(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("OMP_NUM_THREADS", value)
    assert threads.count() == threads.usable()


def test_one_core_of_several_is_one_thread() -> None:
    code = "import os; from dedup.runtime import threads; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])"
    code += "; print(threads.count())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"1\n"


def test_faiss_takes_the_figure() -> None:
    code = (
        "from dedup.runtime.threads import compute_with; compute_with(3); "
        "import faiss; print(faiss.omp_get_max_threads())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"3\n"


def test_the_number_of_threads_changes_no_answer() -> None:
    left = [f"acme {number} widgets of the north {'x' * (number % 50)}" for number in range(700)]
    right = [f"acne {number} widgets of north" for number in range(700)]
    found = []
    for number in (1, 2, 5):
        threads.compute_with(number)
        model = load_model()
        similarities = pair_similarities(model.encoder, left, right)
        found.append((similarities.tolist(), model.compare(left, right, similarities).tolist()))
    assert found[0] == found[1] == found[2]
