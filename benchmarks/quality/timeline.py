"""What `crossover drift` plays: a TOML file of epochs and events, checked against the workload and its recordings.

    epochs = 36  requests = 400  small = "smollm2-135m"  large = "qwen-1.5b"  direct = "qwen-0.5b-burnt-3-6"
    [[events]]  epoch = 5  kind = "mix"  levels = { easy = 0.5, hard = 2 }

Without a file it is `timeline.default.toml`. Models are named by their recordings; nothing is asked of any model.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.targets.builtin import recording_file
from benchmarks.toml_source import Key, TomlSource, nearest
from benchmarks.workloads.workload import BUILTIN, Item, Workload, load
from shared.backends.recorded import Recording, read_recording, recording_key
from shared.errors import BadInput

DEFAULT: Final = Path(__file__).with_name("timeline.default.toml")
SCHEMA: Final = Path(__file__).with_name("timeline.schema.json")

Level = Literal["easy", "mid", "hard"]
Role = Literal["small", "large", "direct"]
Weight = Annotated[float, Field(ge=0, le=1e6)]
Hours = Annotated[float, Field(gt=0, le=8760)]
"""A year at most."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Event(_Strict):
    epoch: int = Field(description="The epoch, from 1, before whose first request it happens.")


class Mix(_Event):
    """The mix of the traffic changes: tasks and levels that are not named keep their weight."""

    kind: Literal["mix"]
    tasks: dict[str, Weight] = Field(default_factory=dict, description="New weights of tasks; unnamed before: 1.")
    levels: dict[Level, Weight] = Field(default_factory=dict, description="New weights of levels; unnamed before: 1.")


class Topic(_Event):
    """A task appears that nobody asked about before."""

    kind: Literal["topic"]
    task: str = Field(description="The task; it is absent until then.")


class Upgrade(_Event):
    """Another small model takes the place of the old one, and says so."""

    kind: Literal["upgrade"]
    small: str = Field(description="The recording of the new small model.")


class Retire(_Event):
    """A model is silently replaced: another one answers in its name. Naming the model itself brings it back."""

    kind: Literal["retire"]
    role: Role = Field(description="Whose name is kept: small, large or direct.")
    answers: str = Field(description="The recording that answers from now on.")


class Firmware(_Event):
    """The direct model is replaced as firmware is: the old one is gone, nothing else changes."""

    kind: Literal["firmware"]
    direct: str = Field(description="The recording of the new direct model.")


class Policy(_Event):
    """The next version of every policy takes force: of questions alike but for it, only the newer is asked."""

    kind: Literal["policy"]
    scope: str = Field(default="policy", description="The scope whose value is the version; versions sort as text.")


class Idle(_Event):
    """Nobody asks anything for a while, and cached answers age."""

    kind: Literal["idle"]
    hours: Hours = Field(description="Hours without traffic before the epoch.")


KINDS: Final = (Mix, Topic, Upgrade, Retire, Firmware, Policy, Idle)
Event = Annotated[Mix | Topic | Upgrade | Retire | Firmware | Policy | Idle, Field(discriminator="kind")]


