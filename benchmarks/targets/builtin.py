"""The two built-in pipelines as a scenario describes them, with their models, prices and classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from benchmarks.rows import CALLS
from benchmarks.scenario import Arm, Scenario, key_of_hardware
from benchmarks.systems import Direct, Legacy, OwnPrice, own_price
from benchmarks.targets.target import Reply
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import BUILTIN, SAMPLED_AT, SAMPLED_SEED, Part
from shared.clock import now
from shared.contract import Answer, Backend, Identity, Pipeline, Request
from shared.errors import BadInput, CrossoverError, MissingRecording
from shared.pricing import PRICES, Price
from shared.run import answer
from shared.steps import Background, Step

if TYPE_CHECKING:
    from benchmarks.overhead import Profile
    from direct_pipeline.pipeline import DirectPipeline
    from legacy_pipeline.classifier import Classifier
    from legacy_pipeline.pipeline import LegacyPipeline
    from shared.hardware.catalogue import Hardware

ARTEFACTS: Final = Path(__file__).parents[2] / "legacy_pipeline" / "artefacts"


@dataclass(frozen=True, slots=True)
class BuiltinTarget:
    """A pipeline ready to be asked.

    `prices`, `identities` and `hardware`, where times are emulated, go by the kind of the step that calls a model.
    """

    arm: Arm
    pipeline: Pipeline
    prices: dict[str, Price]
    identities: dict[str, Identity]
    notes: tuple[str, ...] = ()
    hardware: dict[str, Hardware] = field(default_factory=dict)
    _background: Background = field(default_factory=Background)

    async def ask(self, asked: Asked, request: Request) -> Reply:  # noqa: ARG002  # only a log needs the number
        """The pipeline's answer. Work after the answer is awaited here, off the answer's clock."""
        begun = now()
        got: Answer | None = None
        error = None
        steps: Sequence[Step] = ()
        try:
            got = await answer(self.pipeline, request, self._background)
            steps = got.steps
        except CrossoverError as caught:
            error = f"{type(caught).__name__}: {caught}"
            steps = caught.steps
        seconds = now() - begun
        await self._background.drain()
        refuse_gaps(steps)
        return Reply(
            got.text if got else None,
            got.completion.model if got else None,
            error,
            _latency_s(seconds, steps) if got else None,
            seconds - sum(step.seconds for step in steps if step.kind in (*CALLS, "pause")),
            self._cost_usd(steps),
            tuple(steps),
        )

    async def aclose(self) -> None:
        await self.pipeline.aclose()

    def _cost_usd(self, steps: Sequence[Step]) -> float | None:
        total = 0.0
        for step in steps:
            if step.completion:
                cost = self.prices[step.kind].cost(step.completion.usage)
                if cost is None:
                    return None
                total += cost
            elif step.kind in CALLS:
                return None  # a call that failed may have been charged
        return total


def refuse_gaps(steps: Sequence[Step]) -> None:
    """A question that was never recorded is a wrong input, not a wrong answer, even where a fallback hid it."""
    for step in steps:
        if step.detail.startswith(MissingRecording.__name__):
            raise MissingRecording(step.detail.partition(": ")[2])


def _latency_s(seconds: float, steps: Sequence[Step]) -> float | None:
    """What passed here, and the recorded seconds of replayed calls, which did not pass here."""
    for step in steps:
        if step.completion and step.completion.timing not in ("measured", "emulated"):
            if step.completion.seconds is None:
                return None
            seconds += step.completion.seconds
    return seconds


def open_backend(
    place: str, *, logprobs: bool = False, workload: Path = BUILTIN, part: Part | Literal["samples"] = "test"
) -> Backend:
    """The backend of a model place. `logprobs` asks for them where they are not given anyway. Raises `BadInput`.

    `workload` is the folder whose recordings are meant, and `part` which of them.
    """
    kind, _, name = place.partition(":")
    if kind == "recorded":
        from shared.backends.recorded import RecordedBackend, read_recording

        return RecordedBackend(read_recording(recording_file(name, part, workload)))
    if kind == "local":
        from shared.backends.local import LocalBackend

        return LocalBackend(name)
    if kind == "litellm":
        from shared.backends.litellm import LiteLLMBackend, library

        library()  # its import takes seconds, which are no answer's
        return LiteLLMBackend(name, logprobs=logprobs)
    from shared.backends.http import HttpBackend

    url, _, model = name.partition("#")
    return HttpBackend(url, model, logprobs=logprobs)


def check_place(place: str, workload: Path = BUILTIN) -> None:
    """Raises `BadInput` where the model cannot be had, before anything is asked."""
    kind, _, name = place.partition(":")
    if kind == "recorded":
        recording_file(name, "test", workload)
    elif kind == "local":
        if find_spec("xllamacpp") is None:
            raise BadInput("local models need xllamacpp; run: make dev (or install the extra: local)")
        from shared.models.catalogue import catalogue
        from shared.models.pull import path

        if name in catalogue():
            path(catalogue()[name])
        elif not Path(name).is_file():
            raise BadInput(f"{name!r} is neither a file nor a known model; known are {', '.join(catalogue())}")


def recording_path(folder: Path, name: str, part: str) -> Path:
    """Where the recording of a model on one part of a workload is kept."""
    return folder / "recordings" / f"{name}.{part}.jsonl.gz"


def recording_file(name: str, part: Part | Literal["samples"], workload: Path = BUILTIN) -> Path:
    """The recording of a model on a workload, gzipped or plain. Raises `BadInput` naming those that exist."""
    file = recording_path(workload, name, part)
    for there in (file, file.with_suffix("")):
        if there.is_file():
            return there
    suffix = f".{part}.jsonl"
    found = {
        each.name.partition(suffix)[0]: each
        for each in sorted(file.parent.glob(f"*{suffix}*"))
        if each.name.endswith((".jsonl", ".jsonl.gz"))
    }
    from shared.backends.recorded import read_recording

    where = "" if workload == BUILTIN else f" in {file.parent}"
    option = "" if workload == BUILTIN else f" --workload {workload}"
    which = "--samples 5" if part == "samples" else f"--part {part}"
    remedy = f"make one with: crossover record --model {name} {which}{option}"
    if found and read_recording(next(iter(found.values()))).header.model.provider == "imported":
        remedy = "name one of these, or import the table again with the column of its answers"
    raise BadInput(f"no {part} recording of {name!r}{where}; there are {', '.join(found) or 'none'}; {remedy}")


def price_of(place: str, given: str | OwnPrice | None, hardware: str | None = None) -> Price:
    """The price that the scenario gives, else that of its hardware, else litellm's own for its models, else unknown."""
    if given:
        return own_price(given)
    if hardware in PRICES:
        return PRICES[hardware]
    kind, _, name = place.partition(":")
    if kind == "litellm":
        from shared.backends.litellm import list_price

        return list_price(name)
    return own_price(None)


