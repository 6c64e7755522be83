"""`crossover record`: make, continue or check a model's recording of a workload."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks import record
from benchmarks.progress import Progress
from benchmarks.quality import outcome
from benchmarks.systems import known_kind
from benchmarks.targets.builtin import open_backend, recording_path
from benchmarks.workloads.workload import BUILTIN, PARTS, SAMPLED_AT, SAMPLED_SEED, Part, Workload, load
from shared import clock
from shared.backends.recorded import RecordingWriter, read_recording
from shared.contract import Backend, Request
from shared.errors import BadInput


def run(
    place: str,
    folder: Path | None,
    part: Part | None,
    *,
    samples: int | None = None,
    tasks: Sequence[str] = (),
    parallel: int = 1,
    alone: bool = False,
    verify: int | None = None,
    seed: int = 7,
) -> int:
    """Record one part or both, or with `verify` ask so many recorded questions again, chosen by `seed`.

    What is trained on and what is judged on are two files, so that training never opens the answers it is judged by.
    `samples` answers a question, drawn at `SAMPLED_AT`, go into a third, over both parts; `tasks` chooses whose.
    Returns 1 where answers failed or disagree.
    """
    folder = folder or BUILTIN
    if not folder.is_dir() and (BUILTIN.parent / folder).is_dir():  # a workload of this repo, by its name
        folder = BUILTIN.parent / folder
    workload = load(folder)
    for task in tasks:
        if task not in workload.tasks:
            raise BadInput(f"{folder} has no task {task!r}; it has {', '.join(workload.tasks)}")
    if any(workload.scorer(item) == "outcome" for item in workload.items if not tasks or item.task in tasks):
        raise BadInput(outcome.UNGRADABLE)
    place = place if ":" in place else f"local:{place}"
    if place.startswith("recorded:"):
        raise BadInput("a recording cannot be recorded; name a model: local:NAME, litellm:NAME or http:URL#MODEL")
    try:
        known_kind(place)
    except ValueError as error:
        raise BadInput(f"--model: {error}") from None
    if alone and not place.startswith("local:"):
        raise BadInput("nobody here can tell what else a remote model is doing; leave --alone out")
    if samples and part:
        raise BadInput("samples are drawn for both parts; leave out --part or --samples")
    if samples:
        files = {"samples": _sampled(workload, samples, tasks)}
    else:
        files = {each: _greedy(workload, each, tasks) for each in ([part] if part else PARTS)}

    async def recorded() -> int:
        async with AsyncExitStack() as closing:
            backends = []
            for _ in range(parallel if verify is None else 1):
                backends.append(open_backend(place))
                closing.push_async_callback(backends[-1].aclose)
            codes = []
            for suffix, requests in files.items():
                if not requests:
                    raise BadInput(f"{folder} has no questions for {suffix}; nothing to record")
                file = recording_path(folder, backends[0].identity.model.replace("/", "--"), suffix)
                if file.with_suffix("").is_file():
                    file = file.with_suffix("")
                if verify is None:
                    local = place.startswith("local:")
                    codes.append(await _record(backends, requests, file, workload.name, local=local, alone=alone))
                else:
                    agreed = await record.verify(requests, backends[0], read_recording(file), verify, seed)
                    few = "" if agreed.asked == verify else f" ({verify} were wanted, no more are recorded)"
                    print(f"{file.name}: {agreed.same} of {agreed.asked} texts came out the same{few}")
                    codes.append(0 if agreed.same == agreed.asked else 1)
        return max(codes)

    return clock.run(recorded())


Questions = list[tuple[str, Request]]


def _greedy(workload: Workload, part: Part, tasks: Sequence[str]) -> Questions:
    return [
        (item.id, workload.request(item))
        for item in workload.items
        if item.split in PARTS[part] and (not tasks or item.task in tasks)
    ]


def _sampled(workload: Workload, samples: int, tasks: Sequence[str]) -> Questions:
    return [
        (item.id, workload.request(item, temperature=SAMPLED_AT, seed=SAMPLED_SEED, sample=sample))
        for item in workload.items
        if not tasks or item.task in tasks
        for sample in range(samples)
    ]


async def _record(
    backends: Sequence[Backend], requests: Questions, file: Path, workload: str, *, local: bool, alone: bool
) -> int:
    asked, name = requests[0][1].prompt(), backends[0].identity.model
    header = record.header(
        backends[0],
        workload,
        sampling={name: asked[name] for name in ("temperature", "top_p", "seed")},
        render=backends[0].identity.template.partition("-")[2] or "chat",
        settings={"threads": 1, "kept": "all but the last message"} if local else {},
        packages=["xllamacpp"] if local else [],
    )
    with RecordingWriter(file, header) as writer, Progress(name, len(requests)) as progress:
        done = await record.record(requests, backends, writer, only_alone=alone, local=local, progress=progress.at)
    print(
        f"{file}: {done.added} answers added, {done.kept} were there, {len(done.failed)} failed; "
        f"{done.timed} of {len(requests)} have seconds (given while nothing else was running here)"
    )
    for item_id, error in done.failed:
        print(f"  {item_id}: {error}", file=sys.stderr)
    return 1 if done.failed else 0
