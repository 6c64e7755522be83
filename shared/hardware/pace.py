"""How long an answer takes on one hardware, from its figures: first token, prompt, and pace, for one request alone.

What several requests do to each other (capacity, queues, limits) is in `shared/backends/emulated.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from shared.errors import BadInput
from shared.hardware.catalogue import Hardware, assumptions

NEEDED: Final = ("first_token_s", "prompt_token_s", "tok_s")
"""Without these no time can be given."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of one request alone, and the limits of the deployment; a limit that nobody knows is None.

    `first_token_s` is that of an empty prompt, `prompt_token_s` comes for each token of the prompt, `token_s` for each
    token of the answer after its first.
    """

    first_token_s: float
    prompt_token_s: float
    token_s: float
    capacity: int | None
    in_flight: int | None
    context_tokens: int | None
    beyond_context: Literal["refuse", "empty"]

    def until_first(self, input_tokens: int) -> float:
        """Seconds from the request to its first token."""
        return self.first_token_s + input_tokens * self.prompt_token_s

    def seconds(self, input_tokens: int, output_tokens: int) -> float:
        """Seconds from the request to its last token: `until_first` + (output - 1) x token_s.

        MLPerf defines the time per output token as (total - time to first token) / (output - 1); this solves it for the
        total. An empty answer takes as long as a first token.
        """
        return self.until_first(input_tokens) + max(0, output_tokens - 1) * self.token_s


def pace(hardware: Hardware) -> Pace:
    """The pace of one hardware. Raises `BadInput` naming the figures that are unknown and would have to be assumed.

    A time to first token that was measured with a prompt of known length has that prompt's share taken out, so that the
    measured case comes out as measured: first_token_s - prompt_tokens x prompt_token_s, and never below zero.
    """
    if unknown := [name for name in NEEDED if hardware.value(name) is None]:
        shipped = [name for name in unknown if name in assumptions().get(hardware.id, {})]
        remedy = " (the shipped assumption was not applied)" if shipped else ""
        raise BadInput(
            f"hardware {hardware.id}: {', '.join(unknown)} unknown{remedy}, so no time can be given; assume it, as in "
            f'[assume.{hardware.id}] {unknown[0]} = {{ value = ..., low = ..., high = ..., why = "..." }}'
        )
    first, prompt, tok_s = (hardware.value(name) or 0.0 for name in NEEDED)
    read = hardware.figures["first_token_s"].prompt_tokens or 0
    return Pace(
        first_token_s=max(0.0, first - read * prompt),
        prompt_token_s=prompt,
        token_s=1 / tok_s,
        capacity=_count(hardware, "capacity"),
        in_flight=_count(hardware, "in_flight"),
        context_tokens=_count(hardware, "context_tokens"),
        beyond_context=hardware.beyond_context,
    )


def _count(hardware: Hardware, figure: str) -> int | None:
    value = hardware.value(figure)
    return None if value is None else int(value)