def artefact_file(small: str, large: str, workload: Path = BUILTIN) -> Path:
    """Where the classifier trained for two models on a workload is kept."""
    folder = ARTEFACTS if workload == BUILTIN else workload / "artefacts"
    return folder / f"{small}+{large}.json".replace("/", "--")


def open_classifier(
    small: Identity, large: Identity, workload: Path = BUILTIN
) -> tuple[Classifier | None, tuple[str, ...]]:
    """The classifier trained for these two models, or None and the note that says what that means."""
    if small == large:
        return None, ()  # nothing to route
    file = artefact_file(small.model, large.model, workload)
    if not file.is_file():
        option = "" if workload == BUILTIN else f" --workload {workload}"
        return None, (
            f"no classifier is trained for {small.model} and {large.model}: every question goes to the large model; "
            f"make one from training recordings of both: crossover classifier train --small {small.model} "
            f"--large {large.model}{option}",
        )
    from legacy_pipeline.classifier import Classifier

    try:
        return Classifier.load(file, small=small, large=large), ()
    except BadInput as refused:
        if small.version and large.version:
            raise
        return None, (f"a model's weights are not known, so every question goes to the large model ({refused})",)


class LegacyParts(NamedTuple):
    """What the legacy pipeline is put together from; `notes` say where the classifier is missing, and why."""

    small: Backend
    large: Backend
    classifier: Classifier | None
    notes: tuple[str, ...]


def open_legacy(scenario: Scenario) -> LegacyParts:
    """The models and the classifier of the legacy arm, on their hardware. Raises `BadInput` where one cannot be had."""
    chosen = scenario.legacy
    if not isinstance(chosen, Legacy):
        raise BadInput(f'legacy is of kind = "{chosen.kind}", and only the built-in pipeline has models of its own')
    small, notes_small = _place(scenario, "small", logprobs=chosen.settings.escalate_below is not None)
    large, notes_large = _place(scenario, "large")
    classifier, notes = open_classifier(small.identity, large.identity, scenario.workload_folder)
    return LegacyParts(small, large, classifier, (*notes, *notes_small, *notes_large))


