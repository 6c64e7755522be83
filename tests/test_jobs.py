"""Side by side in processes: the same results in the same order, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from benchmarks.jobs import JobLost, run
from shared.errors import BadInput

PROGRAM = """
import sys
from functools import partial
from pathlib import Path
from benchmarks.jobs import run
from tests.test_jobs import hang

if __name__ == "__main__":
    list(run([partial(hang, Path(sys.argv[1]) / str(n)) for n in range(2)], 2))
"""


def square(number: int) -> int:
    return number * number


def refuse(number: int) -> int:
    if number == 2:
        raise BadInput("two is refused")
    return number


def hang(file: Path) -> None:
    file.write_text(str(os.getpid()))
    time.sleep(60)


def die() -> int:
    os._exit(9)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_come_in_the_order_of_the_tasks(jobs: int) -> None:
    assert list(run([partial(square, number) for number in range(7)], jobs)) == [n * n for n in range(7)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_is_raised_in_its_turn(jobs: int) -> None:
    results = run([partial(refuse, number) for number in range(4)], jobs)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(BadInput, match="two is refused"):
        next(results)


def test_a_process_that_dies_is_an_error_and_no_hang() -> None:
    with pytest.raises(JobLost, match="fewer --jobs"):
        list(run([die, die], 2))


def test_who_stops_reading_in_the_middle_of_a_large_result_does_not_wait_for_ever() -> None:
    results = run([partial(bytes, 50_000_000)] * 6, 2)
    assert len(next(results)) == 50_000_000
    results.close()  # type: ignore[attr-defined]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_its_parent(tmp_path: Path, sent: signal.Signals) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    folder = tmp_path / "pids"
    folder.mkdir()
    child = subprocess.Popen([sys.executable, script, folder], stderr=subprocess.DEVNULL)
    while len(pids := [int(text) for file in folder.iterdir() if (text := file.read_text())]) < 2:
        time.sleep(0.02)
    child.send_signal(sent)
    assert child.wait(20) != 0
    until = time.monotonic() + 20
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(map(alive, pids))
