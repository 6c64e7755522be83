"""What an answer costs and how long it takes: of one model on one hardware, and of a cascade over two.

One request alone, at fixed token counts: no queues, no retries. What the cascade's own cache and classifier cost is
left out, in its favour, and a repeated request costs nothing and takes no time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from benchmarks.cost.rates import rate_of
from benchmarks.cost.uncertain import Draws
from benchmarks.cost_settings import CostSettings
from benchmarks.published.assumptions import CLAIMED_CHEAPER, CLAIMED_FOR, SERVED, Assumed, Tokens
from benchmarks.published.model import Routed
from shared.contract import Usage
from shared.errors import BadInput
from shared.hardware.catalogue import Hardware, find
from shared.hardware.pace import Pace, pace
from shared.pricing import UNKNOWN, Price, token_price


class Sizes(NamedTuple):
    """Tokens of a question and of its answer."""

    input: int
    output: int


def sizes(tokens: Tokens) -> list[Sizes]:
    """The assumed counts, then the four corners of their ranges."""

    def ends(assumed: Assumed) -> tuple[int, int]:
        return round(assumed.low), round(assumed.high)

    corners = [Sizes(i, o) for i in ends(tokens.input) for o in ends(tokens.output)]
    return [Sizes(round(tokens.input.value), round(tokens.output.value)), *corners]


@dataclass(frozen=True, slots=True)
class Reach:
    """One model where it runs. `claimed` is a price that a vendor's claim leads to, where the price is not known."""

    id: str
    model: str
    price: Price
    pace: Pace | None
    claimed: Price | None = None

    def usd(self, size: Sizes, price: Price | None = None) -> float | None:
        """US dollars of one answer, at the row's price unless another is given."""
        return (price or self.price).cost(Usage(*size))

    def seconds(self, size: Sizes) -> float | None:
        return None if self.pace is None else self.pace.seconds(*size)


NOWHERE: Final = Reach("", "", UNKNOWN, None)


def on_hardware(hardware: Hardware) -> Reach:
    """A row with its assumptions; no pace where even those do not say it.

    Its list price, else what a token takes of its rent at the utilisation that `[cost]` assumes, else what is claimed.
    """
    row, settings = hardware.with_shipped(), CostSettings()
    try:
        known: Pace | None = pace(row)
    except BadInput:
        known = None
    price, rate = token_price(hardware), rate_of(token_price(hardware), row, settings)
    if rate.rented:
        prompt, output, _ = rate.usd(settings, Draws())
        price = Price(row.id, prompt * 1e6, output * 1e6, "rent of the whole deployment, shared by its throughput")
    return Reach(row.id, row.model, price, known, None if price.known else _claimed(hardware))


def in_cascade(model: str, rows: Mapping[str, Reach]) -> Reach:
    """Where a cascade reaches this model: one row's list price, another's pace; nowhere for a model not in `SERVED`."""
    if (served := SERVED.get(model)) is None:
        return NOWHERE
    return Reach(served.paced, model, rows[served.priced].price, rows[served.paced].pace)


def stands_for(reach: Reach, model: str) -> bool:
    """Whether this row serves the model of that name in an outcome file."""
    served = SERVED.get(model)
    return reach.model in (served.models if served else (model,))


def cascade_usd(routed: Routed, hit_rate: float, small: Reach, large: Reach, size: Sizes) -> float | None:
    """US dollars per acceptable decision: what a request costs on average over the share of right answers.

    (1 - hit rate) x ((1 - share) x small + share x large) / quality; a model that nobody is sent to may be unknown.
    """
    usd = _mixed(routed.share, small.usd(size), large.usd(size))
    return None if usd is None or not routed.quality else (1 - hit_rate) * usd / routed.quality


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of a cascade's answers, of which some come from the cache, some from either model."""

    mean_s: float | None
    p50_s: float | None
    p99_s: float | None


def cascade_times(routed: Routed, hit_rate: float, small: Reach, large: Reach, size: Sizes) -> Times:
    """Mean and percentiles of the three times there are: none for a hit, the small model's, the large one's."""
    mean = _mixed(routed.share, small.seconds(size), large.seconds(size))
    if mean is None:
        return Times(None, None, None)
    parts = [
        (0.0, hit_rate),
        (small.seconds(size) or 0.0, (1 - hit_rate) * (1 - routed.share)),
        (large.seconds(size) or 0.0, (1 - hit_rate) * routed.share),
    ]
    return Times((1 - hit_rate) * mean, _percentile(parts, 0.5), _percentile(parts, 0.99))


def _percentile(parts: Sequence[tuple[float, float]], level: float) -> float:
    below = 0.0
    for seconds, share in sorted(parts):
        below += share
        if share and below >= level - 1e-12:
            return seconds
    return max(seconds for seconds, share in parts if share)


def _mixed(share: float, small: float | None, large: float | None) -> float | None:
    if (small is None and share < 1) or (large is None and share > 0):
        return None
    return (1 - share) * (small or 0.0) + share * (large or 0.0)


def _claimed(hardware: Hardware) -> Price | None:
    served = next((each for each in SERVED.values() if hardware.model in each.models), None)
    if hardware.id != CLAIMED_FOR or served is None:
        return None
    listed = token_price(find(served.priced))
    if listed.input_usd is None or listed.output_usd is None:
        return None
    return Price(
        hardware.id,
        listed.input_usd / CLAIMED_CHEAPER,
        listed.output_usd / CLAIMED_CHEAPER,
        f"the list price of {listed.name} over {CLAIMED_CHEAPER:g}",
        "vendor-claimed",
    )
