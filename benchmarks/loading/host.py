"""What else the machine did meanwhile: the load averages, and how busy its processors were beyond this process."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

STAT: Final = Path("/proc/stat")
IDLE: Final = (3, 4)
"""Where Linux counts idle time and time that waits for a disk among a processor's times (proc_stat(5))."""


@dataclass(frozen=True, slots=True)
class Host:
    """A moment. None where the system does not tell."""

    load_average: float | None
    busy_s: float | None
    own_s: float
    at_s: float

    @classmethod
    def look(cls) -> Self:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        return cls(load, _busy_s(), time.process_time(), time.monotonic())

    def since(self, before: Host) -> dict[str, Any]:
        """Processors kept busy from `before` to now, by anybody and by this process, on average."""
        seconds = self.at_s - before.at_s
        busy = None if self.busy_s is None or before.busy_s is None else self.busy_s - before.busy_s
        return {
            "cpus": os.cpu_count(),
            "load_average_1m": [before.load_average, self.load_average],
            "busy_cpus": busy / seconds if busy is not None and seconds else None,
            "own_cpus": (self.own_s - before.own_s) / seconds if seconds else None,
        }


def _busy_s() -> float | None:
    try:
        fields = STAT.read_text().split("\n", 1)[0].split()
    except OSError:
        return None
    ticks = [int(each) for each in fields[1:9]]
    return (sum(ticks) - sum(ticks[place] for place in IDLE)) / os.sysconf("SC_CLK_TCK")
