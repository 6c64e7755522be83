"""What a token costs: by list price, or by the hours of rented hardware that it takes.

A list price goes first. Where there is none, a token costs what the whole deployment costs in the time that it takes of
it, at the throughput of the whole deployment; one user's pace at an hourly rent would charge one user for all.

    US dollars a second = (rent / 3600 + watts / 1000 / 3600 * price of a kWh) / utilisation
    an output token takes 1 / throughput_tok_s seconds of the deployment, a prompt token prompt_token_s

Reading a prompt keeps the arithmetic units busy by itself, so prompts are charged one after another. A throughput that
was measured with prompts holds the reading of them already; it is then counted twice, to the disadvantage of rent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.cost.uncertain import Array, Draws, zeros
from benchmarks.cost_settings import CostSettings, Range
from shared.pricing import UNKNOWN, Price

if TYPE_CHECKING:
    from shared.hardware.catalogue import Hardware

RENTED: Final = ("rent_usd_per_hour", "throughput_tok_s", "prompt_token_s")


class Dollars(NamedTuple):
    """US dollars a prompt token, an output token and a call."""

    prompt: Array
    output: Array
    call: Array


@dataclass(frozen=True, slots=True)
class Rate:
    """What the tokens of one kind of call cost. `missing` says what is not known; then nothing else is."""

    price: Price = UNKNOWN
    hardware: Hardware | None = None
    missing: str = ""

    @property
    def rented(self) -> bool:
        return self.hardware is not None and not self.missing

    def tokens(self, settings: CostSettings, draws: Draws) -> Dollars:
        """Without power, which a list price holds. Only where nothing is `missing`."""
        if self.hardware is None:
            known = (self.price.input_usd, self.price.output_usd, self.price.per_call_usd)
            prompt, output, call = (draws.of("price", usd or 0.0) for usd in known)
            return Dollars(prompt / 1e6, output / 1e6, call)
        return self._busy(self._figure("rent_usd_per_hour", draws) / 3600, settings, draws)

    def usd(self, settings: CostSettings, draws: Draws) -> tuple[float, float, float]:
        """The figures themselves, power included: US dollars a prompt token, an output token and a call."""
        prices, power = self.tokens(settings, draws), self.power(settings, draws)
        if not isinstance(power, str):
            prices = Dollars(*(price + each for price, each in zip(prices, power, strict=True)))
        return float(prices.prompt[0]), float(prices.output[0]), float(prices.call[0])

    def power(self, settings: CostSettings, draws: Draws) -> Dollars | str:
        """The power on top of a rent, or why there is none."""
        if self.hardware is None:
            return "part of the list price"
        if settings.power_usd_per_kwh is None:
            return "part of the rent, as power_usd_per_kwh is not set"
        kwh = draws.of("power_usd_per_kwh", settings.power_usd_per_kwh)
        return self._busy(self._figure("watts", draws) / 1000 / 3600 * kwh, settings, draws)

    def _busy(self, usd_per_s: Array, settings: CostSettings, draws: Draws) -> Dollars:
        usd_per_s = usd_per_s / draws.of("utilisation", settings.utilisation)
        prompt_s, output_s = self._figure("prompt_token_s", draws), 1 / self._figure("throughput_tok_s", draws)
        return Dollars(usd_per_s * prompt_s, usd_per_s * output_s, zeros())

    def _figure(self, name: str, draws: Draws) -> Array:
        if self.hardware is None:
            raise TypeError("a list price has no hardware")
        known = self.hardware.figures[name]
        if known.value is None or known.low is None or known.high is None:
            return draws.of(name, known.value or 0.0)
        return draws.of(f"{self.hardware.id}.{name}", Range(value=known.value, low=known.low, high=known.high))


def rate_of(price: Price | None, hardware: Hardware | None, settings: CostSettings) -> Rate:
    """The list price where it is known, else the rent of the hardware, else what is missing for either."""
    if price is not None and price.known:
        return Rate(price=price)
    if hardware is None:
        return Rate(missing="no price is known")
    needed = RENTED if settings.power_usd_per_kwh is None else (*RENTED, "watts")
    if lacking := [name for name in needed if hardware.value(name) is None]:
        return Rate(missing=f"of {hardware.id} neither a list price is known nor {' and '.join(lacking)}")
    return Rate(hardware=hardware)
