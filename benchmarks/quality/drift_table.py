"""What a person reads of a drift: a line an epoch, and what every event did, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.quality.detector import MISSING

ARMS: Final = ("careful", "typical", "direct")
PRESETS: Final = ARMS[:2]
CAUSES: Final = ("cache", "routing", "backend")
INPUTS: Final = ("predicted_gain", "prompt_length")
WIDTHS: Final = (5, 22, 25, 25, 9, 9, 11, 13)
HEAD: Final = (
    ("", "", "direct - careful,", "direct - typical,", "hits, %", "stale, %", "calibration", "PSI of"),
    ("", "quality, %", "points because of", "points because of", "", "of hits", "error", "predicted"),
    ("epoch", "careful typical direct", "cache routing backend", "cache routing backend", "care typ", "care typ",
     "care   typ", "gain   length"),
)  # fmt: skip


def table(document: Mapping[str, Any]) -> str:
    """The epochs, the events, and how the figures came to be; nothing that is not in `document`."""
    lines = [_headline(document), "", *(_line(cells) for cells in HEAD), "-" * len(_line(HEAD[-1]))]
    for epoch in document["epochs"]:
        lines += [f"       {event}" for event in epoch["events"]]
        lines.append(_epoch(epoch))
    lines.append("")
    for turn in document["events"]:
        lines += [*_turn(turn, watched=_watched(document)), ""]
    return "\n".join([*lines, *_notes(document)]) + "\n"


def _headline(document: Mapping[str, Any]) -> str:
    timeline = document["timeline"]
    return (
        f"{timeline['epochs']} epochs of {timeline['epoch_hours']:g} hours in virtual time, {document['requests']:,} "
        f"requests over {document['questions']} questions of {document['workload']['name']}, seed {timeline['seed']}"
    )


def _line(cells: Sequence[str]) -> str:
    return "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def _epoch(epoch: Mapping[str, Any]) -> str:
    inputs = epoch["inputs"] or {}
    return _line(
        (
            str(epoch["epoch"]),
            " ".join(f"{100 * epoch['quality'][arm]:6.1f}" for arm in ARMS),
            *(" ".join(f"{100 * epoch['attribution'][preset][cause]:+7.1f}" for cause in CAUSES) for preset in PRESETS),
            " ".join(f"{100 * epoch['answered_by'][preset]['cache']:4.0f}" for preset in PRESETS),
            " ".join(_or_dash(epoch["hits"][preset]["stale"], "{:4.0f}", 100) for preset in PRESETS),
            " ".join(_or_dash(epoch["calibration_error"][preset], "{:.3f}") for preset in PRESETS),
            "  ".join(_or_dash(inputs[name]["psi"] if inputs else None, "{:.3f}") for name in INPUTS),
        )
    )


def _or_dash(value: float | None, form: str, times: float = 1) -> str:
    return "-".rjust(len(form.format(0))) if value is None else form.format(times * value)


def _turn(turn: Mapping[str, Any], *, watched: bool) -> list[str]:
    """What one event, or several of one epoch, changed until the next."""
    last = turn["until"]
    span = f"epoch {turn['epoch']}" if last == turn["epoch"] else f"epochs {turn['epoch']} to {last}"
    lines = [f"{span}: {'; '.join(turn['events'])}"]
    lines.append("  " + "; ".join(f"{arm}{changed(turn['change'][arm])}" for arm in ARMS))
    worth = turn["discipline"]
    lines.append(f"  careful less typical, on the same requests: {_points(worth)}")
    lines += [f"  {preset}: {_stale(turn['hits'][preset])}" for preset in PRESETS if turn["hits"][preset]["stale"]]
    errors = [(preset, turn["calibration_error"][preset]) for preset in PRESETS]
    lines.append("  calibration error: " + "; ".join(f"{name} {_before_after(error)}" for name, error in errors))
    lines.append("  inputs: " + "; ".join(_input(name, turn["inputs"][name]) for name in INPUTS))
    if not watched:
        lines.append(f"  detector: {MISSING}")
    else:
        noticed = turn["noticed_after_requests"]
        words = [f"a drop of {arm} after {noticed[arm]:,} requests" for arm in ARMS if noticed[arm] is not None]
        blind = "" if len(words) == len(ARMS) else f" within {turn['requests']:,} requests"
        rest = f"nothing else{blind}" if words else f"nothing{blind}"
        seen = ", ".join(f"{arm} {100 * turn['seen_by_detector'][arm]:+.1f}" for arm in ARMS)
        told = ", ".join(words + ([rest] if blind else []))
        lines.append(f"  each group counting once, {seen} points; of that ADWIN notices {told}")
    return lines


def changed(change: Mapping[str, float]) -> str:
    """What follows an arm's name: how its quality changed. Where the interval holds 0 no change can be told."""
    if change["low"] <= 0 <= change["high"]:
        return f": no change can be told ({_interval(change)})"
    verb = "gains" if change["estimate"] > 0 else "loses"
    low, high = sorted((abs(change["low"]), abs(change["high"])))
    return f" {verb} {100 * abs(change['estimate']):.1f} points ({100 * low:.1f} to {100 * high:.1f})"


