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
class Goodput:
    """`within` of `asked` requests kept both limits: `requests_s` a second, and their `share` in [0, 1]."""

    within: int
    asked: int
    requests_s: float
    share: float


def tpot_s(first_token_s: Column, done_s: Column, output_tokens: Column) -> npt.NDArray[np.float64]:
    """Seconds for each token after the first: (done - first) / (tokens - 1), MLPerf's definition; one a request.

    NaN where a part of it was not measured, and for an answer of one token or none, which has no such pace.
    """
    import numpy as np

    first, done, tokens = (_floats(each) for each in (first_token_s, done_s, output_tokens))
    return np.where(tokens > 1, (done - first) / np.maximum(tokens - 1, 1), np.nan)


def goodput(
    first_token_s: Column,
    done_s: Column,
    output_tokens: Column,
    answered: Sequence[bool] | npt.NDArray[np.bool_],
    *,
    seconds: float,
    limits: Limits = DEFAULT,
) -> Goodput | None:
    """Over `seconds` of load. Times count from the scheduled send of each request: that is when somebody began to wait.

    None where an answered request lacks a time that a limit is about, where nothing was asked, or in no time.
    """
    import numpy as np

    first, tokens, good = _floats(first_token_s), _floats(output_tokens), np.asarray(answered, dtype=bool)
    pace = tpot_s(first, done_s, tokens)
    unknown = np.isnan(first) | (np.isnan(pace) & ~(tokens <= 1))
    if not len(good) or seconds <= 0 or unknown[good].any():
        return None
    within = int(np.count_nonzero(good & (first <= limits.ttft_s) & ((pace <= limits.tpot_s) | (tokens <= 1))))
    return Goodput(within, len(good), within / seconds, within / len(good))


def _floats(values: Any) -> npt.NDArray[np.float64]:
    import numpy as np

    return np.asarray(values, dtype=np.float64)
