"""What `crossover load` prints: a table a target, then what may be said of the difference, and what may not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

PERCENTILES: Final = {"p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "p999": "p99.9"}
ROWS: Final = {
    "service_s": "service time",
    "since_scheduled_s": "since the scheduled send",
    "first_token_s": "first token",
    "token_s": "a token after it",
}
TOO_FEW: Final = "too few"


def table(report: Mapping[str, Any]) -> str:
    """The figures of every target, with the intervals of their percentiles."""
    parts = [[_headline(report)]]
    for name, target in report["targets"].items():
        parts.append([*_target(name, target, report["clock"])])
    parts += [[*_difference(pair)] for pair in report["differences"]]
    parts.append([*_end(report)])
    return "\n\n".join("\n".join(part) for part in parts if part)


def saturation(report: Mapping[str, Any]) -> str:
    """The highest rate of every target, and every rate that was tried."""
    parts = [[_headline(report)]]
    for name, found in report["saturation"].items():
        sustained, saturated = found["sustained_req_s"], found["saturated_req_s"]
        most = "no rate that was tried" if sustained is None else f"{_rate(sustained)} requests/s"
        lines = [f"{name} sustains {most}{f', and not {_rate(saturated)}' if saturated else ''}: {found['why']}"]
        rows = [("offered/s", "answered/s", "failed", "p99 since scheduled")]
        rows += [
            (
                _rate(load["offered_req_s"]),
                _rate(load["achieved_req_s"]),
                f"{load['failed']:.2%}",
                TOO_FEW if load["p99_s"] is None else _time(load["p99_s"]),
            )
            for load in found["trail"]
        ]
        parts.append(lines + _aligned(rows))
    parts.append([*_end(report)])
    return "\n\n".join("\n".join(part) for part in parts if part)


def _headline(report: Mapping[str, Any]) -> str:
    arrivals, warm_up = report["arrivals"], report["warm_up"]
    kind = arrivals["kind"]
    if arrivals["users"]:
        load = f"closed loop of {arrivals['users']} users"
    else:
        named = f"trace {arrivals['trace']}" if arrivals["trace"] else kind
        rate = "at its own pace" if arrivals["rate_req_s"] is None else f"at {_rate(arrivals['rate_req_s'])} requests/s"
        rate += f" up to {_rate(arrivals['ramp_to_req_s'])}" if arrivals["ramp_to_req_s"] else ""
        rate += f", coefficient of variation {arrivals['burstiness']:g}" if arrivals["burstiness"] else ""
        load = f"{named} {rate}"
    left_out = f"{warm_up['seconds']:g} s" if warm_up["seconds"] else f"{warm_up['share']:.0%} of the time"
    return (
        f"{report['requests']:,} requests, {load}; {report['answers']} answers; {report['clock']} time; "
        f"seed {report['seed']}; warm-up left out: {left_out} of each block"
    )


def _target(name: str, target: Mapping[str, Any], clock: str) -> Iterator[str]:
    yield f"{name} ({target['standing']}): {target['answered']:,} answered of {target['measured']:,} measured"
    if target["partial"]:
        yield f"PARTIAL after {target['requests']:,} requests: {target['partial']}"
    if target["void"]:
        yield f"VOID: {target['void']}"
    rows = [("", "mean", *PERCENTILES.values())]
    rows += [(label, *_cells(target[key])) for key, label in ROWS.items() if target[key]]
    yield from _aligned(rows)
    offered, achieved = target["offered_req_s"], target["achieved_req_s"]
    at_once = f"at most {target['most_in_flight']:,} at once"
    if achieved is None:
        yield f"rates: {TOO_FEW} requests after the warm-up to tell; {at_once}"
    else:
        came = "" if offered is None else f"{_rate(offered)} requests/s came, "
        yield f"{came}{_rate(achieved)} were answered; {at_once}"
    if target["reached"] is False:
        yield (
            f"THE RATE WAS NOT REACHED: the target answered {_rate(achieved)} of {_rate(offered)} requests/s, so these "
            "latencies grow with the length of the run; ask for less, or search with --saturate"
        )
    if good := target["goodput"]:
        rate = f"{TOO_FEW} to tell" if good["requests_s"] is None else f"{_rate(good['requests_s'])} requests/s"
        yield (
            f"goodput: {rate}; {good['share']:.1%} of the requests within "
            f"{_time(good['ttft_s'])} to the first token and {_time(good['tpot_s'])} a token"
        )
    if (sent := target["dispatch_s"]) and clock == "real":
        yield (
            f"dispatch delay p50 {_time(sent['p50'])}, p99 {_time(sent['p99'])}, most "
            f"{_time(sent['most'])}; the run would be void above {_time(sent['bound'])} at p99"
        )
    for error, count in target["errors"]["kinds"].items():
        yield f"{count:,} x {error}"
    yield from target["notes"]


def _cells(found: Mapping[str, Any]) -> list[str]:
    return [_time(found["mean"]), *(_estimate(found[name]) for name in PERCENTILES)]


def _estimate(found: Mapping[str, float] | None) -> str:
    """A value and its interval, in the value's unit."""
    if found is None:
        return TOO_FEW
    unit, times = _unit(found["value"])
    low, high = (f"{found[end] * times:.3g}" for end in ("low", "high"))
    return f"{found['value'] * times:.3g} {unit} [{low}, {high}]"


def _rate(requests_s: float) -> str:
    return f"{requests_s:,.0f}" if requests_s >= 9_999.5 else f"{requests_s:,.4g}"


def _time(seconds: float) -> str:
    unit, times = _unit(seconds)
    return f"{seconds * times:.3g} {unit}"


def _unit(seconds: float) -> tuple[str, float]:
    for unit, times in (("s", 1.0), ("ms", 1e3)):
        if abs(seconds) * times >= 0.9995:
            return unit, times
    return "us", 1e6


def _difference(pair: Mapping[str, Any]) -> Iterator[str]:
    yield f"{pair['second']} less {pair['first']}, {pair['pairs']:,} requests that both answered"
    rows = [("", *PERCENTILES.values())]
    for key, label in ROWS.items():
        for kind, words in (("of_differences", "percentile of differences"), ("of_quantiles", "of percentiles")):
            if key in pair:
                rows.append((f"{label}, {words}", *(_claimed(pair[key][name][kind]) for name in PERCENTILES)))
    yield from _aligned(rows)


def _claimed(found: Mapping[str, Any]) -> str:
    if isinstance(found["claim"], str):
        return TOO_FEW if found["estimate"] is None else found["claim"]
    return _estimate(found["estimate"])


def _end(report: Mapping[str, Any]) -> Iterator[str]:
    if report["clock"] == "virtual":
        yield "virtual time: the harness itself takes none, so its floor is 0"
    elif floor := report.get("floor"):
        known = [
            f"{PERCENTILES[name]} {_time(value)}" for name, value in floor["service_s"].items() if value is not None
        ]
        yield f"floor (null target, same run, service time): {', '.join(known) or 'too few requests to tell'}"
    if host := report["host"]:
        before, after = host["load_average_1m"]
        averages = "not known" if before is None else f"{before:.2f} before, {after:.2f} after"
        busy = "" if host["busy_cpus"] is None else f"; {host['busy_cpus']:.2f} of {host['cpus']} processors busy"
        own = "" if host["own_cpus"] is None else f", {host['own_cpus']:.2f} by this process"
        yield f"host: load average {averages}{busy}{own}; {report['machine']['cpu']}, {report['date']}"
    yield from report["notes"]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
