"""What was asked for: a preset, a TOML file over it, flags over both.

    seed = 7
    [traffic]  repeat_share = 0.31
    [legacy]   small = "recorded:qwen-0.5b"  large = "recorded:qwen-1.5b"  small_price = "..."  large_price = "..."
    [direct]   model = "recorded:qwen-0.5b-burnt-3-6"  price = "..."

Each model place takes `recorded:NAME`, `local:NAME`, `litellm:NAME` or `http:URL#MODEL`. `[legacy.settings]` takes
the legacy pipeline's own knobs; the direct one has none.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from legacy_pipeline.settings import Settings as LegacySettings
from shared.errors import BadInput

KINDS: Final = ("recorded", "local", "litellm", "http")


def _known_kind(text: str) -> str:
    kind, _, name = text.partition(":")
    if kind not in KINDS or not name:
        raise ValueError(f"{text!r} is no model; write recorded:NAME, local:NAME, litellm:NAME or http:URL#MODEL")
    if kind == "http":
        url = urlsplit(name)
        if "@" in url.netloc:
            raise ValueError("the URL holds a user or a password; put the key into CROSSOVER_API_KEY")
        if not (url.scheme in ("http", "https") and url.netloc and url.fragment):
            raise ValueError(f"{text!r} needs a URL and a model: http:https://host/v1#MODEL")
    return text


ModelPlace = Annotated[str, AfterValidator(_known_kind)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Traffic(_Strict):
    """Every test question once, in random order, and repeats among them.

    A repeat asks a question again that was asked before, the popular ones more often: popularity follows a Zipf law
    over a random ranking. The default share is what a study of real users' questions found (MeanCache, arXiv
    2403.02694: about 31 %).
    """

    repeat_share: float = Field(
        default=0.31, ge=0, le=0.99, description="Share of requests that repeat an earlier one."
    )
    zipf: float = Field(default=1.0, ge=0, le=10, description="Exponent of the popularity of what is repeated.")
    limit: int | None = Field(default=None, ge=1, description="Stop after so many requests; None: all.")


class Legacy(_Strict):
    """The two models of the legacy pipeline and what their tokens cost."""

    small: ModelPlace
    large: ModelPlace
    small_price: str | None = None
    large_price: str | None = None
    settings: LegacySettings = LegacySettings()


class Direct(_Strict):
    """The one model of the direct pipeline."""

    model: ModelPlace
    price: str | None = None


class Scenario(_Strict):
    """One comparison, complete."""

    preset: str
    seed: int = 7
    deadline_s: float = Field(default=120.0, gt=0, description="Seconds each request may take.")
    traffic: Traffic = Traffic()
    legacy: Legacy
    direct: Direct
    stand_ins: dict[str, str] = Field(
        default_factory=dict, description="What the small, large and call model stand for."
    )

    @property
    def places(self) -> dict[str, str]:
        """The model of each kind of call."""
        return {"small": self.legacy.small, "large": self.legacy.large, "call": self.direct.model}

    @property
    def one_by_one(self) -> bool:
        """Whether the arms must run one after the other: models live on this machine slow each other down."""
        return any(place.startswith("local:") for place in self.places.values())

    @property
    def named_prices(self) -> dict[str, str | None]:
        """The list price named for each kind of call."""
        return {"small": self.legacy.small_price, "large": self.legacy.large_price, "call": self.direct.price}


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "hardwired": {
        "legacy": {
            "small": "recorded:qwen-0.5b",
            "small_price": "llama-3.1-8b@deepinfra-turbo",
            "large": "recorded:qwen-1.5b",
            "large_price": "llama-3.3-70b@deepinfra-turbo",
            "settings": {"small_limit_s": 60.0},  # live, the stand-ins run on a CPU
        },
        "direct": {"model": "recorded:qwen-0.5b-burnt-3-6", "price": "llama-3.1-8b@hc1"},
        "stand_ins": {
            "small": "a 0.5B for an 8B on a GPU",
            "large": "a 1.5B for a 70B on GPUs",
            "call": "the 0.5B burnt to 3 and 6 bits for the 8B on hard-wired silicon",
        },
    },
    "between": {
        "legacy": {
            "small": "recorded:smollm2-135m",
            "small_price": "llama-3.1-8b@deepinfra-turbo",
            "large": "recorded:qwen-1.5b",
            "large_price": "gpt-4o",
            "settings": {"small_limit_s": 60.0},
        },
        "direct": {"model": "recorded:qwen-0.5b", "price": "llama-3.3-70b@cerebras"},
        "stand_ins": {
            "small": "a 135M for an 8B on a GPU",
            "large": "a 1.5B for gpt-4o",
            "call": "a 0.5B between them for a 70B on Cerebras",
        },
    },
}


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
    """The scenario of a file, or of a preset without one, with flags over it. Raises `BadInput`."""
    where, given = "the command line", {}
    if file:
        where = str(file)
        try:
            given = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BadInput(f"{file} is missing") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadInput(f"{file}: not TOML in UTF-8 ({error})") from None
    name = preset or given.pop("preset", "hardwired")
    given.pop("preset", None)
    if not isinstance(name, str) or name not in PRESETS:
        raise BadInput(f"{where}: preset {name!r} is unknown; use one of {', '.join(PRESETS)}")
    for section in ("traffic", "legacy", "direct"):
        if not isinstance(given.setdefault(section, {}), dict):
            raise BadInput(f"{where}: key `{section}`: this is no table; write [{section}]")
    stand_ins = dict(PRESETS[name]["stand_ins"])
    for section, key, price, kind, flag in (
        ("legacy", "small", "small_price", "small", small),
        ("legacy", "large", "large_price", "large", large),
        ("direct", "model", "price", "call", direct),
    ):
        if flag is not None:
            given[section] |= {key: flag, price: None}
        if key in given[section]:  # another model is not what the preset's price and stand-in were for
            given[section].setdefault(price, None)
            del stand_ins[kind]
    given.setdefault("stand_ins", stand_ins)
    merged = _merge({"preset": name, **PRESETS[name], "stand_ins": {}}, given)
    if live:
        for places in (merged["legacy"], merged["direct"]):
            for key in ("small", "large", "model"):
                if str(places.get(key, "")).startswith("recorded:"):
                    places[key] = "local:" + places[key].removeprefix("recorded:")
    if limit is not None:
        merged["traffic"]["limit"] = limit
    if seed is not None:
        merged["seed"] = seed
    try:
        scenario = Scenario.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{where}: key `{'.'.join(map(str, first['loc']))}`: {first['msg']}") from None
    hosts = {
        urlsplit(place.partition(":")[2]).netloc for place in scenario.places.values() if place.startswith("http:")
    }
    if len(hosts) > 1 and os.environ.get("CROSSOVER_API_KEY"):
        raise BadInput(
            f"{where}: CROSSOVER_API_KEY would be sent to {len(hosts)} different hosts; unset it, or reach one of them "
            "through litellm: with a key of its own"
        )
    return scenario


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in base.items()}
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


Arm = Literal["legacy", "direct"]
ARMS: Final[tuple[Arm, Arm]] = ("legacy", "direct")
