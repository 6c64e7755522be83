"""From raw samples to figures: latencies with their intervals, rates, goodput, differences, and what is not claimed.

All seconds. Percentiles are over the answered requests after the warm-up, in the order of their arrival.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.latency.driver import Samples, dispatch
from benchmarks.latency.floor import claim, floor
from benchmarks.latency.goodput import Requests, goodput, tpot_s
from benchmarks.latency.paired_delta import delta
from benchmarks.latency.quantiles import Estimate, of_series
from benchmarks.latency.saturation import ACHIEVED
from benchmarks.loading.plan import Plan, WarmUp
from benchmarks.loading.running import Ran

if TYPE_CHECKING:
    from numpy import bool_, float64
    from numpy.typing import NDArray

QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
KINDS_SHOWN: Final = 5
MEASURES: Final = ("service_s", "since_scheduled_s")
LEAST_GAPS: Final = 20
"""Gaps between requests that a rate needs. One answer is already 5 % of so few, which is all that a target may miss."""
MOST_BY_CHANCE: Final = 0.2
"""Of a short run, the share of the answers that may still be under way at its end and yet be no backlog."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What counts of one target's blocks, in the order of the requests' numbers; NaN where not measured.

    `seconds` is the length of the blocks' windows, from the first request after the warm-up to the last one that was
    due, with `gaps` between their requests. `finished` holds the answers that came in them, also to requests of the
    warm-up.
    """

    number: NDArray[float64]
    answered: NDArray[bool_]
    service_s: NDArray[float64]
    since_scheduled_s: NDArray[float64]
    first_token_s: NDArray[float64]
    dispatch_s: NDArray[float64]
    output_tokens: NDArray[float64]
    seconds: float
    gaps: int
    finished: Requests

    @property
    def rated_s(self) -> float | None:
        """Seconds to take rates over; None where there are too few gaps for one."""
        return self.seconds if self.gaps >= LEAST_GAPS and self.seconds else None

    @property
    def achieved_req_s(self) -> float | None:
        """Answers a second, at whichever time they were asked for."""
        return len(self.finished.answered) / self.rated_s if self.rated_s else None


def keep(blocks: Sequence[Samples], warm_up: WarmUp) -> Kept:
    """Leave out the warm-up of each block. Requests are numbered on from block to block."""
    import numpy as np

    columns: list[NDArray[float64]] = []
    came: list[NDArray[float64]] = []
    window_s, gaps = 0.0, 0
    for block in blocks:
        number, due, sent, first, done, tokens = (
            np.frombuffer(each) if each else np.empty(0)
            for each in (
                block.number, block.scheduled_s, block.sent_s, block.first_token_s, block.done_s, block.output_tokens,
            )
        )  # fmt: skip
        order = np.argsort(number)
        answered = np.array([int(each) not in block.errors for each in number], dtype=bool)
        table = np.stack([number, answered, done - sent, done - due, first - due, sent - due, tokens])
        if not len(number):
            continue
        last = float(due.max())
        counts = due >= warm_up.ends(last)
        columns.append(table[:, order][:, counts[order]])
        if counts.any():
            begin = float(due[counts].min())
            window_s += last - begin
            gaps += int(counts.sum()) - 1
            inside = answered & (done > begin) & (done <= last)
            came.append(np.stack([first - due, done - due, tokens])[:, inside])
    rows = np.concatenate(columns, axis=1) if columns else np.empty((7, 0))
    number, answered, service, since, first, late, tokens = rows
    in_time = np.concatenate(came, axis=1) if came else np.empty((3, 0))
    finished = Requests(in_time[0], in_time[1], in_time[2], np.ones(in_time.shape[1], dtype=bool))
    return Kept(number, answered.astype(bool), service, since, first, late, tokens, window_s, gaps, finished)


def target(plan: Plan, ran: Ran, kept: Kept) -> dict[str, Any]:
    """What is published of one target."""
    ok, paced, limits = kept.answered, plan.users is None, plan.limits
    errors = Counter(error for block in ran.blocks for error in block.errors.values())
    asked = Requests(kept.first_token_s, kept.since_scheduled_s, kept.output_tokens, ok)
    good = goodput(asked, kept.finished, seconds=kept.rated_s, limits=limits)
    sent = dispatch(kept.dispatch_s, kept.service_s[ok]) if paced else None
    return {
        "standing": ran.standing,
        "requests": sum(len(block) for block in ran.blocks),
        "measured": len(ok),
        "answered": int(ok.sum()),
        "errors": {"total": errors.total(), "kinds": dict(errors.most_common(KINDS_SHOWN))},
        "offered_req_s": kept.gaps / kept.rated_s if paced and kept.rated_s else None,
        "achieved_req_s": kept.achieved_req_s,
        "reached": _reached(kept) if paced else None,
        "service_s": latencies(kept.service_s[ok]),
        "since_scheduled_s": latencies(kept.since_scheduled_s[ok]),
        "first_token_s": latencies(kept.first_token_s[ok]),
        "token_s": latencies(_known(tpot_s(kept.first_token_s, kept.since_scheduled_s, kept.output_tokens)[ok])),
        "goodput": asdict(good) | asdict(limits) if good else None,
        "dispatch_s": {"p50": sent.p50_s, "p99": sent.p99_s, "most": sent.most_s, "bound": sent.bound_s}
        if sent
        else None,
        "most_in_flight": max((block.most_in_flight for block in ran.blocks), default=0),
        "void": sent.void if sent and not plan.virtual else None,
        "partial": ran.stopped,
        "notes": list(ran.notes),
    }


def latencies(values_s: NDArray[float64]) -> dict[str, Any] | None:
    """Mean and percentiles; None where one of the requests lacks the time, or there are none."""
    import numpy as np

    if not len(values_s) or np.isnan(values_s).any():
        return None
    return {"mean": float(values_s.mean())} | {
        name: _told(of_series(values_s, share)) for name, share in QUANTILES.items()
    }


def floors(null: Kept | None) -> dict[str, dict[str, float | None]]:
    """What the harness cannot see, by measure and percentile: 0 where there is no null target, in virtual time."""
    found: dict[str, dict[str, float | None]] = {}
    for measure in MEASURES:
        values = None if null is None else getattr(null, measure)[null.answered]
        found[measure] = {name: 0.0 if values is None else floor(values, share) for name, share in QUANTILES.items()}
    return found


def deltas(first: Kept, second: Kept, floor_s: Mapping[str, Mapping[str, float | None]]) -> dict[str, Any]:
    """Second minus first over the requests that both answered: percentiles of the differences, and differences of the
    percentiles, each with what may be claimed of it."""
    import numpy as np

    both, one, other = np.intersect1d(
        first.number[first.answered], second.number[second.answered], assume_unique=True, return_indices=True
    )
    found: dict[str, Any] = {"pairs": len(both)}
    for measure in MEASURES:
        pair = (
            getattr(first, measure)[first.answered][one],
            getattr(second, measure)[second.answered][other],
        )
        found[measure] = {}
        for name, share in QUANTILES.items():
            apart = delta(*pair, share)
            found[measure][name] = {
                kind: {"estimate": _told(each), "claim": claim(each.value if each else None, floor_s[measure][name])}
                for kind, each in (("of_differences", apart.of_differences), ("of_quantiles", apart.of_quantiles))
            }
    return found


def _reached(kept: Kept) -> bool | None:
    """Whether the target kept up: 95 % of the rate was answered. What is still under way by chance is no backlog: a
    standard deviation of as many Poisson arrivals, and never more than a fifth of them. None in too short a run."""
    if not kept.rated_s:
        return None
    missing = kept.gaps - len(kept.finished.answered)
    by_chance = min(math.sqrt(kept.gaps), MOST_BY_CHANCE * kept.gaps)
    return missing <= max((1 - ACHIEVED) * kept.gaps, by_chance)


def _known(values: NDArray[float64]) -> NDArray[float64]:
    """Answers of one token have no pace."""
    import numpy as np

    return values[~np.isnan(values)]


def _told(found: Estimate | None) -> dict[str, float] | None:
    return {"value": found.value, "low": found.low, "high": found.high} if found else None
