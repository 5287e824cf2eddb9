import os
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import active_children
from threading import Thread

import pytest

from dedup.errors import EnvironmentFault
from dedup.processes import Processes


def times(factor, number):
    return factor * number


def reciprocal(factor, number):
    return factor / number


def end_of_process(factor, number):
    os.kill(os.getpid(), signal.SIGKILL)


def interrupted(factor, number):
    signal.raise_signal(signal.SIGINT)
    return number


@pytest.fixture
def processes():
    processes = Processes(2, 10)
    yield processes
    processes.close()
    assert active_children() == []


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
    with pytest.raises(EnvironmentFault, match="code -9"):
        list(processes.map(end_of_process, [(1,), (2,)]))


def test_an_interrupt_of_the_terminal_is_left_to_the_program(processes):
    assert list(processes.map(interrupted, [(1,), (2,), (3,)])) == [1, 2, 3]


def test_processes_end_while_they_work(processes):
    results = processes.map(times, ((number,) for number in range(100)))
    assert next(results) == 0
    processes.close()
    assert active_children() == []


def test_processes_that_are_just_starting_end_too():
    processes = Processes(3, "x" * 1_000_000)

    def start():
        with suppress(EnvironmentFault, OSError):
            list(processes.map(times, [(1,)] * 3))

    thread = Thread(target=start)
    thread.start()
    while thread.is_alive():
        processes.close()
    processes.close()
    assert active_children() == []


def test_a_script_without_a_guard_is_told_so(tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from dedup.processes import Processes\nlist(Processes(2, 'x' * 1_000_000).map(len, [(1,), (2,)]))\n",
        encoding="utf-8",
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert "guard it with `if __name__ == '__main__':`" in ended.stderr
