"""Independent pieces of work side by side in processes: whole pipelines, scenarios or seeds, never half a stream.

So the results are those of one process, in the order of the tasks. Each process starts anew and imports what it needs;
none outlives its parent.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process
from typing import TypeVar

from shared.errors import CrossoverError

T = TypeVar("T")


class JobLost(CrossoverError):
    """A process ended before its work did."""


def run(tasks: Sequence[Callable[[], T]], jobs: int) -> Iterator[T]:
    """The result of each task in turn, `jobs` tasks at a time; with one job, in this process.

    Where there are several, a task is a function of some module or a `functools.partial` of one. What a task raises is
    raised in its turn. Whoever stops reading, an interrupted user too, stops the tasks that still run.
    """
    if min(jobs, len(tasks)) < 2:
        yield from (task() for task in tasks)
        return
    others = set(active_children())
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), get_context("spawn"), initializer=_follow_parent)
    try:
        for future in [pool.submit(task) for task in tasks]:
            yield future.result()
    except BrokenProcessPool:
        raise JobLost("a process was ended before its work was (out of memory?); use fewer --jobs") from None
    finally:
        for process in set(active_children()) - others:
            process.terminate()
        # a result that a process was sending is cut off: with our end closed, its reader sees the end and does not wait
        pool._result_queue._writer.close()  # type: ignore[attr-defined]  # noqa: SLF001
        pool.shutdown(cancel_futures=True)


def _follow_parent() -> None:
    """Leave an interrupt to the parent, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)
