import os
import signal
from multiprocessing import active_children

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
