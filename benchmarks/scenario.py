"""What was asked for: a preset, a TOML file over it, flags over both. `crossover init` writes a file to begin with.

    seed = 7
    [traffic]  workload = "builtin"  repeat_share = 0.31
    [legacy]   kind = "builtin"  small = "recorded:qwen-0.5b"  large = "recorded:qwen-1.5b"  small_price = "..."
    [direct]   kind = "http"  base_url = "https://host/v1"  model = "..."  price = { input = 0.15, output = 0.60 }

`[legacy]` and `[direct]` each take one of four kinds: `builtin` (the pipeline of this repo), `http`, `python` or `log`.
Each model place of a built-in pipeline takes `recorded:NAME`, `local:NAME`, `litellm:NAME` or `http:URL#MODEL`.
`[legacy.settings]` takes the legacy pipeline's own knobs; the direct one has none. Relative paths are relative to the
file. Its JSON Schema is `scenario.schema.json`, beside this module.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from benchmarks.cost_settings import CostSettings
from benchmarks.systems import (
    KEY_VARIABLE,
    AnyDirect,
    AnyLegacy,
    Direct,
    Http,
    Legacy,
    Log,
    OwnPrice,
    Python,
    Strict,
    Text,
)
from benchmarks.toml_source import Key, TomlSource, nearest
from benchmarks.workloads.workload import BUILTIN, ScorerName
from shared.errors import BadInput

if TYPE_CHECKING:
    from shared.hardware.catalogue import Figure

DEFAULT_FILE: Final = Path("crossover.toml")
KINDS_OF_CALLS: Final = ("small", "large", "call")

Arm = Literal["legacy", "direct"]
ARMS: Final[tuple[Arm, Arm]] = ("legacy", "direct")


class Traffic(Strict):
    """Every test question once, in random order, and repeats among them. Where an arm is a log, the log is the traffic.

    A repeat asks a question again that was asked before, the popular ones more often: popularity follows a Zipf law
    over a random ranking. The default share is what a study of real users' questions found (MeanCache, arXiv
    2403.02694: about 31 %).
    """

    workload: Text = Field(default="builtin", description='"builtin", or a folder with tasks.toml and *.jsonl.')
    repeat_share: float = Field(
        default=0.31, ge=0, le=0.99, description="Share of requests that repeat an earlier one."
    )
    zipf: float = Field(default=1.0, ge=0, le=10, description="Exponent of the popularity of what is repeated.")
    limit: int | None = Field(default=None, ge=1, description="Stop after so many requests; None: all.")
    arrivals: Literal["poisson", "constant", "bursty", "ramp"] = Field(
        default="poisson", description="How requests arrive where time is virtual; elsewhere they go one by one."
    )
    rate: float = Field(default=20.0, gt=0, le=1e6, description="Requests a second; at the start of a ramp.")
    ramp_to: float = Field(default=40.0, gt=0, le=1e6, description="Requests a second at the end of a ramp.")
    burstiness: float = Field(
        default=2.0, gt=0, le=100, description="Coefficient of variation of the time between bursty arrivals."
    )


class Quality(Strict):
    """How answers are judged. A scorer is for logs: the tasks of a workload name their own."""

    scorer: ScorerName | None = Field(
        default=None, description="None: by what is expected: a text, a number or an object."
    )
    margin: float = Field(
        default=0.02, gt=0, lt=1, description="Mean score that direct may lose and still count as equivalent."
    )


class Assumed(Strict):
    """A figure that nobody has published, and the range that it may lie in."""

    value: float = Field(ge=0)
    low: float = Field(ge=0)
    high: float = Field(ge=0)
    why: Text

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError("value lies outside low and high; order them low <= value <= high")
        return self

    def figure(self) -> Figure:
        """The same as a figure of the hardware catalogue."""
        from shared.hardware.catalogue import Figure

        return Figure(self.value, "assumed", self.why, "", self.low, self.high)


class HardwareFiles(Strict):
    """Catalogues of one's own, over the shipped one."""

    files: tuple[Text, ...] = ()


class Latency(Strict):
    """What the code itself costs where time is virtual, and the limits of an answer in time (MLPerf's interactive)."""

    overhead: Text | None = Field(
        default=None, description="A profile by `crossover calibrate`; None: the shipped one."
    )
    ttft_limit_s: float = Field(default=0.5, gt=0, description="Seconds to the first token.")
    tpot_limit_s: float = Field(default=0.03, gt=0, description="Seconds a token after the first.")


class Gates(Strict):
    """What decides the exit code: 1 where a gate fails, 2 where it could not be measured."""

    quality: Literal["not_worse"] | None = Field(default=None, description="By the margin, on questions like these.")
    p99_ms: float | None = Field(default=None, gt=0, description="Most milliseconds that direct's p99 may take.")
    cost: Literal["not_higher"] | None = Field(default=None, description="Direct's cost per decision beside legacy's.")
    on_inconclusive: Literal["warn", "fail"] = "warn"


