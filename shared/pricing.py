"""What tokens cost: list prices of the hardware catalogue. Unknown stays None, and whatever rests on it is None too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.contract import Standing, Usage
from shared.errors import BadInput
from shared.hardware.catalogue import Hardware, catalogue


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens, in and out, or else per call; None where nobody has published one."""

    name: str
    input_usd: float | None
    output_usd: float | None
    source: str
    standing: Standing = "assumed"
    per_call_usd: float | None = None

    @property
    def known(self) -> bool:
        """Whether a call with known tokens has a known cost."""
        return self.per_call_usd is not None or None not in (self.input_usd, self.output_usd)

    def cost(self, usage: Usage) -> float | None:
        """US dollars of one call, or None where a price or a token count is unknown."""
        if self.per_call_usd is not None:
            return self.per_call_usd
        if None in (self.input_usd, self.output_usd, usage.input_tokens, usage.output_tokens):
            return None
        return (usage.input_tokens * self.input_usd + usage.output_tokens * self.output_usd) / 1e6  # type: ignore[operator]


UNKNOWN: Final = Price("unknown", None, None, "no list price known", "unknown")


def token_price(hardware: Hardware) -> Price:
    """The price of a token on this hardware, by the id of its entry; unknown where its entry knows none.

    A list price is known, and still "assumed": the models that answer here are stand-ins for those it is the price of.
    """
    given, asked = hardware.figures["input_usd_per_mtok"], hardware.figures["output_usd_per_mtok"]
    source = ", ".join(filter(None, (asked.source, asked.date))) or UNKNOWN.source
    if given.value is None or asked.value is None:
        return Price(hardware.id, None, None, source, "unknown")
    return Price(hardware.id, given.value, asked.value, source)


PRICES: Final = {
    id_: token_price(hardware)
    for id_, hardware in catalogue().items()
    if hardware.figures["output_usd_per_mtok"].source  # a price, or somebody who says that there is none
}
"""The list prices by name: the ids of the shipped hardware that is priced by the token, or is to be."""


def find(name: str) -> Price:
    """The price of that name. Raises `BadInput` listing the names."""
    try:
        return PRICES[name]
    except KeyError:
        raise BadInput(f"price {name!r} is unknown; use one of {', '.join(PRICES)}") from None
