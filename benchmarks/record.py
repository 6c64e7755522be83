"""Makes recordings: asks a model every question that its file does not answer yet, and watches how busy the machine is.

An answer's seconds mean something only where the model had the machine to itself. So while it runs, the time that other
processes get is measured: an answer keeps its seconds where one backend alone was asked and others kept less than
`ALONE_BELOW_CORES` busy on average over its stretch of `STRETCH` requests. The format is in
`shared/backends/recorded.py`; the weights, sampling and texts are whatever the backend's.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
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

from benchmarks.machine import cpu_name
from shared.backends.recorded import Header, Machine, RecordedModel, Recording, RecordingWriter, recording_key
from shared.contract import Backend, Completion, Request
from shared.errors import BackendError, BadInput

ALONE_BELOW_CORES: Final = 0.10
"""Other processes' share of one core below which a recording counts as made alone: a quiet system's own chores take
0.01 to 0.05, a second model takes 1."""
STRETCH: Final = 5
"""Requests between two looks at the load: so few that a short disturbance is not averaged away."""
PATIENCE: Final = 100
"""Times that a disturbed stretch is asked again before giving up."""
PROC_STAT: Final = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: answers it added, answers that were there before, answers in the file that have seconds, and
    questions that got none: (id, error)."""

    added: int
    kept: int
    timed: int
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
    settings: Mapping[str, JsonValue] | None = None,
    packages: Sequence[str] = (),
) -> Header:
    """What a new recording of `backend` on this machine says about itself. `packages` are those that shape answers."""
    identity = backend.identity
    return Header(
        schema="crossover-recording/1",
        model=RecordedModel(
            provider=identity.provider,
            name=identity.model,
            sha256=identity.version,
            base_url=identity.base_url,
            render=render,
        ),
        workload=workload,
        sampling=dict(sampling),
        settings={"alone_below_cores": ALONE_BELOW_CORES, **(settings or {})},
        machine=Machine(cpu=cpu_name(), cores=os.cpu_count() or 1, system=f"{platform.system()} {platform.machine()}"),
        packages={name: importlib.metadata.version(name) for name in packages},
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


async def record(
    requests: Sequence[tuple[str, Request]],
    backends: Sequence[Backend],
    writer: RecordingWriter,
    *,
    only_alone: bool = False,
    local: bool = True,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Outcome:
    """Ask whatever is not in the file yet, one question at a time of each backend; all are the same model.

    Questions that share what comes before their last message are asked in a row, since a backend may keep that. A
    question that fails is reported, not recorded. With `only_alone`, answers without seconds are asked again too, and
    so is a stretch during which others were busy; raises `BadInput` after `PATIENCE` times. The stretches then come
    in an order drawn by hash, so that a run that is broken off leaves seconds for a fair sample of the questions.
    Without `local` the model runs elsewhere, nobody here can tell what else it is doing, and no answer has seconds.
    """
    if only_alone and len(backends) > 1:
        raise BadInput("two answers at once are not alone on the machine; leave out --parallel or --alone")
    meter = LoadMeter()
    if only_alone and meter.cores() is None:
        raise BadInput(
            "this system does not tell how busy it is, so no answer can be known to be alone; leave --alone out"
        )
    there = writer.timed if only_alone else writer.keys
    distinct = {recording_key(request): (item_id, request) for item_id, request in reversed(requests)}
    left = [question for key, question in reversed(distinct.items()) if key not in there]
    left.sort(key=lambda each: [message.content for message in each[1].messages[:-1]])
    cut = [left[start : start + STRETCH] for start in range(0, len(left), STRETCH)]
    if only_alone:
        cut.sort(key=lambda stretch: hashlib.sha256(stretch[0][0].encode()).digest())
    stretches = iter(cut)
    kept, added, disturbed = len(requests) - len(left), 0, 0
    failed: list[tuple[str, str]] = []

    async def ask(backend: Backend, stretch: Sequence[tuple[str, Request]]) -> bool:
        """False where the stretch has to be asked again."""
        nonlocal added, disturbed
        answers: list[tuple[str, Completion, str]] = []
        refused: list[tuple[str, str]] = []
        try:
            for item_id, request in stretch:
                try:
                    answers.append((recording_key(request), await backend.complete(request), item_id))
                except BackendError as error:
                    refused.append((item_id, str(error)))
                progress(kept + added + len(failed) + len(answers) + len(refused), len(requests))
        finally:
            load = meter.cores()
            alone = local and len(backends) == 1 and load is not None and load < ALONE_BELOW_CORES
            if alone or not only_alone:
                for key, completion, item_id in answers:
                    writer.add(key, completion, item_id, alone=alone)
                added += len(answers)
        if only_alone and not alone:
            disturbed += 1
            if disturbed > PATIENCE:
                raise BadInput(f"other processes kept {load} cores busy; stop them and record again to go on")
            return False
        disturbed = 0
        failed.extend(refused)
        return True

    async def work(backend: Backend) -> None:
        for stretch in stretches:
            while not await ask(backend, stretch):
                pass

    try:
        async with asyncio.TaskGroup() as group:
            for backend in backends:
                group.create_task(work(backend))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    progress(len(requests), len(requests))
    timed = sum(recording_key(request) in writer.timed for _, request in requests)
    return Outcome(added, kept, timed, tuple(failed))


async def verify(
    requests: Sequence[tuple[str, Request]], backend: Backend, recording: Recording, n: int, seed: int
) -> Agreement:
    """Ask `n` recorded questions again, chosen by `seed`, and count the texts that come out the same.

    Raises `BadInput` where the recording is another model's, or has no answer to any of the questions.
    """
    model, identity = recording.header.model, backend.identity
    if (model.name, model.sha256) != (identity.model, identity.version):
        raise BadInput(
            f"the recording is of {model.name} with other weights than {identity.model} has here; record anew"
        )
    recorded = [request for _, request in requests if recording_key(request) in recording.rows]
    if not recorded:
        raise BadInput("the recording answers none of these questions: the workload has changed since; record anew")
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