class Call(NamedTuple):
    """One kind of call that an arm makes: whom it asks, at what price, and whether that may cost money."""

    whom: str
    price: str | OwnPrice | None
    paid: bool


class Scenario(Strict):
    """One comparison, complete."""

    preset: str
    seed: int = Field(default=7, ge=0)
    deadline_s: float = Field(default=120.0, gt=0, description="Seconds each request may take.")
    traffic: Traffic = Traffic()
    quality: Quality = Quality()
    latency: Latency = Latency()
    cost: CostSettings = CostSettings()
    gates: Gates = Gates()
    hardware: HardwareFiles = HardwareFiles()
    assume: dict[str, dict[str, Assumed]] = Field(default={}, description="By hardware row, by figure.")
    legacy: AnyLegacy
    direct: AnyDirect
    stand_ins: dict[str, str] = Field(
        default_factory=dict, description="What the small, large and call model stand for."
    )
    _source: TomlSource = PrivateAttr(default_factory=lambda: TomlSource(None))

    def model_post_init(self, context: object) -> None:
        if isinstance(context, TomlSource):
            self._source = context

    @property
    def folder(self) -> Path:
        """What relative paths are relative to: the scenario file's folder."""
        return self._source.folder

    def path(self, written: str) -> Path:
        """A path of the scenario file."""
        return self.folder / Path(written).expanduser()

    def error(self, key: Key, message: str) -> BadInput:
        """The error for a key, with the file and the line where it stands."""
        return self._source.error(key, message)

    @property
    def workload_folder(self) -> Path:
        """Where the questions are, and with them their recordings."""
        return BUILTIN if self.traffic.workload == "builtin" else self.path(self.traffic.workload)

    @property
    def arms(self) -> Mapping[Arm, Legacy | Direct | Http | Python | Log]:
        return {"legacy": self.legacy, "direct": self.direct}

    @property
    def logs(self) -> Mapping[Arm, Path]:
        """The log of each arm that is one."""
        return {name: self.path(arm.path) for name, arm in self.arms.items() if isinstance(arm, Log)}

    @property
    def places(self) -> dict[str, str]:
        """The model of each kind of call that a built-in pipeline makes."""
        places: dict[str, str] = {}
        if isinstance(self.legacy, Legacy):
            places |= {"small": self.legacy.small, "large": self.legacy.large}
        if isinstance(self.direct, Direct):
            places["call"] = self.direct.model
        return places

    @property
    def calls(self) -> dict[tuple[Arm, str], Call]:
        """Every kind of call of either arm. A log makes none."""
        calls: dict[tuple[Arm, str], Call] = {}
        for name, arm in self.arms.items():
            if isinstance(arm, Legacy):
                calls[name, "small"] = Call(arm.small, arm.small_price, _is_paid(arm.small))
                calls[name, "large"] = Call(arm.large, arm.large_price, _is_paid(arm.large))
            elif isinstance(arm, Direct):
                calls[name, "call"] = Call(arm.model, arm.price, _is_paid(arm.model))
            elif isinstance(arm, Http):
                whom = f"{arm.model} at {arm.base_url}" if arm.base_url else str(arm.url).partition("?")[0]
                calls[name, "call"] = Call(whom, arm.price, paid=True)
            elif isinstance(arm, Python):
                calls[name, "call"] = Call(arm.callable, arm.price, paid=True)
        return calls

    @property
    def hardware_rows(self) -> dict[str, str]:
        """The hardware row of each kind of call that has one."""
        named: dict[str, str | None] = {}
        if isinstance(self.legacy, Legacy):
            named |= {"small": self.legacy.small_hardware, "large": self.legacy.large_hardware}
        if isinstance(self.direct, Direct):
            named["call"] = self.direct.hardware
        return {kind: row for kind, row in named.items() if row is not None}

    @property
    def virtual(self) -> bool:
        """Whether time is virtual: every answer of both arms is recorded, and its time is that of a hardware row."""
        recorded = [place.startswith("recorded:") for place in self.places.values()]
        return len(recorded) == len(self.hardware_rows) == len(KINDS_OF_CALLS) and all(recorded)

    @property
    def one_by_one(self) -> bool:
        """Whether the arms must run one after the other: models live on this machine slow each other down."""
        return any(place.startswith("local:") for place in self.places.values())


def key_of_hardware(kind: str) -> Key:
    """Where the hardware of a kind of call is named."""
    return ("direct", "hardware") if kind == "call" else ("legacy", f"{kind}_hardware")


