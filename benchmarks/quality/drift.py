"""`crossover drift`: quality while traffic, models and the world change, in virtual time, with recorded answers.

Three pipelines answer the same requests: the legacy pipeline as shipped (`careful`), the same with the habits of
`typical.py` and a classifier trained once (`typical`), and the direct one. All parts are the real ones; only time and
the models are played. Next: `timeline.py` (what happens), `drift_figures.py` (what is made of the answers).
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from benchmarks.progress import Progress
from benchmarks.quality import drift_figures, drift_table
from benchmarks.quality.detector import Watch, adwin
from benchmarks.quality.drift_figures import Hit, Served
from benchmarks.quality.score import score
from benchmarks.quality.timeline import Event, Firmware, Idle, Mixture, Plan, Retire, Upgrade, plan
from benchmarks.quality.typical import TypicalCache
from benchmarks.targets.builtin import artefact_file, recording_file
from benchmarks.workloads.workload import Item
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline.app import build
from legacy_pipeline.cache import AnswerCache
from legacy_pipeline.classifier import Classifier
from legacy_pipeline.pipeline import LegacyPipeline
from legacy_pipeline.settings import Settings
from legacy_pipeline.train import Outcome, train
from shared import clock
from shared.backends.recorded import RecordedBackend, Recording, read_recording, recording_key
from shared.contract import Pipeline, Request
from shared.errors import BadInput, CrossoverError
from shared.files import make_writable, replacing
from shared.run import answer
from shared.steps import Background, Step

HOUR_S: Final = 3600.0
STAGES: Final = ("cache", "small", "large")
"""Kinds of steps that give an answer."""


def run(file: Path | None, *, seed: int | None = None, as_json: bool = False, out: Path | None = None) -> int:
    """Play a timeline, print what came of it, and write `drift.json` to `out`. Raises `BadInput`."""
    chosen = plan(file, seed=seed)
    if out:
        if (out / "drift.json").is_dir():
            raise BadInput(f"{out / 'drift.json'} is a directory; remove it, or name another --out")
        make_writable(out)
    document = play(chosen)
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    if out:
        with replacing(out / "drift.json") as target:
            target.write(text.encode())
    print(text if as_json else drift_table.table(document), end="")
    return 0


def play(chosen: Plan) -> dict[str, Any]:
    """The document of a timeline: the same for the same timeline, workload, recordings and seed."""
    with tempfile.TemporaryDirectory(prefix="crossover-") as scratch:
        stage = Stage(chosen, Path(scratch))
        served = clock.run(stage.play(), virtual=True)
    drops = {arm: watch.drops if watch.detector else None for arm, watch in stage.watches.items()}
    return drift_figures.document(chosen, served, stage.monitored, drops, stage.notes)


@dataclass(slots=True)
class Origin:
    """Where a stored answer comes from: for which question, by which recording, at what virtual second."""

    item: Item
    request: Request
    role: str
    answered_by: str
    at_s: float


@dataclass(slots=True, eq=False)
class Preset:
    """One legacy pipeline, and what the harness knows about what it has stored."""

    name: str
    pipeline: LegacyPipeline
    classifier: Classifier | None
    origins: dict[str, Origin] = field(default_factory=dict)
    routes: dict[str, tuple[bool, float | None]] = field(default_factory=dict)
    """By item: whether the classifier in force sends it to the small model, and the gain it predicts."""


class Stage:
    """Everything that is played: the models, the three pipelines, and who watches them."""

    def __init__(self, chosen: Plan, scratch: Path) -> None:
        timeline = chosen.timeline
        self.plan, self._scratch = chosen, scratch
        self.named = {role: str(getattr(timeline, role)) for role in ("small", "large", "direct")}
        self.answering = dict(self.named)
        self.watches = {arm: Watch(adwin()) for arm in drift_figures.ARMS}
        self.notes: list[str] = []
        self._versions = {scope: chosen.versions(scope) for scope in Mixture.at(chosen, 1).newer}
        self._requests = {item.id: chosen.workload.request(item) for item in chosen.items}
        self._keys = {name: recording_key(request) for name, request in self._requests.items()}
        self._scores: dict[tuple[str, str], float] = {}
        self._classifiers: dict[tuple[str, str], Classifier | None] = {}
        self._background = Background()
        self._numbers = count()

    async def play(self) -> list[Served]:
        """Every request of every epoch, answered by all three."""
        timeline, served = self.plan.timeline, list[Served]()
        self._open()
        try:
            with Progress("requests", timeline.epochs * timeline.requests) as progress:
                for epoch in range(1, timeline.epochs + 1):
                    for event in timeline.at(epoch):
                        await self._happen(event)
                    for watch in self.watches.values():
                        watch.epoch()
                    rng = random.Random(f"{timeline.seed}/{epoch}")  # noqa: S311
                    for item in rng.choices(self.plan.items, self.plan.weights(epoch), k=timeline.requests):
                        await asyncio.sleep(timeline.epoch_hours * HOUR_S / timeline.requests)
                        served.append(await self._serve(epoch, item))
                        progress.step()
        finally:
            await self.careful.pipeline.aclose()
            await self.typical.pipeline.aclose()
        return served

    async def _happen(self, event: Event) -> None:
        """What an event does beside changing what is asked, which is `Mixture`'s."""
        if isinstance(event, Idle):
            await asyncio.sleep(event.hours * HOUR_S)
        elif isinstance(event, Upgrade):
            self.named["small"] = self.answering["small"] = event.small
            await self._reopen()
        elif isinstance(event, Firmware):
            self.named["direct"] = self.answering["direct"] = event.direct
            self.direct = DirectPipeline(self._backend("direct"))
        elif isinstance(event, Retire):
            self.answering[event.role] = event.answers
            if event.role == "direct":
                self.direct = DirectPipeline(self._backend("direct"))
            else:
                await self._reopen()

    def _open(self) -> None:
        timeline = self.plan.timeline
        self._settings = Settings(cache_ttl_s=timeline.careful_ttl_hours * HOUR_S)
        self.first = self._classifier()
        """Trained before the first epoch: typical's for ever, and the yardstick of how the questions change."""
        self.careful = Preset("careful", self._careful(), self.first)
        cache = TypicalCache(self._scratch / "typical", timeline.typical_ttl_hours * HOUR_S)
        self.typical = Preset("typical", self._typical(cache), self.first)
        self.direct = DirectPipeline(self._backend("direct"))
        requests = [self._requests[item.id] for item in self.plan.items]
        judged = [self.first.judge(request).gain for request in requests] if self.first else None
        lengths = [float(len(request.messages[-1].content)) for request in requests]
        self.monitored = {"predicted_gain": judged, "prompt_length": lengths}
        """What an input monitor sees of each question; None: nothing."""

    async def _reopen(self) -> None:
        """Careful starts again with a classifier for the models it knows of; typical gets the new models, no more."""
        await self.careful.pipeline.aclose()
        self.careful.pipeline, self.careful.classifier = self._careful(), self._classifier()
        self.typical.pipeline = self._typical(self.typical.pipeline.cache)
        for preset in (self.careful, self.typical):
            preset.routes.clear()

    def _careful(self) -> LegacyPipeline:
        backends = self._backend("small"), self._backend("large")
        return build(self._scratch / "careful", self._classifier(), *backends, self._settings)

    def _typical(self, cache: AnswerCache) -> LegacyPipeline:
        return LegacyPipeline(cache, self.first, self._backend("small"), self._backend("large"), self._settings)

    def _backend(self, role: str) -> RecordedBackend:
        """The model in a role: its name and weights as it says, the answers of whoever gives them."""
        recordings = self.plan.recordings
        said, given = recordings[self.named[role]], recordings[self.answering[role]]
        return RecordedBackend(Recording(said.header, given.rows))

    def _classifier(self) -> Classifier | None:
        """The classifier for the small and the large model, as far as anybody was told which they are."""
        pair = self.named["small"], self.named["large"]
        if pair not in self._classifiers:
            self._classifiers[pair], note = classifier_of(self.plan, *pair)
            self.notes += [note] if note else []
        return self._classifiers[pair]

    async def _serve(self, epoch: int, item: Item) -> Served:
        request, number = self._requests[item.id], next(self._numbers)
        large = self._graded("large", item)
        text, _ = await self._ask(self.direct, request)
        scores, hits = {"direct": self._score(item, text)}, dict[str, Hit | None]()
        no_cache, stages = dict[str, float](), dict[str, str]()
        for preset in (self.careful, self.typical):
            text, steps = await self._ask(preset.pipeline, request)
            scores[preset.name] = self._score(item, text)
            hits[preset.name] = self._hit(preset, item, steps)
            stages[preset.name] = next(
                (step.kind for step in steps if step.outcome == "ok" and step.kind in STAGES), ""
            )
            if item.id not in preset.routes:
                route, judge = await preset.pipeline.cascade.route(request), preset.classifier
                preset.routes[item.id] = route.small, judge.judge(request).gain if judge else None
            small = preset.routes[item.id][0] and bool(self._text("small", item).strip())
            no_cache[preset.name] = self._graded("small", item) if small else large
        for arm, watch in self.watches.items():
            watch.feed(number, item.group, scores[arm])
        gains = {preset.name: preset.routes[item.id][1] for preset in (self.careful, self.typical)}
        true_gain = large - self._graded("small", item)
        return Served(number, epoch, item, scores, no_cache, large, hits, stages, gains, true_gain)

    def _hit(self, preset: Preset, item: Item, steps: Sequence[Step]) -> Hit | None:
        """Whose answer came out of the cache, if any did; keeps the books on what went into it."""
        request, found = self._requests[item.id], {step.kind: step for step in steps if step.outcome == "ok"}
        key = preset.pipeline.cache.key(request)
        if "cache" in found:
            origin = preset.origins[key]
            return Hit(self._kind(origin, item), clock.now() - origin.at_s)
        if "store" in found and not found["store"].detail:
            role = "small" if "small" in found else "large"
            preset.origins[key] = Origin(item, request, role, self.answering[role], clock.now())
        return None

    def _kind(self, origin: Origin, item: Item) -> drift_figures.Kind:
        if origin.request != self._requests[item.id]:
            older = any(self._older(scope, origin.item, item) for scope in self._versions)
            return "older_policy" if older else "other_question"
        return "same" if origin.answered_by == self.answering[origin.role] else "former_model"

    def _older(self, scope: str, stored: Item, asked: Item) -> bool:
        """Whether two questions are alike but for a version that has passed."""
        found = self._versions[scope]
        if stored.id not in found or asked.id not in found or found[stored.id] >= found[asked.id]:
            return False
        sides = [(each.task, each.input, each.history, {**each.scope, scope: ""}) for each in (stored, asked)]
        return sides[0] == sides[1]

    async def _ask(self, pipeline: Pipeline, request: Request) -> tuple[str | None, Sequence[Step]]:
        try:
            got = await answer(pipeline, request, self._background)
            text, steps = got.text, got.steps
        except CrossoverError as error:
            text, steps = None, error.steps
        await self._background.drain()
        return text, steps

    def _text(self, role: str, item: Item) -> str:
        return self.plan.recordings[self.answering[role]].rows[self._keys[item.id]].text

    def _graded(self, role: str, item: Item) -> float:
        """The score of whoever answers in a role now."""
        return self._score(item, self._text(role, item))

    def _score(self, item: Item, text: str | None) -> float:
        """No answer scores 0, and so does a blank one, which no pipeline passes on."""
        if text is None or not text.strip():
            return 0.0
        key = item.id, text
        if key not in self._scores:
            self._scores[key] = score(text, item, self.plan.workload).value
        return self._scores[key]


