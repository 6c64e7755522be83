"""Goodput: requests a second that kept both limits, on the first word and on the pace of the rest.

Throughput counts late answers as if they were any use. Limits are MLPerf Inference's for interactive use, by default
those of Llama 3.1 8B. A request that failed keeps no limit; what was not measured is no answer to the question, so one
answer without its times makes the whole "not measured" (None).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Column: TypeAlias = "Sequence[float | None] | npt.NDArray[np.float64]"
"""One entry a request. None and NaN alike are not measured."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most seconds to the first token (TTFT), and for each one after it (TPOT), at which an answer counts."""

    ttft_s: float
    tpot_s: float


MLPERF: Final = {"llama3.1-8b": Limits(0.5, 0.03), "llama2-70b": Limits(0.45, 0.04)}
"""MLPerf Inference's limits for interactive use, by its names for the models."""
DEFAULT: Final = MLPERF["llama3.1-8b"]


@dataclass(frozen=True, slots=True)
class Requests:
    """One entry a request. Times count from its scheduled send: that is when somebody began to wait."""

    first_token_s: Column
    done_s: Column
    output_tokens: Column
    answered: Sequence[bool] | npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Goodput:
    """`within` of `asked` requests kept both limits, their `share` in [0, 1]; `requests_s` such answers came a second.

    `requests_s` is None where the run is too short for a rate.
    """

    within: int
    asked: int
    requests_s: float | None
    share: float


def tpot_s(first_token_s: Column, done_s: Column, output_tokens: Column) -> npt.NDArray[np.float64]:
    """Seconds for each token after the first: (done - first) / (tokens - 1), MLPerf's definition; one a request.

    NaN where a part of it was not measured, and for an answer of one token or none, which has no such pace.
    """
    import numpy as np

    first, done, tokens = (_floats(each) for each in (first_token_s, done_s, output_tokens))
    return np.where(tokens > 1, (done - first) / np.maximum(tokens - 1, 1), np.nan)


def goodput(asked: Requests, finished: Requests, *, seconds: float | None, limits: Limits = DEFAULT) -> Goodput | None:
    """The share of the requests `asked`, and the rate of those `finished` in a window of `seconds`.

    They are not the same ones: what was asked last is answered after the window, what was asked before it may be
    answered inside. Counted by its answers, goodput is a part of the rate that was achieved. `seconds` is None where
    the window is too short for a rate. None where an answered request lacks a time that a limit is about, or where
    nothing was asked.
    """
    share, rate = within(asked, limits), within(finished, limits)
    if share is None or rate is None or not len(asked.answered):
        return None
    return Goodput(share, len(asked.answered), rate / seconds if seconds else None, share / len(asked.answered))


def within(requests: Requests, limits: Limits) -> int | None:
    """How many were answered and kept both limits; None where an answered one lacks a time."""
    import numpy as np

    first, tokens = _floats(requests.first_token_s), _floats(requests.output_tokens)
    good = np.asarray(requests.answered, dtype=bool)
    pace = tpot_s(first, requests.done_s, tokens)
    unknown = np.isnan(first) | (np.isnan(pace) & ~(tokens <= 1))
    if unknown[good].any():
        return None
    return int(np.count_nonzero(good & (first <= limits.ttft_s) & ((pace <= limits.tpot_s) | (tokens <= 1))))


def _floats(values: Any) -> npt.NDArray[np.float64]:
    import numpy as np

    return np.asarray(values, dtype=np.float64)