def key_of_place(kind: str) -> Key:
    """Where the model of a kind of call is named."""
    return ("direct", "model") if kind == "call" else ("legacy", kind)


def _is_paid(place: str) -> bool:
    return place.startswith(("litellm:", "http:"))


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "hardwired": {
        "legacy": {
            "small": "recorded:qwen-0.5b",
            "small_price": "deepinfra-8b",
            "small_hardware": "h100-8b",
            "large": "recorded:qwen-1.5b",
            "large_price": "deepinfra-70b",
            "large_hardware": "h100x2-70b",
            "settings": {"small_limit_s": 60.0},  # live, the stand-ins run on a CPU
        },
        "direct": {"model": "recorded:qwen-0.5b-burnt-3-6", "price": "hc1", "hardware": "hc1"},
        "stand_ins": {
            "small": "a 0.5B for an 8B on a GPU",
            "large": "a 1.5B for a 70B on GPUs",
            "call": "the 0.5B burnt to 3 and 6 bits for the 8B on hard-wired silicon",
        },
    },
    "between": {
        "legacy": {
            "small": "recorded:smollm2-135m",
            "small_price": "deepinfra-8b",
            "small_hardware": "h100-8b",
            "large": "recorded:qwen-1.5b",
            "large_price": "gpt-4o",
            "large_hardware": "gpt-4o",
            "settings": {"small_limit_s": 60.0},
        },
        "direct": {"model": "recorded:qwen-0.5b", "price": "cerebras-70b", "hardware": "cerebras-70b"},
        "stand_ins": {
            "small": "a 135M for an 8B on a GPU",
            "large": "a 1.5B for gpt-4o",
            "call": "a 0.5B between them for a 70B on Cerebras",
        },
    },
}


def default_file(file: Path | None) -> Path | None:
    """The file that was named, or else `crossover.toml` where there is one, which is said on stderr."""
    if file is None and DEFAULT_FILE.is_file():
        print(f"crossover: scenario {DEFAULT_FILE}", file=sys.stderr)
        return DEFAULT_FILE
    return file


def load(
    file: Path | None = None,
    *,
    preset: str | None = None,
    small: str | None = None,
    direct: str | None = None,
    large: str | None = None,
    live: bool = False,
    limit: int | None = None,
    seed: int | None = None,
) -> Scenario:
    """The scenario of a file, or of a preset without one, with flags over it. Raises `BadInput` naming line and key."""
    source = TomlSource(file)
    given = source.given
    if preset and given.get("preset", preset) != preset:
        raise source.error(
            ("preset",), f"the file is over another preset than --preset {preset}; leave out the one or the other"
        )
    name = preset or given.pop("preset", "hardwired")
    given.pop("preset", None)
    if not isinstance(name, str) or name not in PRESETS:
        near = nearest(name, PRESETS) if isinstance(name, str) else ""
        raise source.error(("preset",), f"preset {name!r} is unknown; use one of {', '.join(PRESETS)}{near}")
    for section in ("traffic", "legacy", "direct"):
        if not isinstance(given.setdefault(section, {}), dict):
            raise source.error((section,), f"this is no table; write [{section}]")
    base = {"preset": name, **PRESETS[name], "stand_ins": {}}
    stand_ins = dict(PRESETS[name]["stand_ins"])
    for section, kinds in (("legacy", ("small", "large")), ("direct", ("call",))):
        kind = given[section].setdefault("kind", "builtin")
        if kind != "builtin":  # nothing of the preset's pipeline holds for another system
            base.pop(section)
            for each in kinds:
                del stand_ins[each]
    for section, key, price, kind, flag in (
        ("legacy", "small", "small_price", "small", small),
        ("legacy", "large", "large_price", "large", large),
        ("direct", "model", "price", "call", direct),
    ):
        if given[section]["kind"] != "builtin":
            if flag is not None:
                option = "direct" if section == "direct" else key
                raise source.error((section, "kind"), f"--{option} names a model of the built-in pipeline")
            continue
        if flag is not None:
            given[section][key] = flag
            given[section].pop(price, None)
            if not flag.startswith("recorded:"):
                given[section] = {name: value for name, value in given[section].items() if "hardware" not in name}
        if given[section].get(key, base[section][key]) != base[section][key]:
            # another model is not what the preset's price and stand-in were for
            given[section].setdefault(price, None)
            del stand_ins[kind]
        elif (row := key_of_hardware(kind)[1]) in given[section] and given[section][row] != base[section].get(row):
            del stand_ins[kind]  # on other hardware it stands for that one's model, which every output says
    _leave_hardware(base, given, live=live)
    given.setdefault("stand_ins", stand_ins)
    merged = _merge(base, given)
    if live:
        for places in (merged["legacy"], merged["direct"]):
            for key in ("small", "large", "model"):
                if places["kind"] == "builtin" and str(places.get(key, "")).startswith("recorded:"):
                    places[key] = "local:" + places[key].removeprefix("recorded:")
    if limit is not None:
        merged["traffic"]["limit"] = limit
    if seed is not None:
        merged["seed"] = seed
    try:
        scenario = Scenario.model_validate(merged, context=source)
    except ValidationError as error:
        raise source.invalid(error, merged, Scenario) from None
    _check_hosts(scenario, source)
    _check_logs(scenario, source)
    _check_hardware(scenario, source)
    return scenario