def classifier_of(chosen: Plan, small: str, large: str) -> tuple[Classifier | None, str]:
    """The classifier for two recordings: the committed artefact if it is theirs, else one trained now.

    None with a note where neither can be had: every question then goes to the large model, as it does in service.
    """
    identities = [RecordedBackend(chosen.recordings[name]).identity for name in (small, large)]
    if identities[0] == identities[1]:
        return None, f"{small} in both places leaves nothing to route"
    file = artefact_file(small, large, chosen.folder)
    if file.is_file():
        try:
            return Classifier.load(file, small=identities[0], large=identities[1]), ""
        except BadInput:
            pass  # of other weights: train it for these
    try:
        recordings = [read_recording(recording_file(name, "training", chosen.folder)) for name in (small, large)]
        parts = [[_outcome(item, chosen, recordings) for item in chosen.workload.split(split)]
                 for split in ("train", "validation")]  # fmt: skip
        return Classifier(train(*parts, small=identities[0], large=identities[1])), ""
    except BadInput as error:
        return None, f"no classifier for {small} and {large}, so every question goes to the large model ({error})"


def _outcome(item: Item, chosen: Plan, recordings: Sequence[Recording]) -> Outcome:
    request = chosen.workload.request(item)
    rows = [recording.rows.get(recording_key(request)) for recording in recordings]
    if None in rows:
        raise BadInput(f"a training recording has no answer to item {item.id}")
    scores = [score(row.text, item, chosen.workload).value for row in rows if row]
    return Outcome(request, scores[0], scores[1], item.group)