class Timeline(_Strict):
    """Everything that is played, but the answers."""

    workload: str = Field(default="builtin", description="builtin, or a workload folder beside this file.")
    seed: int = Field(default=7, description="Seed of the traffic; --seed overrides it.")
    epochs: int = Field(default=36, ge=2, le=1000, description="Number of epochs.")
    epoch_hours: Hours = Field(default=24, description="Hours an epoch lasts, in virtual time.")
    requests: int = Field(default=400, ge=20, le=100_000, description="Requests an epoch, evenly spaced.")
    zipf: float = Field(default=0.8, ge=0, le=3, description="Popularity of the question of rank r: 1 / r ** zipf.")
    reference_epochs: int = Field(default=4, ge=1, description="First epochs, which later inputs are compared with.")
    small: str = Field(description="The recording of the legacy pipeline's small model.")
    large: str = Field(description="The recording of its large model.")
    direct: str = Field(description="The recording of the direct pipeline's model.")
    careful_ttl_hours: Hours = Field(default=24, description="Hours an answer may be served: careful.")
    typical_ttl_hours: Hours = Field(default=168, description="Hours since its last hit: typical.")
    tasks: dict[str, Weight] = Field(default_factory=dict, description="Weights of tasks; unnamed: 1.")
    levels: dict[Level, Weight] = Field(default_factory=dict, description="Weights of levels; unnamed: 1.")
    events: tuple[Event, ...] = Field(default=(), description="What happens, in any order.")

    def models(self) -> Iterator[tuple[Key, str]]:
        """Every recording that is needed, with the key that names it."""
        for role in ("small", "large", "direct"):
            yield (role,), getattr(self, role)
        for index, event in enumerate(self.events):
            for key in ("small", "answers", "direct"):
                if name := getattr(event, key, None):
                    yield ("events", index, key), name

    def at(self, epoch: int) -> list[Event]:
        """The events of one epoch, in the order of the file."""
        return [event for event in self.events if event.epoch == epoch]

    def ordered(self) -> list[Event]:
        """All events as they happen."""
        return sorted(self.events, key=lambda event: event.epoch)

    def named(self, role: Role, happened: Sequence[Event]) -> str:
        """The model that everybody takes to be in a role after some events."""
        names = [getattr(self, role)]
        names += [each.small for each in happened if isinstance(each, Upgrade) and role == "small"]
        names += [each.direct for each in happened if isinstance(each, Firmware) and role == "direct"]
        return str(names[-1])


@dataclass(frozen=True, slots=True)
class Plan:
    """A timeline that can be played: the test questions, and the answers of every model in it to all of them."""

    timeline: Timeline
    folder: Path
    workload: Workload
    items: tuple[Item, ...]
    recordings: Mapping[str, Recording]

    def versions(self, scope: str) -> dict[str, tuple[int, int]]:
        """By item: the place of its version, from 0, and of the last one, for questions in more than one version."""
        same: dict[tuple[object, ...], list[Item]] = {}
        for item in self.items:
            if scope in item.scope:
                others = tuple(sorted((name, value) for name, value in item.scope.items() if name != scope))
                same.setdefault((item.task, item.input, item.history, others), []).append(item)
        found = dict[str, tuple[int, int]]()
        for items in same.values():
            versions = sorted({item.scope[scope] for item in items})
            if len(versions) > 1:
                found |= {item.id: (versions.index(item.scope[scope]), len(versions) - 1) for item in items}
        return found

    def weights(self, epoch: int) -> list[float]:
        """How often each of `items` is asked in an epoch, relative to the others.

        Versions of one question share its popularity, which a seeded ranking gives.
        """
        questions = sorted({(item.task, item.input, item.history) for item in self.items})
        random.Random(self.timeline.seed).shuffle(questions)  # noqa: S311  # a seeded ranking, no secret
        rank = {question: place for place, question in enumerate(questions, 1)}
        return [
            weight / rank[item.task, item.input, item.history] ** self.timeline.zipf
            for item, weight in zip(self.items, Mixture.at(self, epoch).weights(self), strict=True)
        ]

    def newer(self, scope: str, before: Sequence[Event], after: Sequence[Event]) -> list[Item]:
        """The questions that are asked in a newer version after some events than before."""
        old, new = (Mixture.after(self, happened).newer[scope] for happened in (before, after))
        found = self.versions(scope)
        versioned = [(item, *found[item.id]) for item in self.items if item.id in found]
        return [item for item, place, last in versioned if min(old, last) < place == min(new, last)]


