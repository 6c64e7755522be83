"""The two built-in pipelines as a scenario describes them, with their models, prices and classifier."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks.scenario import Arm, Scenario
from benchmarks.workloads.workload import BUILTIN, Part
from legacy_pipeline.classifier import Classifier
from shared import pricing
from shared.contract import Backend, Identity, Pipeline
from shared.errors import BadInput
from shared.pricing import Price

ARTEFACTS: Final = Path(__file__).parents[2] / "legacy_pipeline" / "artefacts"


@dataclass(frozen=True, slots=True)
class Target:
    """A pipeline ready to be asked. `prices` and `identities` go by the kind of the step that calls a model."""

    arm: Arm
    pipeline: Pipeline
    prices: dict[str, Price]
    identities: dict[str, Identity]
    notes: tuple[str, ...] = ()


def open_backend(place: str, *, logprobs: bool = False) -> Backend:
    """The backend of a model place. `logprobs` asks for them where they are not given anyway. Raises `BadInput`."""
    kind, _, name = place.partition(":")
    if kind == "recorded":
        from shared.backends.recorded import RecordedBackend, read_recording

        return RecordedBackend(read_recording(recording_file(name, "test")))
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


def check_place(place: str) -> None:
    """Raises `BadInput` where the model cannot be had, before anything is asked."""
    kind, _, name = place.partition(":")
    if kind == "recorded":
        recording_file(name, "test")
    elif kind == "local":
        if find_spec("xllamacpp") is None:
            raise BadInput("local models need xllamacpp; run: make dev (or install the extra: local)")
        from shared.models.catalogue import catalogue
        from shared.models.pull import path

        if name in catalogue():
            path(catalogue()[name])
        elif not Path(name).is_file():
            raise BadInput(f"{name!r} is neither a file nor a known model; known are {', '.join(catalogue())}")


def recording_path(folder: Path, name: str, part: Part) -> Path:
    """Where the recording of a model on one part of a workload is kept."""
    return folder / "recordings" / f"{name}.{part}.jsonl"


def recording_file(name: str, part: Part) -> Path:
    """The recording of a model on the built-in workload. Raises `BadInput` naming those that exist."""
    file = recording_path(BUILTIN, name, part)
    if not file.is_file():
        known = ", ".join(sorted(each.name.split(".")[0] for each in file.parent.glob(f"*.{part}.jsonl"))) or "none"
        raise BadInput(
            f"no {part} recording of {name!r}; there are {known}; "
            f"make one with: crossover record --model {name} --part {part}"
        )
    return file


def price_of(place: str, named: str | None) -> Price:
    """The named list price, else litellm's own for a LiteLLM model, else unknown."""
    if named:
        return pricing.find(named)
    kind, _, name = place.partition(":")
    if kind == "litellm":
        from shared.backends.litellm import list_price

        return list_price(name)
    return pricing.UNKNOWN


def artefact_file(small: str, large: str) -> Path:
    """Where the classifier trained for two models is kept."""
    return ARTEFACTS / f"{small}+{large}.json".replace("/", "--")


def open_classifier(small: Identity, large: Identity) -> tuple[Classifier | None, tuple[str, ...]]:
    """The classifier trained for these two models, or None and the note that says what that means."""
    file = artefact_file(small.model, large.model)
    if not file.is_file():
        return None, (
            f"no classifier is trained for {small.model} and {large.model}: every question goes to the large model; "
            "record both, then: crossover classifier train",
        )
    try:
        return Classifier.load(file, small=small, large=large), ()
    except BadInput as refused:
        if small.version and large.version:
            raise
        return None, (f"a model's weights are not known, so every question goes to the large model ({refused})",)


def open_target(arm: Arm, scenario: Scenario, cache_directory: Path) -> Target:
    """Build one arm. The caller closes its pipeline."""
    if arm == "direct":
        from direct_pipeline.pipeline import DirectPipeline

        direct = scenario.direct
        backend = open_backend(direct.model)
        price = price_of(direct.model, direct.price)
        pipeline = DirectPipeline(backend)
        return Target(arm, pipeline, {"call": price}, {"call": backend.identity})
    from legacy_pipeline.app import build

    legacy = scenario.legacy
    small = open_backend(legacy.small, logprobs=legacy.settings.escalate_below is not None)
    large = open_backend(legacy.large)
    classifier, notes = open_classifier(small.identity, large.identity)
    prices = {
        "small": price_of(legacy.small, legacy.small_price),
        "large": price_of(legacy.large, legacy.large_price),
    }
    if legacy.small.startswith("local:") and legacy.large.startswith("local:"):
        notes = (*notes, "legacy holds two models in this process, and each slows the other; direct holds one")
    cascade = build(cache_directory, classifier, small, large, legacy.settings)
    return Target(arm, cascade, prices, {"small": small.identity, "large": large.identity}, notes)
