"""Makes recordings: asks a model every question that its file does not answer yet, and watches how busy the machine is.

A recording's seconds mean something only where the model had the machine to itself. So while it runs, the time that
other processes get is measured: `alone` is true where the backend answers one request at a time and others never kept
more than `ALONE_BELOW_CORES` busy on average over a stretch of `STRETCH` requests. The format is in
`shared/backends/recorded.py`; the weights, sampling and texts are whatever the backend's.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from shared.backends.recorded import Header, Machine, RecordedModel, Recording, RecordingWriter, recording_key
from shared.contract import Backend, Completion, Request
from shared.errors import BackendError, BadInput

ALONE_BELOW_CORES: Final = 0.10
"""Other processes' share of one core below which a recording counts as made alone: a quiet system's own chores take
0.01 to 0.05, a second model takes 1."""
STRETCH: Final = 5
"""Requests between two looks at the load: the worst stretch counts, so a short disturbance is not averaged away."""
PATIENCE: Final = 500
"""Disturbed stretches that are asked again before giving up."""
PROC_STAT: Final = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many answers a run added, how many were there before, and which questions got none: (id, error)."""

    added: int
    kept: int
    failed: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many recorded texts were asked again, and how many came out the same."""

    asked: int
    same: int


class LoadMeter:
    """How many cores other processes kept busy since the last look. Counts what a hypervisor takes away as well."""

    def __init__(self) -> None:
        self._seen = _others_cpu_s(), time.monotonic()

    def cores(self) -> float | None:
        """None where the system does not tell."""
        (before, since), (spent, now) = self._seen, (_others_cpu_s(), time.monotonic())
        self._seen = spent, now
        if before is None or spent is None or now <= since:
            return None
        return max(0.0, (spent - before) / (now - since))


def header(
    backend: Backend,
    workload: str,
    *,
    sampling: Mapping[str, JsonValue],
    render: str = "chat",
    slots: int = 1,
    threads: int = 1,
    packages: Sequence[str] = (),
) -> Header:
    """What a new recording of `backend` on this machine says about itself. `packages` are those that shape answers."""
    identity = backend.identity
    return Header(
        schema="crossover-recording/1",
        model=RecordedModel(provider=identity.provider, name=identity.model, sha256=identity.version, render=render),
        workload=workload,
        sampling=dict(sampling),
        settings={"slots": slots, "threads": threads, "cache_prompt": False},
        machine=Machine(cpu=_cpu(), cores=os.cpu_count() or 1, system=f"{platform.system()} {platform.machine()}"),
        packages={name: importlib.metadata.version(name) for name in packages},
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


async def record(
    requests: Sequence[tuple[str, Request]],
    backend: Backend,
    writer: RecordingWriter,
    *,
    slots: int = 1,
    only_alone: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Outcome:
    """Ask, one after the other, whatever is not in the file yet. A question that fails is reported, not recorded.

    `slots` is what the backend was made with: with more than one, times are never those of a model alone. With
    `only_alone` a stretch during which others were busy is asked again; raises `BadInput` after `PATIENCE` of those.
    """
    kept = sum(recording_key(request) in writer.keys for _, request in requests)
    left = [(item_id, request) for item_id, request in requests if recording_key(request) not in writer.keys]
    added, disturbed = 0, 0
    failed: list[tuple[str, str]] = []
    meter = LoadMeter()
    while left:
        stretch: list[tuple[str, str, Completion]] = []
        refused: list[tuple[str, str]] = []
        try:
            for item_id, request in left[:STRETCH]:
                progress(kept + added + len(failed) + len(stretch) + len(refused), len(requests))
                try:
                    stretch.append((item_id, recording_key(request), await backend.complete(request)))
                except BackendError as error:
                    refused.append((item_id, str(error)))
                    continue
                if not only_alone:
                    writer.add(stretch[-1][1], stretch[-1][2], item_id)
        finally:
            load = meter.cores()
            alone = slots == 1 and load is not None and load < ALONE_BELOW_CORES
            if stretch and not only_alone:
                writer.note_load(load, alone=alone)
        if only_alone and not alone:
            disturbed += 1
            if disturbed > PATIENCE:
                raise BadInput(f"other processes kept {load} cores busy; stop them and record again to go on")
            continue
        if only_alone:
            for item_id, key, completion in stretch:
                writer.add(key, completion, item_id)
            if stretch:
                writer.note_load(load, alone=alone)
        left, added, failed = left[STRETCH:], added + len(stretch), failed + refused
    progress(len(requests), len(requests))
    return Outcome(added, kept, tuple(failed))


async def verify(
    requests: Sequence[tuple[str, Request]], backend: Backend, recording: Recording, n: int, seed: int
) -> Agreement:
    """Ask `n` recorded questions again, chosen by `seed`, and count the texts that come out the same."""
    recorded = [request for _, request in requests if recording_key(request) in recording.rows]
    chosen = random.Random(seed).sample(recorded, min(n, len(recorded)))  # noqa: S311 - a sample, not a secret
    same = 0
    for request in chosen:
        completion = await backend.complete(request)
        same += completion.text == recording.rows[recording_key(request)].text
    return Agreement(len(chosen), same)


def _others_cpu_s() -> float | None:
    """CPU seconds since boot that were neither idle nor this process's; None where the system does not tell."""
    try:
        fields = [int(field) for field in PROC_STAT.read_text().splitlines()[0].split()[1:]]
        ticks_s = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq + steal) / ticks_s - time.process_time()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