def plan(file: Path | None, *, seed: int | None = None) -> Plan:
    """Read and check a timeline. Raises `BadInput` naming file, line, key and remedy."""
    if file and not file.is_file():
        raise BadInput(f"{file} is no file; begin with a copy of benchmarks/quality/{DEFAULT.name}")
    source = TomlSource(file or DEFAULT)
    _check_shape(source)
    try:
        timeline = Timeline.model_validate(source.given)
    except ValidationError as error:
        raise source.invalid(error, source.given, Timeline) from None
    if seed is not None:
        timeline = timeline.model_copy(update={"seed": seed})
    folder = BUILTIN if timeline.workload == "builtin" else source.folder / timeline.workload
    try:
        workload = load(folder)
    except BadInput as error:
        raise source.error(("workload",), str(error)) from None
    items = workload.split("test")
    if not items:
        raise source.error(("workload",), f"{folder} has no test questions; add groups until some fall into that split")
    made = Plan(timeline, folder, workload, items, _recordings(timeline, folder, workload, source))
    _check_tasks(timeline, workload, items, source)
    _check_events(made, source)
    return made


def _check_shape(source: TomlSource) -> None:
    """What pydantic would name less clearly: events that are no tables, or say no kind."""
    events = source.given.get("events", [])
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise source.error(("events",), "events are tables; write each under [[events]]")
    for index, event in enumerate(events):
        if "kind" not in event:
            kinds = [get_args(each.model_fields["kind"].annotation)[0] for each in KINDS]
            raise source.error(("events", index), f"this event has no `kind`; use one of {', '.join(kinds)}")


def _recordings(timeline: Timeline, folder: Path, workload: Workload, source: TomlSource) -> dict[str, Recording]:
    found: dict[str, Recording] = {}
    for key, name in timeline.models():
        if name in found:
            continue
        try:
            found[name] = read_recording(recording_file(name, "test", folder))
        except BadInput as error:
            raise source.error(key, str(error)) from None
        missing = [
            item.id for item in workload.split("test") if recording_key(workload.request(item)) not in found[name].rows
        ]
        if missing:
            option = "" if folder == BUILTIN else f" --workload {folder}"
            raise source.error(
                key,
                f"the recording of {name!r} lacks {len(missing)} test questions ({missing[0]} first); "
                f"run: crossover record --model {name} --part test{option}",
            )
    return found


def _check_tasks(timeline: Timeline, workload: Workload, items: tuple[Item, ...], source: TomlSource) -> None:
    known = {item.task for item in items}
    named: list[tuple[Key, str]] = [(("tasks", task), task) for task in timeline.tasks]
    for index, event in enumerate(timeline.events):
        if isinstance(event, Mix):
            named += [(("events", index, "tasks", task), task) for task in event.tasks]
        elif isinstance(event, Topic):
            named.append((("events", index, "task"), event.task))
    for key, task in named:
        if task not in known:
            why = "has no test questions" if task in workload.tasks else "is no task of the workload"
            raise source.error(key, f"{task!r} {why}; use one of {', '.join(sorted(known))}{nearest(task, known)}")


def _check_events(made: Plan, source: TomlSource) -> None:
    timeline = made.timeline
    for index, event in enumerate(timeline.events):
        where: tuple[str | int, ...] = ("events", index)
        if not 1 < event.epoch <= timeline.epochs:
            raise source.error(
                (*where, "epoch"), f"{event.epoch} lies outside the timeline; use 2 to {timeline.epochs} (`epochs`)"
            )
        if event.epoch <= timeline.reference_epochs:
            raise source.error(
                (*where, "epoch"),
                f"{event.epoch} lies within the first {timeline.reference_epochs} epochs, which later inputs are "
                "compared with; move the event, or lower `reference_epochs`",
            )
        if isinstance(event, Mix) and not (event.tasks or event.levels):
            raise source.error(where, "a mix changes nothing without `tasks` or `levels`; give one")
        if isinstance(event, Policy) and not made.versions(event.scope):
            raise source.error(
                (*where, "scope"),
                f"no two test questions differ only in scope {event.scope!r}; add newer versions of some, with the "
                "same input, and record them",
            )
        if isinstance(event, Topic) and any(
            other.task == event.task for other in timeline.events[:index] if isinstance(other, Topic)
        ):
            raise source.error((*where, "task"), f"{event.task!r} appears twice; delete one of the two events")
    if timeline.reference_epochs >= timeline.epochs:
        raise source.error(("reference_epochs",), f"this must be less than `epochs` ({timeline.epochs})")
    for epoch in sorted({1, *(event.epoch for event in timeline.events)}):
        if not any(made.weights(epoch)):
            events = [index for index, event in enumerate(timeline.events) if event.epoch == epoch]
            key: Key = ("events", events[0]) if events else ("tasks",)
            raise source.error(key, f"no question has any weight in epoch {epoch}; raise some weight above 0")
    _check_changes(made, source)


