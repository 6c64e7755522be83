"""The seconds of direct's answers at any pace, its queue at the hardware run anew.

Requests come when they came, whatever the pace. Each call waits for the first of c servers, in the order in which calls
come, and is then served for its seconds alone divided by the speed: Kiefer and Wolfowitz' recursion over the times at
which servers are free (Transactions of the American Mathematical Society 78, 1955). What else an answer took, before
its calls and after them, stays as it was.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from benchmarks.cost.uncertain import Array
from benchmarks.rows import CALLS, Row
from shared.hardware.pace import Pace


class Queue:
    """The calls of all `rows`, whose due times are known, in the order in which they come.

    The calls of one answer are taken to begin independently of one another, as votes do. The answers are those numbered
    in `wanted`, whose groups of questions `groups` are. A call whose tokens are not known takes no server, and its
    seconds stay as they were. Nothing is refused.
    """

    def __init__(self, rows: Sequence[Row], wanted: Sequence[int], pace: Pace, groups: Array) -> None:
        self.groups = groups
        self._capacity = pace.capacity
        place = {number: index for index, number in enumerate(wanted)}
        self._wanted = len(wanted)
        self._due_s = np.zeros(len(wanted) + 1)  # the last is for all that is not wanted
        self._after_s = np.zeros(len(wanted) + 1)
        calls: list[tuple[float, float, int]] = []
        for row in rows:
            index = place.get(row.asked.number, self._wanted)
            latency_s = row.latency_s or 0.0
            late_s = 0.0 if row.since_scheduled_s is None else row.since_scheduled_s - latency_s
            asked_s = (row.scheduled_s or 0.0) + late_s
            last_s = 0.0
            for step in row.steps or ():
                if step.kind not in CALLS or step.completion is None:
                    continue
                usage = step.completion.usage
                if usage.input_tokens is not None and usage.output_tokens is not None:
                    alone_s = pace.seconds(usage.input_tokens, usage.output_tokens)
                    calls.append((asked_s + step.start_s, alone_s, index))
                    last_s = max(last_s, step.start_s + (step.completion.seconds or 0.0))
            self._due_s[index], self._after_s[index] = asked_s, latency_s - last_s
        self._calls = sorted(calls, key=lambda call: call[0])  # of two at once the earlier request goes first

    def at(self, speed: float) -> Array:
        """Seconds of each wanted answer at so many times the pace, in their order."""
        done_s = self._due_s.copy()
        free_s = [0.0] * min(self._capacity or 0, len(self._calls))
        for came_s, alone_s, index in self._calls:
            took_s = alone_s / speed
            if self._capacity is None:
                end_s = came_s + took_s
            else:
                end_s = max(came_s, free_s[0]) + took_s
                heapq.heapreplace(free_s, end_s)
            done_s[index] = max(done_s[index], end_s)
        seconds: Array = (done_s - self._due_s + self._after_s)[: self._wanted]
        return seconds