def _leave_hardware(base: dict[str, Any], given: dict[str, Any], *, live: bool) -> None:
    """The preset's hardware holds for an arm whose models are all recorded: a live model takes its own time."""
    for section, keys in (("legacy", ("small", "large")), ("direct", ("model",))):
        if section in base:
            places = [str(given[section].get(key, base[section][key])) for key in keys]
            if live or not all(place.startswith("recorded:") for place in places):
                base[section] = {key: value for key, value in base[section].items() if "hardware" not in key}
            if live:
                given[section] = {key: value for key, value in given[section].items() if "hardware" not in key}


def _check_hardware(scenario: Scenario, source: TomlSource) -> None:
    from shared.hardware.catalogue import catalogue

    files = [scenario.path(file) for file in scenario.hardware.files]
    known = catalogue(*files)
    for row, figures in scenario.assume.items():
        if row not in known:
            raise source.error(("assume", row), f"hardware {row!r} is unknown{nearest(row, known)}")
        try:
            known[row].with_assumed({name: each.figure() for name, each in figures.items()})
        except BadInput as error:
            raise source.error(("assume", row), str(error)) from None
    for kind, row in scenario.hardware_rows.items():
        place = scenario.places[kind]
        if row not in known:
            raise source.error(
                key_of_hardware(kind), f"hardware {row!r} is unknown; `crossover hardware list`{nearest(row, known)}"
            )
        if not place.startswith("recorded:"):
            raise source.error(
                key_of_hardware(kind), f"{place} takes its own time; hardware is for recorded: models, so leave it out"
            )
    if isinstance(scenario.legacy, Legacy) and len({"small", "large"} & set(scenario.hardware_rows)) == 1:
        missing = "large" if "small" in scenario.hardware_rows else "small"
        raise source.error(
            key_of_hardware("small" if missing == "large" else "large"),
            f"the other model has no hardware, so their times cannot be compared; give {missing}_hardware too",
        )


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in base.items()}
    for key, value in over.items():
        old = merged.get(key)
        whole = key.endswith("price")  # a price of one's own is no change to the preset's
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) and not whole else value
    return merged


def _check_hosts(scenario: Scenario, source: TomlSource) -> None:
    places = [place.partition(":")[2] for place in scenario.places.values() if place.startswith("http:")]
    places += [arm.base_url or "" for arm in scenario.arms.values() if isinstance(arm, Http) and not arm.api_key_env]
    hosts = {urlsplit(place).netloc for place in places} - {""}
    if len(hosts) > 1 and os.environ.get(KEY_VARIABLE):
        raise source.error(
            (),
            f"{KEY_VARIABLE} would be sent to {len(hosts)} different hosts; unset it, or reach one of them through "
            'litellm: or kind = "http" with api_key_env, with a key of its own',
        )


def _check_logs(scenario: Scenario, source: TomlSource) -> None:
    if not scenario.logs:
        if scenario.quality.scorer:
            raise source.error(("quality", "scorer"), "a scorer is for logs; tasks.toml names those of a workload")
        return
    if keys := sorted({"workload", "repeat_share", "zipf"} & scenario.traffic.model_fields_set):
        raise source.error(
            ("traffic", keys[0]), f"a log is the traffic, with the repeats that it has; leave out {', '.join(keys)}"
        )
    if scenario.quality.scorer == "outcome":
        raise source.error(
            ("quality", "scorer"),
            "outcome is for imported tables of graded outcomes; choose label, numeric, short_answer, json_fields or "
            "grammar, or leave it out",
        )
    for kind, place in scenario.places.items():
        if place.startswith("recorded:"):
            raise source.error(
                key_of_place(kind),
                f"{place} has no answers to the questions of a log; name a local:, litellm: or http: model",
            )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file. A preset fills in what is missing, so less is needed than in a `Scenario`."""
    schema = Scenario.model_json_schema()
    for part in (schema, schema["$defs"]["Legacy"], schema["$defs"]["Direct"]):
        del part["required"]
    schema["$schema"], schema["title"] = "https://json-schema.org/draft/2020-12/schema", "crossover scenario"
    schema["properties"]["preset"]["enum"] = list(PRESETS)
    return schema
