"""What the pipelines' own code costs, step by step, and how virtual time is charged with it.

Under virtual time code takes no time of itself. So what each step takes is measured once in real time (`crossover
calibrate`), kept as a profile with its machine and date, and let pass on the virtual clock wherever that step is done.
The wrappers that do so stand around a pipeline's components: the pipeline does not know. An event loop is one core, and
so is the virtual one: while code runs nothing else does, waiting for a model holds up nobody.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Protocol, Self, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from legacy_pipeline.classifier import question
from shared.clock import spend
from shared.contract import Backend, Completion, Identity, Pipeline, Request
from shared.errors import BadInput
from shared.files import SETTINGS_BYTES, contents

if TYPE_CHECKING:
    from direct_pipeline.pipeline import DirectPipeline
    from legacy_pipeline.cache import Cached, NotStored
    from legacy_pipeline.cascade import Route
    from legacy_pipeline.features import Asked
    from legacy_pipeline.pipeline import LegacyPipeline
    from legacy_pipeline.single_flight import Work
    from shared.steps import Recorder

SCHEMA: Final = "crossover-overhead/1"
DEFAULT: Final = Path(__file__).parent / "overhead.default.json"

Step = Literal[
    "key", "hit", "miss", "similar", "classify", "store", "legacy_own", "legacy_miss_own", "direct_own", "adapter"
]
STEPS: Final[Mapping[Step, str]] = {
    "key": "the cache's key of a request",
    "hit": "look-up of an answer that is there",
    "miss": "look-up of an answer that is not",
    "similar": "look-up of a similar question",
    "classify": "which model to ask",
    "store": "all work after the answer: storing it",
    "legacy_own": "the legacy pipeline besides its steps, where the answer is in the cache",
    "legacy_miss_own": "what it does more where a model is asked",
    "direct_own": "the direct pipeline",
    "adapter": "processor time of one call over HTTP",
}
OPTIONAL: Final[frozenset[Step]] = frozenset({"similar"})
"""Steps that need an extra to be installed."""

MOST_ROUTES: Final = 20_000
"""Decisions that are kept, so that many questions do not take much memory."""

Seconds = Annotated[float, Field(ge=0, le=10)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Cost(_Strict):
    """Seconds that one step takes: the median, and the 5th and 95th percentile of `samples`."""

    p50_s: Seconds
    p5_s: Seconds
    p95_s: Seconds
    samples: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.p5_s <= self.p50_s <= self.p95_s:
            raise ValueError("p5_s, p50_s and p95_s must not fall")
        return self


class Profile(_Strict):
    """The cost of every step of `STEPS`, None where it was not measured; where and when.

    `busy_cores` is how many cores other processes kept busy meanwhile, None where the system does not tell.
    """

    schema_: Literal["crossover-overhead/1"] = Field(alias="schema")
    standing: Literal["recorded"]
    date: str
    machine: dict[str, str | int]
    packages: dict[str, str]
    busy_cores: Annotated[float, Field(ge=0)] | None
    costs: dict[Step, Cost | None]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if missing := [step for step in get_args(Step) if step not in OPTIONAL and self.costs.get(step) is None]:
            raise ValueError(f"costs lack {', '.join(missing)}")
        return self

    @classmethod
    def load(cls, file: Path | None) -> Profile:
        """Read a profile; None: the one that comes with the project. Raises `BadInput` naming file and field."""
        path = file or DEFAULT
        try:
            return cls.model_validate_json(contents(path, SETTINGS_BYTES))
        except FileNotFoundError:
            raise BadInput(f"{path} is not there; make it with: crossover calibrate --out {path}") from None
        except OSError as error:
            raise BadInput(f"{path} cannot be read ({error.strerror}); make it with: crossover calibrate") from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"])) or "the file"
            raise BadInput(
                f"{path}: {field}: {first['msg']}; make it again with: crossover calibrate --out {path}"
            ) from None

    @cached_property
    def seconds(self) -> Mapping[Step, float]:
        """The median of each step that was measured."""
        return {step: cost.p50_s for step, cost in self.costs.items() if cost}


class Meter(Protocol):
    """Told when a component begins, and what it turned out to have done. Two use it: charging and measuring."""

    def begin(self) -> float: ...

    def end(self, step: Step, begun: float) -> None: ...


class _Charge:
    """Lets each step's median pass on the clock."""

    def __init__(self, profile: Profile) -> None:
        self._seconds = profile.seconds

    def begin(self) -> float:
        return 0.0

    def end(self, step: Step, begun: float) -> None:  # noqa: ARG002
        spend(self._seconds[step])


