"""Chaos on PostgreSQL: small jobs under faults of the server and of the connection, each exactly once.

    python tests/faults/chaos.py --rounds 1000 --seed 1 --output chaos.json
    python tests/faults/chaos.py --controls 20

A round is one job on a store of known content, struck by one kind of fault at a seeded place; it is begun again
until it is done. Then records, texts, vectors, accounts, runs and the snapshot must be what a plain model says,
and after each attempt that gave up, what it says of the batches that are accounted for. A round counts only if
its fault came to pass. ``--controls`` breaks the program on purpose: rounds must fail then. Exit code 1 if a
round fails, or if a control does not.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chaos_bench import DATABASE, Bench
from chaos_faults import FAULTS, Fault
from chaos_jobs import JOBS, Job, is_noted_as_done, judge, known_content, make_job, small_batches
from chaos_sabotage import SABOTAGES, Sabotage
from server import running_server

from dedup.errors import EnvironmentFault, WriterBusy

MOST_ATTEMPTS = 200
PROBLEMS = ("lost", "duplicated", "accounts", "runs", "vectors", "snapshot", "error")


@dataclass(slots=True)
class Round:
    """What became of one round; ``problems`` by kind, ``gave_up`` names the errors that ended its attempts."""

    kind: str
    job: str
    seed: str
    fired: bool = False
    retries: int = 0
    gave_up: list[str] = field(default_factory=list)
    problems: dict[str, int] = field(default_factory=dict)
    detail: str = ""


def play(bench: Bench, kind: str, seed: str) -> Round:
    """Play one round."""
    rng = random.Random(f"{kind} {seed}")
    content = known_content(rng)
    job = make_job(rng.choice(JOBS), rng, content)
    after_run = bench.reset(content)
    bench.fresh_watch()
    fault = FAULTS[kind](bench, rng, bench.sizes[job.kind])
    played = Round(kind, job.kind, seed)
    bench.retry_pauses_s = fault.pauses
    _play(bench, job, fault, played, after_run)
    return played


def _play(bench: Bench, job: Job, fault: Fault, played: Round, after_run: int) -> None:
    """Let a fault strike a job, have it done all the same, and note in ``played`` what came of it."""
    fault.arm()
    problems: Counter[str] = Counter()
    try:
        result = _attempt(bench, job, played)
        bench.watch.disarm()
        bench.proxy.cuts.clear()
        fault.release()
        played.fired = fault.has_fired()
        while result is None and len(played.gave_up) < MOST_ATTEMPTS:
            bench.settle()
            problems += _judge(bench, job, after_run, played, done=False)
            with bench.session() as session:
                is_done = job.kind != "publish" and is_noted_as_done(session, after_run)
            result = job.result if is_done else _attempt(bench, job, played)
        bench.settle()
        problems += _judge(bench, job, after_run, played, done=True)
        problems["accounts"] += result != job.result
    except Exception:  # whatever it is: the round failed, and the next one can be played
        fault.release()
        problems["error"] += 1
        played.fired = True
        played.detail = traceback.format_exc()
    played.retries = bench.watch.retries
    played.problems = dict(+problems)


def _attempt(bench: Bench, job: Job, played: Round) -> Any:
    """Return what the job returned, None if it gave up as it may."""
    try:
        return bench.run(job)
    except (EnvironmentFault, WriterBusy) as error:
        played.gave_up.append(type(error).__name__)
        if isinstance(error, WriterBusy):
            time.sleep(0.02)
        return None


def _judge(bench: Bench, job: Job, after_run: int, played: Round, *, done: bool) -> Counter[str]:
    attempts = len(played.gave_up) + done
    with bench.session() as session:
        return judge(session, job, after_run=after_run, done=done, attempts=attempts, places=bench.places)


@contextmanager
def bench_at_work() -> Iterator[Bench]:
    """Start a server and measure every job once."""
    with ExitStack() as stack:
        stack.enter_context(small_batches())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nd-chaos-")))
        bench = Bench(stack.enter_context(running_server()), directory)
        stack.enter_context(bench.watching())
        for kind in JOBS:
            rng = random.Random(kind)
            content = known_content(rng)
            bench.reset(content)
            bench.fresh_watch()
            bench.measure(make_job(kind, rng, content))
        yield bench


def play_all(bench: Bench, kinds: Sequence[str], rounds: int, seed: str, *, tell: bool = False) -> list[Round]:
    """Play until so many rounds count, the kinds of faults in turn; those that do not count are returned too."""
    played: list[Round] = []
    counted = 0
    for number in range(10 * rounds):
        if counted >= rounds:
            break
        played.append(play(bench, kinds[number % len(kinds)], f"{seed}-{number}"))
        counted += played[-1].fired
        if tell and (played[-1].problems or counted % 50 == 0):
            last = played[-1]
            print(
                f"{counted}/{rounds} {last.kind} {last.job} {last.seed} {last.problems}\n{last.detail}", file=sys.stderr
            )
    return played


def table(played: Sequence[Round]) -> list[str]:
    """Return one line for each kind of fault."""
    columns = ("counted", "missed", "retries", "reruns", *PROBLEMS)
    lines = [f"{'fault':<28}" + "".join(f"{name:>11}" for name in columns)]
    kinds = dict.fromkeys(one.kind for one in played)
    for name in (*kinds, "all"):
        group = [one for one in played if name in (one.kind, "all")]
        counted = [one for one in group if one.fired]
        numbers = [
            len(counted),
            len(group) - len(counted),
            sum(one.retries for one in group),
            sum(len(one.gave_up) for one in group),
            *(sum(one.problems.get(problem, 0) for one in group) for problem in PROBLEMS),
        ]
        lines.append(f"{name:<28}" + "".join(f"{number:>11,}" for number in numbers))
    return lines


def control(bench: Bench, sabotage: Sabotage, rounds: int, seed: str) -> list[Round]:
    """Play rounds with the program broken on purpose."""
    with sabotage.at_work():
        return play_all(bench, sabotage.kinds, rounds, seed)


def main() -> int:
    """Play what the command line asks for; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", nargs="*", default=list(FAULTS), metavar="KIND")
    parser.add_argument("--controls", type=int, metavar="ROUNDS", help="break the program, for so many rounds each")
    parser.add_argument("--output", type=Path, metavar="JSON")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    with bench_at_work() as bench:
        if options.controls:
            outcomes = {name: control(bench, s, options.controls, options.seed) for name, s in SABOTAGES.items()}
            failed = {name: sum(bool(one.problems) for one in played) for name, played in outcomes.items()}
            for name, played in outcomes.items():
                kinds = sum((Counter(one.problems) for one in played), Counter())
                print(f"{name:<40}{failed[name]:>4} of {len(played)} rounds failed  {dict(kinds)}")
            is_right = all(failed.values())
            report: Any = failed
        else:
            version = bench.server.execute("SHOW server_version", database=DATABASE)[0][0]
            began = time.monotonic()
            played = play_all(bench, options.only, options.rounds, options.seed, tell=True)
            print(f"PostgreSQL {version}, seed {options.seed}, {time.monotonic() - began:.0f} s")
            print("\n".join(table(played)))
            is_right = not any(one.problems for one in played)
            report = [asdict(one) for one in played]
    if options.output:
        options.output.write_text(json.dumps(report, indent=1))
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
