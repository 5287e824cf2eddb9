import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from dedup.errors import EnvironmentFault
from dedup.runtime.processes import Processes


def children():
    """The process ids of the living children of this process."""
    tasks = Path("/proc/self/task").iterdir()
    return [pid for task in tasks for pid in (task / "children").read_text().split()]


def times(factor, number):
    return factor * number


def reciprocal(factor, number):
    return factor / number


def end_of_process(factor, number):
    os.kill(os.getpid(), signal.SIGKILL)


def interrupted(factor, number):
    signal.raise_signal(signal.SIGINT)
    return number


class Unsendable(Exception):
    """Cannot be pickled."""

    def __init__(self, number):
        super().__init__(f"{number} is no good")
        self.why = lambda: number


def unsendable_error(factor, number):
    raise Unsendable(number)


def unsendable_result(factor, number):
    return lambda: number


def variables_of_threads(factor, number):
    return [os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")]


class Seen:
    """Notes the threads of this process when it is unpickled, as what loads NumPy would."""

    def __init__(self, at_first=None):
        self.at_first = at_first

    def __reduce__(self):
        return noted_threads, ()


def noted_threads():
    return Seen(variables_of_threads(None, 0))


def at_first(seen, number):
    return seen.at_first


@pytest.fixture
def processes():
    before = children()
    processes = Processes(2, 10)
    yield processes
    processes.close()
    assert children() == before


def test_results_come_in_order(processes):
    assert list(processes.map(times, ((number,) for number in range(7)))) == [0, 10, 20, 30, 40, 50, 60]
    assert list(processes.map(times, [(1,)])) == [10]
    assert list(processes.map(times, [])) == []


def test_large_tasks_and_results_pass(processes):
    text = "x" * 1_000_000
    assert [len(result) for result in processes.map(times, [(text,)] * 5)] == [10_000_000] * 5


def test_an_error_arrives(processes):
    results = processes.map(reciprocal, [(5,), (0,), (2,)])
    assert next(results) == 2.0
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_process_that_was_ended_is_an_error_of_the_environment(processes):
    assert list(processes.map(times, [(1,), (2,)])) == [10, 20]
    with pytest.raises(EnvironmentFault, match="code -9"):
        list(processes.map(end_of_process, [(1,), (2,)]))


def test_each_process_computes_with_one_thread(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "3")
    processes = Processes(1, Seen())
    try:
        assert list(processes.map(variables_of_threads, [(1,)])) == [["1", "1"]]
        assert list(processes.map(at_first, [(1,)])) == [["1", "1"]]
    finally:
        processes.close()


@pytest.mark.parametrize(
    ("function", "what"), [(unsendable_error, r"Unsendable\('3 is no good'\)"), (unsendable_result, "pickle")]
)
def test_what_cannot_be_sent_is_named(processes, function, what):
    with pytest.raises(EnvironmentFault, match=what):
        list(processes.map(function, [(3,), (4,)]))


def test_an_interrupt_of_the_terminal_is_left_to_the_program(processes):
    assert list(processes.map(interrupted, [(1,), (2,), (3,)])) == [1, 2, 3]


def test_processes_end_while_they_work(processes):
    before = children()
    results = processes.map(times, ((number,) for number in range(100)))
    assert next(results) == 0
    processes.close()
    assert children() == before


def test_processes_that_are_just_starting_end_too():
    before = children()
    processes = Processes(3, "x" * 1_000_000)

    def start():
        with suppress(EnvironmentFault, OSError):
            list(processes.map(times, [(1,)] * 3))

    thread = Thread(target=start)
    thread.start()
    while thread.is_alive():
        processes.close()
    processes.close()
    assert children() == before


SCRIPT = (
    "from dedup.runtime.processes import Processes\n"
    "processes = Processes(2, 'x' * 1_000_000)\n"
    "print([len(part) for part in processes.map(str.replace, [('x', 'y'), ('x', '')])])\n"
)


def test_a_script_needs_no_guard(tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text(SCRIPT, encoding="utf-8")
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=True)
    assert ended.stdout == "[1000000, 0]\n"


def test_code_from_standard_input_as_in_a_notebook_works(tmp_path):
    ended = subprocess.run(
        [sys.executable], input=SCRIPT, capture_output=True, text=True, timeout=120, check=True, cwd=tmp_path
    )
    assert ended.stdout == "[1000000, 0]\n"


@pytest.mark.parametrize("name", ["signal", "pickle", "socket", "re", "json", "numpy", "dedup"])
def test_no_module_of_the_working_directory_is_imported(tmp_path, monkeypatch, processes, name):
    planted = tmp_path / f"{name}.py"
    planted.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert list(processes.map(times, [(1,), (2,)])) == [10, 20]
    assert not (tmp_path / "ran").exists()