def _check_changes(made: Plan, source: TomlSource) -> None:
    """Refuse an event after which all is as before it: what it changed would be reported as if something had."""
    timeline, happened = made.timeline, list[Event]()
    answering: dict[Role, str] = {"small": timeline.small, "large": timeline.large, "direct": timeline.direct}
    for index, event in sorted(enumerate(timeline.events), key=lambda each: each[1].epoch):
        where, idle = ("events", index), ""
        if isinstance(event, Mix | Topic):
            shares = []
            for events in (happened, [*happened, event]):
                weights = Mixture.after(made, events).weights(made)
                shares.append([weight / (sum(weights) or 1.0) for weight in weights])
            if all(math.isclose(*pair) for pair in zip(*shares, strict=True)):
                idle = "leaves all weights as they are"
        elif isinstance(event, Policy) and not made.newer(event.scope, happened, [*happened, event]):
            idle = "finds no newer version of any question"
        elif isinstance(event, Upgrade | Firmware | Retire):
            role, new, told = _replaced(event)
            if new == answering[role] and (not told or new == timeline.named(role, happened)):
                idle = f"puts {new!r} where it is already"
            answering[role] = new
        if idle:
            raise source.error(where, f"this event {idle}, so it changes nothing; change or delete it")
        happened.append(event)


def _replaced(event: Upgrade | Firmware | Retire) -> tuple[Role, str, bool]:
    """In which role, by which recording, and whether anybody is told."""
    match event:
        case Upgrade():
            return "small", event.small, True
        case Firmware():
            return "direct", event.direct, True
        case Retire():
            return event.role, event.answers, False


@dataclass(frozen=True, slots=True)
class Mixture:
    """What is asked in one epoch, and how often: the product of a question's task's and its level's weight."""

    tasks: Mapping[str, float]
    levels: Mapping[Level, float]
    absent: frozenset[str]
    newer: Mapping[str, int]
    """Policy changes so far, by scope; 0 for those to come."""

    @classmethod
    def at(cls, made: Plan, epoch: int) -> Mixture:
        """With all events up to this epoch."""
        return cls.after(made, [event for event in made.timeline.ordered() if event.epoch <= epoch])

    @classmethod
    def after(cls, made: Plan, happened: Sequence[Event]) -> Mixture:
        """With some events, which are given as they happen."""
        timeline = made.timeline
        tasks, levels = dict(timeline.tasks), dict(timeline.levels)
        absent = {event.task for event in timeline.events if isinstance(event, Topic)}
        newer = {event.scope: 0 for event in timeline.events if isinstance(event, Policy)}
        for event in happened:
            if isinstance(event, Mix):
                tasks |= event.tasks
                levels |= event.levels
            elif isinstance(event, Topic):
                absent.discard(event.task)
            elif isinstance(event, Policy):
                newer[event.scope] += 1
        return cls(tasks, levels, frozenset(absent), newer)

    def weights(self, made: Plan) -> list[float]:
        """One weight a test item, 0 for what is not asked."""
        versions = {scope: made.versions(scope) for scope in self.newer}
        return [
            0.0
            if item.task in self.absent
            or any(
                item.id in found and found[item.id][0] != min(self.newer[scope], found[item.id][1])
                for scope, found in versions.items()
            )
            else self.tasks.get(item.task, 1.0) * (self.levels.get(item.level, 1.0) if item.level else 1.0)
            for item in made.items
        ]


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a timeline file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Timeline.model_json_schema(),
        "title": "crossover timeline",
    }