def _points(worth: Mapping[str, float]) -> str:
    return f"{100 * worth['estimate']:+.1f} points ({_interval(worth)})"


def _interval(interval: Mapping[str, float]) -> str:
    return f"{100 * interval['low']:+.1f} to {100 * interval['high']:+.1f}"


def _stale(hits: Mapping[str, Any]) -> str:
    parts = []
    for kind, words in (("older_policy", "under a policy that has passed"), ("former_model", "by a former model")):
        if hits["share"][kind]:
            lost = 100 * hits["lost"][kind]
            cost = f"costing {lost:.1f}" if lost >= 0 else f"saving {-lost:.1f}"
            parts.append(f"{100 * hits['share'][kind]:.1f} % of hits were answered {words}, {cost} points")
    age = f"answers out of the cache were {hits['mean_age_hours']:.0f} hours old on average"
    return "; ".join([*parts, f"{age}, {hits['greatest_age_hours']:.0f} at most"])


def _before_after(error: Mapping[str, float | None]) -> str:
    if None in error.values():
        return "not measured"
    return f"{error['before']:.3f}, then {error['after']:.3f}"


def _input(name: str, found: Mapping[str, Any]) -> str:
    words = name.replace("_", " ")
    if found["psi"] is None:
        return f"{words} not measured"
    return f"{words} PSI {found['psi']:.3f} ({found['psi_by_chance']:.3f} by chance), p = {found['p']:.2g}"


def _watched(document: Mapping[str, Any]) -> bool:
    return None not in document["false_alarms"].values()


def _notes(document: Mapping[str, Any]) -> list[str]:
    overall, simulated = document["overall"], document["detector"]["simulated"]
    calls = {preset: 1 - overall["answered_by"][preset]["cache"] for preset in PRESETS}
    notes = [
        f"Over all requests careful is {_points(overall['discipline'])} from typical, and calls a model for "
        f"{100 * calls['careful']:.0f} % of requests where typical does for {100 * calls['typical']:.0f} %.",
        "careful is the legacy pipeline as shipped: keys cover all, versions included, and the classifier is trained "
        "anew for an upgraded model. typical keys by the question alone, renews answers with each hit and never trains "
        "again.",
        f"The questions are a closed set of {document['questions']}: a cache that forgets nothing ends up answering "
        "nearly all of them, which open traffic would not let it do.",
        "Answers are recorded from real models; what is asked, and when what happens, is assumed. Quality is over "
        "requests; intervals are at 95 %, clustered by paraphrase group; events of one epoch cannot be told apart.",
    ]
    if _watched(document):
        alarms = ", ".join(f"{arm} {document['false_alarms'][arm]}" for arm in ARMS)
        sizes = "; ".join(
            f"of {size} points in {100 * share:.0f} %" + (f" after {delay:,} values" if share else "")
            for size, (share, delay) in simulated["noticed"].items()
        )
        notes.append(
            f"ADWIN(delta={document['detector']['delta']}) gets one graded answer a paraphrase group and epoch, and "
            f"only drops count; a drop that is noticed late stands under the last event before the notice, whatever "
            f"caused it. Drops noticed before the first event: {alarms}. Simulated over {simulated['runs']:,} "
            f"runs of {simulated['epochs']} epochs of {simulated['per_epoch']} answers, {100 * simulated['base']:.0f} "
            f"% right: a false alarm in {100 * simulated['false_alarms']:.0f} %; a drop halfway is noticed {sizes} "
            "(tests/quality/test_drift_detector.py)."
        )
    return notes + [f"Note: {note}." for note in document["notes"]]
