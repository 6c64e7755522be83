"""`crossover record`: make, continue or check a model's recording of a workload."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import record
from benchmarks.progress import Progress
from benchmarks.targets.builtin import open_backend, recording_path
from benchmarks.workloads.workload import BUILTIN, PARTS, Part, load
from shared import clock
from shared.backends.recorded import RecordingWriter, read_recording
from shared.contract import Backend
from shared.errors import BadInput


def run(place: str, folder: Path | None, part: Part, *, alone: bool, verify: int | None, seed: int) -> int:
    """Record, or with `verify` ask so many recorded questions again. Returns 1 where answers failed or disagree.

    What is trained on and what is judged on are two files, so that training never opens the answers it is judged by.
    """
    folder = folder or BUILTIN
    if not folder.is_dir() and (BUILTIN.parent / folder).is_dir():  # a workload of this repo, by its name
        folder = BUILTIN.parent / folder
    workload = load(folder)
    place = place if ":" in place else f"local:{place}"
    if place.startswith("recorded:"):
        raise BadInput("a recording cannot be recorded; name a model: local:NAME, litellm:NAME or http:URL#MODEL")
    requests = [(item.id, workload.request(item)) for item in workload.items if item.split in PARTS[part]]
    backend = open_backend(place)
    name = backend.identity.model.replace("/", "--")
    file = recording_path(folder, name, part)

    async def recorded() -> int:
        packages = ["xllamacpp"] if place.startswith("local:") else []
        asked = requests[0][1].prompt()
        header = record.header(
            backend,
            workload.name,
            sampling={name: asked[name] for name in ("temperature", "top_p", "seed")},
            render=_render(backend),
            packages=packages,
        )
        try:
            with RecordingWriter(file, header) as writer, Progress(name, len(requests)) as progress:
                done = await record.record(requests, backend, writer, only_alone=alone, progress=progress.at)
                load, timed = writer.header.other_load, writer.header.alone
        finally:
            await backend.aclose()
        print(f"{file}: {done.added} answers added, {done.kept} were there, {len(done.failed)} failed")
        print(f"alone on the machine: {timed}; others kept at most {load} cores busy")
        for item_id, error in done.failed:
            print(f"  {item_id}: {error}", file=sys.stderr)
        return 1 if done.failed else 0

    async def verified(count: int) -> int:
        try:
            agreed = await record.verify(requests, backend, read_recording(file), count, seed)
        finally:
            await backend.aclose()
        print(f"{name}: {agreed.same} of {agreed.asked} texts came out the same")
        return 0 if agreed.same == agreed.asked else 1

    return clock.run(recorded() if verify is None else verified(verify))


def _render(backend: Backend) -> str:
    return backend.identity.template.partition("-")[2] or "chat"