def charge(pipeline: LegacyPipeline | DirectPipeline, profile: Profile) -> Pipeline:
    """The same pipeline, on whose clock passes what `profile` says its code takes; in real time it is as before.

    Raises `BadInput` where it does something that was not measured.
    """
    settings = getattr(pipeline, "settings", None)
    if settings and settings.semantic and "similar" not in profile.seconds:
        raise BadInput(
            "the overhead profile has no cost of a semantic look-up, and legacy has semantic = true; measure it with: "
            "crossover calibrate --out FILE (needs the extra: semantic), and name it as overhead in [latency]"
        )
    own_s = profile.seconds["legacy_own" if settings else "direct_own"]
    return _Charged(watched(pipeline, _Charge(profile)), own_s)


def watched(pipeline: LegacyPipeline | DirectPipeline, meter: Meter) -> Pipeline:
    """A copy of the pipeline whose components tell `meter` what they do. It shares them with the original."""
    from legacy_pipeline.pipeline import LegacyPipeline

    inner: Any = copy.copy(pipeline)
    if isinstance(pipeline, LegacyPipeline):
        inner.cache, inner.cascade = _Cache(pipeline.cache, meter), _Cascade(pipeline.cascade, meter)
        inner.flights = _Flights(pipeline.flights, meter)
        inner.small, inner.large = _over_adapter(pipeline.small, meter), _over_adapter(pipeline.large, meter)
    else:
        inner.backend = _over_adapter(pipeline.backend, meter)
    watched_pipeline: Pipeline = inner
    return watched_pipeline


class _Charged:
    """A pipeline. What it costs besides its components passes as it begins."""

    def __init__(self, inner: Pipeline, own_s: float) -> None:
        self._inner, self._own_s = inner, own_s

    async def run(self, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        spend(self._own_s)
        async with aclosing(self._inner.run(request, step)) as pieces:
            async for piece in pieces:
                yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Around:
    """What stands around a component and is the component in all else."""

    def __init__(self, inner: Any, meter: Meter) -> None:
        self._inner, self._meter = inner, meter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Cache(_Around):
    def key(self, request: Request) -> str:
        begun = self._meter.begin()
        key: str = self._inner.key(request)
        self._meter.end("key", begun)
        return key

    async def get(self, key: str) -> Cached | None:
        begun = self._meter.begin()
        found: Cached | None = await self._inner.get(key)
        self._meter.end("hit" if found else "miss", begun)
        return found

    async def similar(self, request: Request) -> Cached | None:
        begun = self._meter.begin()
        found: Cached | None = await self._inner.similar(request)
        self._meter.end("similar", begun)
        return found

    async def put(self, key: str, request: Request, completion: Completion | None) -> NotStored | None:
        begun = self._meter.begin()
        left_out: NotStored | None = await self._inner.put(key, request, completion)
        self._meter.end("store", begun)
        return left_out


class _Cascade(_Around):
    """Decides on each question once, since nothing but the question decides; again, it costs the same by the meter."""

    def __init__(self, inner: Any, meter: Meter) -> None:
        super().__init__(inner, meter)
        self._routes: dict[Asked, Route] = {}

    async def route(self, request: Request) -> Route:
        begun, asked = self._meter.begin(), question(request)
        route = self._routes.get(asked)
        if route is None:
            route = await self._inner.route(request)
            if len(self._routes) < MOST_ROUTES:
                self._routes[asked] = route
        self._meter.end("classify", begun)
        return route


class _Flights(_Around):
    def share(self, key: str, step: Recorder, work: Work) -> AsyncGenerator[str, None]:
        self._meter.end("legacy_miss_own", self._meter.begin())
        return cast("AsyncGenerator[str, None]", self._inner.share(key, step, work))


class _Adapter:
    """A backend whose caller pays for the call before it goes out."""

    def __init__(self, inner: Backend, meter: Meter) -> None:
        self._inner, self._meter = inner, meter

    @property
    def identity(self) -> Identity:
        return self._inner.identity

    async def complete(self, request: Request) -> Completion:
        self._meter.end("adapter", self._meter.begin())
        return await self._inner.complete(request)

    def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        self._meter.end("adapter", self._meter.begin())
        return self._inner.stream(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _over_adapter(backend: Backend, meter: Meter) -> Backend:
    """Of a vote, each ballot is a call."""
    from shared.backends.vote import VoteBackend

    if not isinstance(backend, VoteBackend):
        return _Adapter(backend, meter)
    vote = copy.copy(backend)
    vote._inner = _Adapter(vote._inner, meter)  # noqa: SLF001
    return vote