def check_hardware(scenario: Scenario) -> None:
    """Raises `BadInput` where the pace of some hardware, or the profile of the code's own cost, cannot be had."""
    from shared.hardware.pace import pace

    for kind, hardware in hardware_of(scenario).items():
        try:
            pace(hardware)
        except BadInput as error:
            raise scenario.error(key_of_hardware(kind), str(error)) from None
    if scenario.virtual:
        _profile(scenario)


def hardware_of(scenario: Scenario) -> dict[str, Hardware]:
    """The hardware of each kind of call that has some, with what the scenario and this repo assume about it."""
    if not scenario.hardware_rows:
        return {}
    from shared.hardware.catalogue import catalogue

    known = catalogue(*(scenario.path(file) for file in scenario.hardware.files))
    found = {}
    for kind, row in scenario.hardware_rows.items():
        own = {figure: each.figure() for figure, each in scenario.assume.get(row, {}).items()}
        found[kind] = known[row].with_assumed(own).with_shipped()
    return found


def _place(
    scenario: Scenario, kind: str, *, logprobs: bool = False, part: Part | Literal["samples"] = "test"
) -> tuple[Backend, tuple[str, ...]]:
    """The backend of a kind of call, at the pace of its hardware if it has some, and what must be known about it."""
    backend = open_backend(scenario.places[kind], logprobs=logprobs, workload=scenario.workload_folder, part=part)
    hardware = hardware_of(scenario).get(kind)
    if hardware is None:
        return backend, ()
    from shared.backends.emulated import EmulatedBackend
    from shared.backends.recorded import RecordedBackend

    if isinstance(backend, RecordedBackend) and not backend.counted:
        name = backend.identity.model
        return backend, (f"the answers of {name} have no token counts, so their time on {hardware.id} is not known",)
    emulated = EmulatedBackend(backend, hardware, seed=scenario.seed)
    return emulated, (emulated.stand_in,) if emulated.stand_in else ()


def open_target(arm: Arm, scenario: Scenario, cache_directory: Path) -> BuiltinTarget:
    """Build the pipeline of one arm. The caller closes it. Raises `BadInput` where the arm is another system."""
    chosen, hardware = scenario.arms[arm], hardware_of(scenario)
    if isinstance(chosen, Direct):
        from direct_pipeline.pipeline import DirectPipeline

        backend, notes = _place(scenario, "call", part="samples" if chosen.votes > 1 else "test")
        if chosen.votes > 1:
            from shared.backends.vote import VoteBackend

            backend = VoteBackend(backend, chosen.votes, temperature=SAMPLED_AT, seed=SAMPLED_SEED)
        price = price_of(chosen.model, chosen.price, chosen.hardware)
        pipeline = _charged(DirectPipeline(backend), scenario)
        kinds = {kind: row for kind, row in hardware.items() if kind == "call"}
        return BuiltinTarget(arm, pipeline, {"call": price}, {"call": backend.identity}, notes, kinds)
    if not isinstance(chosen, Legacy):
        raise BadInput(f'{arm} is of kind = "{chosen.kind}", and only the built-in pipelines can be served')
    from legacy_pipeline.app import build

    parts = open_legacy(scenario)
    small, large, notes = parts.small, parts.large, parts.notes
    prices = {
        "small": price_of(chosen.small, chosen.small_price, chosen.small_hardware),
        "large": price_of(chosen.large, chosen.large_price, chosen.large_hardware),
    }
    if chosen.small.startswith("local:") and chosen.large.startswith("local:"):
        notes = (*notes, "legacy holds two models in this process, and each slows the other; direct holds one")
    cascade = _charged(build(cache_directory, parts.classifier, small, large, chosen.settings), scenario)
    kinds = {kind: row for kind, row in hardware.items() if kind != "call"}
    return BuiltinTarget(arm, cascade, prices, {"small": small.identity, "large": large.identity}, notes, kinds)


def _charged(pipeline: LegacyPipeline | DirectPipeline, scenario: Scenario) -> Pipeline:
    """The pipeline, which under virtual time takes as long as its own code took where that was measured."""
    if not scenario.virtual:
        return pipeline
    from benchmarks.overhead import charge

    return charge(pipeline, _profile(scenario))


def _profile(scenario: Scenario) -> Profile:
    from benchmarks.overhead import Profile

    file = scenario.latency.overhead
    return Profile.load(scenario.path(file) if file else None)
