"""What tokens cost: list prices with source and date. Unknown stays None, and whatever rests on it is None too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.contract import Standing, Usage
from shared.errors import BadInput


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

_LITELLM: Final = "list price in litellm 1.110.2's price map, 2026-11"

PRICES: Final = {
    price.name: price
    for price in (
        Price("llama-3.1-8b@deepinfra-turbo", 0.02, 0.04, _LITELLM),
        Price("llama-3.3-70b@deepinfra-turbo", 0.10, 0.32, _LITELLM),
        Price("llama-3.3-70b@cerebras", 0.85, 1.20, _LITELLM),
        Price("gpt-4o", 2.50, 10.0, _LITELLM),
        Price("llama-3.1-8b@hc1", None, None, "Taalas has published no price (2026-11)", "unknown"),
    )
}


def find(name: str) -> Price:
    """The price of that name. Raises `BadInput` listing the names."""
    try:
        return PRICES[name]
    except KeyError:
        raise BadInput(f"price {name!r} is unknown; use one of {', '.join(PRICES)}") from None


def break_even_usd(budget_usd: float | None, usages: list[Usage]) -> float | None:
    """US dollars per million tokens, in and out alike, at which `usages` cost `budget_usd` together."""
    if budget_usd is None or not usages:
        return None
    tokens = 0
    for usage in usages:
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        tokens += usage.input_tokens + usage.output_tokens
    return budget_usd / tokens * 1e6 if tokens else None
