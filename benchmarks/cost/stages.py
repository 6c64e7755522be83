"""What each stage of the legacy pipeline costs and saves on this traffic: US dollars, seconds and wrong answers.

    legacy - large model for everything = (legacy - no cache) + classifying + (no cache, without classifying - large)
                                        =       cache         + classifier  +               cascade

request by request, so the accounts add up exactly. The two other pipelines are those that were really asked
(`targets/counterfactual.py`). A stage that is taken away later is seen without those before it: the classifier and the
cascade as if there were no cache. All figures are per request; `net` = `costs` - `saves`, so below 0 a stage pays.

Dollars are tokens, storage and the price of wrong answers. Seconds are those that a stage takes or spares, the store
after the answer included, which nobody waits for. A call counts with the time that its hardware takes for it alone:
queues belong to all stages together, and `latency` and `crossover sweep` have them. The classifier saves nothing by
itself: what comes of its choice is the cascade's account, and `routing` is both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from benchmarks.cost.ledger import Rates, is_acceptable
from benchmarks.cost.per_decision import UNPRICED
from benchmarks.cost.uncertain import MOST_GROUPS, Draws, figure, ratio
from benchmarks.cost_settings import CostSettings
from benchmarks.rows import CALLS, Row
from benchmarks.targets.target import REPORTED
from shared.contract import Usage
from shared.hardware.catalogue import Hardware
from shared.hardware.pace import NEEDED, Pace, pace
from shared.steps import Step

STAGES: Final = ("cache", "classifier", "cascade")
LOOK_UP: Final = ("cache", "similar", "store")
WAITS: Final = ("pause", "share")
NOT_ASKED: Final = "nobody asked the large model what legacy left to others"
Entry: TypeAlias = tuple[float, float]
"""What a stage costs and saves on one request."""
Calls: TypeAlias = "Callable[..., float]"
Line: TypeAlias = tuple[Entry, Entry, Entry]
"""The entries of `STAGES`."""
NOTHING: Final[Entry] = (0.0, 0.0)


class _Unknown(Exception):
    """What an account needs and nobody knows."""


@dataclass(frozen=True, slots=True)
class _Request:
    """One request as legacy answered it, without its cache, and always by the large model; None where not asked."""

    legacy: Row
    no_cache: Row | None
    large: Row | None


@dataclass(slots=True)
class Stages:
    """What the accounts are made from. `rates` go by arm and kind of call, `hardware` by kind of call."""

    rates: Rates
    hardware: Mapping[str, Hardware | None]
    settings: CostSettings
    draws: Draws
    usd_per_token: dict[str, tuple[float, float, float]] = field(init=False)
    _paces: dict[str, Pace] = field(init=False)

    def __post_init__(self) -> None:
        """The point values of what tokens cost and take, once and not for each call."""
        known = {kind: rate for (arm, kind), rate in self.rates.items() if arm == "legacy" and not rate.missing}
        self.usd_per_token = {kind: rate.usd(self.settings, self.draws) for kind, rate in known.items()}
        rows = {kind: row for kind, row in self.hardware.items() if row and None not in map(row.value, NEEDED)}
        self._paces = {kind: pace(row) for kind, row in rows.items()}

    def measure(self, legacy: Sequence[Row], counterfactuals: Mapping[str, Sequence[Row]] | None) -> dict[str, Any]:
        """The accounts by stage and metric, None where one is not known; `reasons` say why, by metric.

        Over the scored requests whose counterfactual answers are all there; `left_out` are the others. Where nobody
        was asked, a hit is taken to have spared what the misses of its task took on average (`estimated` counts them),
        and neither the cascade nor wrong answers have an account.
        """
        told = [row for row in legacy if row.score and row.steps and not _only_reported(row)]
        requests = _requests(told, counterfactuals or {})
        asked = any(each.large for each in requests)
        if asked:
            requests = [each for each in requests if each.no_cache and each.large]
        stages = (*STAGES, "routing", "total")
        found: dict[str, Any] = {stage: {} for stage in stages}
        reasons: dict[str, str] = {} if asked else dict.fromkeys(("usd", "seconds", "wrong_answers"), NOT_ASKED)
        groups = [each.legacy.asked.item.group for each in requests]
        for metric, lines in (("usd", self._usd), ("seconds", self._seconds), ("wrong_answers", self._wrong)):
            try:
                columns = _columns(list(lines(requests)), asked=asked)
            except _Unknown as why:
                columns, reasons[metric] = {}, str(why)
            for stage in stages:
                known = columns.get(stage)
                found[stage][metric] = None if known is None else self._document(known, groups)
        return {
            **found,
            "requests": len(requests),
            "left_out": len(legacy) - len(requests),
            "estimated": 0 if asked else sum(each.legacy.hit for each in requests),
            "reasons": reasons,
        }

    def _document(self, entries: Sequence[Entry], groups: Sequence[str]) -> dict[str, float | None]:
        """Means over the requests; the interval of the net is clustered by group of questions."""
        codes: dict[str, int] = {}
        for group in groups:
            codes.setdefault(group, len(codes) % MOST_GROUPS)
        net, count = ([0.0] * min(len(codes), MOST_GROUPS) for _ in range(2))
        for group, (cost, save) in zip(groups, entries, strict=True):
            net[codes[group]] += cost - save
            count[codes[group]] += 1.0
        totals = self.draws.totals({("net",): net, ("requests",): count}, count)
        mean = figure(ratio(totals["net",], totals["requests",]))
        costs, saves = (sum(entry[side] for entry in entries) for side in (0, 1))
        return {
            "costs": costs / len(entries),
            "saves": saves / len(entries),
            "net": mean["value"],
            "low": mean["low"],
            "high": mean["high"],
            "times": costs / saves if saves else None,
        }

    def _usd(self, requests: Sequence[_Request]) -> Iterator[Line]:
        spared, stored = _means(requests, self._calls_usd), self._storage_usd()
        for each in requests:
            cache = _plus((stored, 0.0), self._of_hit(each, self._calls_usd, spared))
            if each.no_cache is None or each.large is None:
                yield cache, NOTHING, NOTHING
                continue
            harm = float(self.draws.of("", self.settings.of_wrong(each.legacy.asked.item.task))[0])
            wrong = [(cost * harm, save * harm) for cost, save in self._wrongs(each)]
            yield _plus(cache, wrong[0]), NOTHING, _plus(self._routed(each, self._calls_usd), wrong[1])

    def _seconds(self, requests: Sequence[_Request]) -> Iterator[Line]:
        spared, classifying = _means(requests, self._calls_s), _means(requests, _classify_s)
        for each in requests:
            cache = _plus((_seconds_of(each.legacy, LOOK_UP), 0.0), self._of_hit(each, self._calls_s, spared))
            decided = _classify_s(each.legacy)
            if each.legacy.hit:
                decided = classifying(each.legacy.asked.item.task)
                cache = _plus(cache, (0.0, decided))
            asked = each.no_cache is not None and each.large is not None
            yield cache, (decided, 0.0), self._routed(each, self._calls_s) if asked else NOTHING

    def _of_hit(self, each: _Request, of: Calls, spared: Callable[[str], float]) -> Entry:
        """What calls cost and were spared by a hit; nothing of either where it was a miss."""
        if not each.legacy.hit:
            return NOTHING
        return of(each.legacy), spared(each.legacy.asked.item.task) if each.no_cache is None else of(each.no_cache)

    def _routed(self, each: _Request, of: Calls) -> Entry:
        """The calls of whoever answers where there is no cache, beside those of the large model."""
        if each.no_cache is None or each.large is None:
            raise _Unknown(NOT_ASKED)
        return _signed(of(each.no_cache if each.legacy.hit else each.legacy) - of(each.large, "large"))

    def _wrong(self, requests: Sequence[_Request]) -> Iterator[Line]:
        for each in requests:
            cache, cascade = self._wrongs(each)
            yield cache, NOTHING, cascade

    def _wrongs(self, each: _Request) -> tuple[Entry, Entry]:
        if each.no_cache is None or each.large is None:
            raise _Unknown(NOT_ASKED)
        rows, least = (each.legacy, each.no_cache, each.large), self.settings.acceptable
        legacy, no_cache, large = (float(not is_acceptable(row, least)) for row in rows)
        return _signed(legacy - no_cache), _signed(no_cache - large)

    def _storage_usd(self) -> float:
        """US dollars a request for keeping the cache; 0 where it is not counted."""
        settings = self.settings
        if settings.cache_storage_usd_per_gb_month is None or settings.requests_per_month is None:
            return 0.0
        given = settings.cache_storage_usd_per_gb_month, settings.cache_gb, settings.requests_per_month
        month, gigabytes, requests = (float(self.draws.of("", each)[0]) for each in given)
        return month * gigabytes / requests

    def _calls_usd(self, row: Row, only: str = "") -> float:
        """US dollars of the model calls of a request, of one kind where it is named."""
        total = 0.0
        for step in _calls(row, only):
            rate = self.rates.get(("legacy", step.kind), UNPRICED)
            if rate.missing:
                raise _Unknown(f"{step.kind}: {rate.missing}")
            usage = step.completion.usage if step.completion else Usage()
            if usage.input_tokens is None or usage.output_tokens is None:
                raise _Unknown(f"{step.kind}: the tokens of a call are not known")
            prompt, output, call = self.usd_per_token[step.kind]
            total += usage.input_tokens * prompt + usage.output_tokens * output + call
        return total

    def _calls_s(self, row: Row, only: str = "") -> float:
        """Seconds of the model calls of a request, each alone on its hardware, and of its waits."""
        total = 0.0 if only else _seconds_of(row, WAITS)
        for step in _calls(row, only):
            alone, call = self._paces.get(step.kind), step.completion
            if call is None:
                total += step.seconds
            elif alone and call.usage.input_tokens is not None and call.usage.output_tokens is not None:
                total += alone.seconds(call.usage.input_tokens, call.usage.output_tokens)
            elif call.seconds is None:
                raise _Unknown(f"{step.kind}: the seconds of a call are not known")
            else:
                total += call.seconds
        return total


def _only_reported(row: Row) -> bool:
    return any(step.detail == REPORTED for step in row.steps or ())


def _requests(told: Sequence[Row], counterfactuals: Mapping[str, Sequence[Row]]) -> list[_Request]:
    names = ("no_cache", "always_large")
    found = {name: {row.asked.number: row for row in counterfactuals.get(name, ()) if row.score} for name in names}
    return [_Request(row, *(found[name].get(row.asked.number) for name in names)) for row in told]


def _columns(lines: Sequence[Line], *, asked: bool) -> dict[str, list[Entry]]:
    """The entries of each account, whole ones added up from their parts. Raises `_Unknown`."""
    if not lines:
        raise _Unknown("legacy does not tell what it did, so its stages have no accounts")
    cache, classifier, cascade = ([line[number] for line in lines] for number in range(len(STAGES)))
    if not asked:
        return {"cache": cache, "classifier": classifier}
    routing = [_plus(*pair) for pair in zip(classifier, cascade, strict=True)]
    total = [_plus(*pair) for pair in zip(cache, routing, strict=True)]
    return {"cache": cache, "classifier": classifier, "cascade": cascade, "routing": routing, "total": total}


def _plus(one: Entry, other: Entry) -> Entry:
    return one[0] + other[0], one[1] + other[1]


def _signed(net: float) -> Entry:
    return max(net, 0.0), max(-net, 0.0)


def _means(requests: Sequence[_Request], of: Callable[[Row], float]) -> Callable[[str], float]:
    """The mean over the misses of a task, or over all misses where it has none; 0 where there are none at all."""
    by_task: dict[str, list[float]] = {}
    for each in requests:
        if not each.legacy.hit:
            by_task.setdefault(each.legacy.asked.item.task, []).append(of(each.legacy))
    means = {task: sum(values) / len(values) for task, values in by_task.items()}
    every = [value for values in by_task.values() for value in values]
    overall = sum(every) / max(len(every), 1)
    return lambda task: means.get(task, overall)


def _calls(row: Row, only: str) -> list[Step]:
    return [step for step in row.steps or () if step.kind in CALLS and only in ("", step.kind)]


def _seconds_of(row: Row, kinds: Sequence[str]) -> float:
    return sum(step.seconds for step in row.steps or () if step.kind in kinds)


def _classify_s(row: Row) -> float:
    return _seconds_of(row, ("classify",))
