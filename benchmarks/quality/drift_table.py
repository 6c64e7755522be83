"""What a person reads of a drift: the result, a line an epoch, and what every event did, in words."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.quality.detector import MISSING

ARMS: Final = ("careful", "typical", "direct")
PRESETS: Final = ARMS[:2]
PARTS: Final = ("cache", "routing")
INPUTS: Final = ("predicted_gain", "prompt_length")
WIDE: Final = 120
"""Characters a line of prose has at most."""
WIDTHS: Final = (5, 22, 36, 9, 9, 11, 13)
HEAD: Final = (
    ("", "", "points of direct - legacy because of", "hits, %", "stale, %", "calibration", "PSI of"),
    ("", "quality, %", "the  careful\'s      typical\'s     ", "", "of hits", "error", "predicted"),
    ("epoch", "careful typical direct", "backend  cache routing cache routing", "care typ", "care typ",
     "care   typ", "gain   length"),
)  # fmt: skip
HITS: Final = {
    "older_policy": "given under a policy that has passed",
    "former_model": "given by a former model",
    "other_question": "given to another question (of another conversation or tenant)",
}
"""What a hit may be but an answer that would be given now as well."""


def table(document: Mapping[str, Any]) -> str:
    """The result, the epochs, the events, and how the figures came to be; nothing that is not in `document`."""
    lines = [_headline(document), *_wrapped(_overall(document)), ""]
    lines += [*(_line(cells) for cells in HEAD), "-" * len(_line(HEAD[-1]))]
    for epoch in document["epochs"]:
        lines += [f"       {event}" for event in epoch["events"]]
        lines.append(_epoch(epoch))
    lines += ["", *_told(document), *_wrapped(_notes(document))]
    return "\n".join(lines) + "\n"


def _told(document: Mapping[str, Any]) -> list[str]:
    """What every event did, and the alarms that none explains."""
    lines = list[str]()
    for turn in document["events"]:
        lines += [*_turn(turn, document), ""]
    unexplained = [alarm for alarm in document["alarms"] or () if alarm["event_epoch"] is None]
    lines += [f"{alarm['arm']}: alarm at request {alarm['request']:,}: no event explains it" for alarm in unexplained]
    return [*lines, ""] if unexplained else lines


def _wrapped(sentences: Sequence[str], indent: str = "") -> list[str]:
    return [
        line
        for sentence in sentences
        for line in textwrap.wrap(
            sentence, WIDE, initial_indent=indent, subsequent_indent=f"{indent}  " if indent else "",
            break_long_words=False, break_on_hyphens=False,
        )
    ]  # fmt: skip


def _headline(document: Mapping[str, Any]) -> str:
    timeline = document["timeline"]
    return (
        f"{timeline['epochs']} epochs of {timeline['epoch_hours']:g} hours in virtual time, {document['requests']:,} "
        f"requests over {document['questions']} questions of {document['workload']['name']}, seed {timeline['seed']}"
    )


def _overall(document: Mapping[str, Any]) -> list[str]:
    """The result over all requests."""
    overall = document["overall"]
    calls = {preset: 100 * (1 - overall["answered_by"][preset]["cache"]) for preset in PRESETS}
    quality = ", ".join(f"{arm} {100 * overall['quality'][arm]:.1f} %" for arm in ARMS)
    pairs = [("careful", "typical", overall["discipline"])]
    pairs += [("direct", preset, overall["difference"][preset]) for preset in PRESETS]
    return [
        f"Over all requests: {quality}. {' '.join(_compared(*pair) for pair in pairs)}",
        f"careful calls a model for {calls['careful']:.0f} % of requests, typical for {calls['typical']:.0f} %.",
        *(f"{preset}: {_stale(overall['hits'][preset])}." for preset in PRESETS if _any(overall["hits"][preset])),
    ]


def _compared(arm: str, other: str, difference: Mapping[str, float]) -> str:
    if difference["low"] <= 0 <= difference["high"]:
        return f"{arm} and {other} cannot be told apart ({arm} less {other}: {_points(difference)})."
    return f"{arm} is {'better' if difference['estimate'] > 0 else 'worse'} than {other} by {_sizes(difference)}."


def _line(cells: Sequence[str]) -> str:
    return "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def _epoch(epoch: Mapping[str, Any]) -> str:
    inputs = epoch["inputs"] or {}
    return _line(
        (
            str(epoch["epoch"]),
            " ".join(f"{100 * epoch['quality'][arm]:6.1f}" for arm in ARMS),
            f"{100 * epoch['attribution'][PRESETS[0]]['backend']:+7.1f} "
            + " ".join(f"{100 * epoch['attribution'][preset][cause]:+6.1f}" for preset in PRESETS for cause in PARTS),
            " ".join(f"{100 * epoch['answered_by'][preset]['cache']:4.0f}" for preset in PRESETS),
            " ".join(_or_dash(epoch["hits"][preset]["stale"], "{:4.0f}", 100) for preset in PRESETS),
            " ".join(_or_dash(epoch["calibration_error"][preset], "{:.3f}") for preset in PRESETS),
            "  ".join(_or_dash((inputs.get(name) or {}).get("psi"), "{:.3f}") for name in INPUTS),
        )
    )


def _or_dash(value: float | None, form: str, times: float = 1) -> str:
    return "-".rjust(len(form.format(0))) if value is None else form.format(times * value)


def _turn(turn: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """What one event, or several of one epoch, changed until the next."""
    last, causes = turn["until"], turn["causes"]
    span = f"epoch {turn['epoch']}" if last == turn["epoch"] else f"epochs {turn['epoch']} to {last}"
    lines = [
        f"{newer['questions']} questions have a newer version ({scope}), {100 * newer['share']:.1f} % of requests; "
        f"weight of {', '.join(f'{task} {weight:g}' for task, weight in newer['weights'].items())}"
        for scope, newer in turn["newer"].items()
    ]
    lines.append("; ".join(f"{arm}{changed(turn['change'][arm])}" for arm in ARMS))
    lines.append(f"careful less typical, on the same requests: {_points(turn['discipline'])}")
    words = [f"backend {_points(causes['backend'])}"]
    words += [f"{preset}'s {part} {_points(causes[f'{preset}_{part}'])}" for preset in PRESETS for part in PARTS]
    lines.append(f"direct less legacy because of {'; '.join(words)}; all five jointly")
    lines += [f"{preset}: {_stale(turn['hits'][preset])}" for preset in PRESETS if _any(turn["hits"][preset])]
    errors = [(preset, turn["calibration_error"][preset]) for preset in PRESETS]
    lines.append("calibration error: " + "; ".join(f"{name} {_before_after(error)}" for name, error in errors))
    first = document["timeline"]["reference_epochs"]
    words = [_input(name, turn["inputs"][name]) for name in INPUTS]
    lines.append(f"inputs against the first {first} epochs: {'; '.join(words)}")
    lines.append(_noticed(turn, document))
    return [*_wrapped([f"{span}: {'; '.join(turn['events'])}"]), *_wrapped(lines, "  ")]


def _noticed(turn: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """What the detector made of the drops that can be told, up to the end of the timeline."""
    if document["alarms"] is None:
        return f"detector: {MISSING}"
    fed = ", ".join(f"{arm} {100 * turn['seen_by_detector'][arm]:+.1f}" for arm in ARMS)
    timeline, noticed = document["timeline"], turn["noticed_after_requests"]
    rest = (timeline["epochs"] - turn["epoch"] + 1) * timeline["requests"]
    words = [
        f"the drop of {arm} is "
        + (f"not noticed in the {rest:,} requests to the end" if noticed[arm] is None else
           f"noticed after {noticed[arm]:,} requests")
        for arm in ARMS if turn["change"][arm]["high"] < 0
    ]  # fmt: skip
    return f"ADWIN (fed with {fed} points): {'; '.join(words) or 'no drop can be told, so there is none to notice'}"


def changed(change: Mapping[str, float]) -> str:
    """What follows an arm's name: how its quality changed. Where the interval holds 0 no change can be told."""
    if change["low"] <= 0 <= change["high"]:
        return f": no change can be told ({_interval(change)})"
    verb = "gains" if change["estimate"] > 0 else "loses"
    return f" {verb} {_sizes(change)}"


def _sizes(change: Mapping[str, float]) -> str:
    low, high = sorted((abs(change["low"]), abs(change["high"])))
    return f"{100 * abs(change['estimate']):.1f} points ({100 * low:.1f} to {100 * high:.1f})"


def _points(worth: Mapping[str, float]) -> str:
    return f"{100 * worth['estimate']:+.1f} points ({_interval(worth)})"


def _interval(interval: Mapping[str, float]) -> str:
    return f"{100 * interval['low']:+.1f} to {100 * interval['high']:+.1f}"


def _any(hits: Mapping[str, Any]) -> bool:
    return any(hits["share"][kind] for kind in HITS)


def _stale(hits: Mapping[str, Any]) -> str:
    parts = []
    for kind, words in HITS.items():
        if hits["share"][kind]:
            lost = 100 * hits["lost"][kind]
            cost = f"costing {lost:.1f}" if lost >= 0 else f"saving {-lost:.1f}"
            parts.append(f"{100 * hits['share'][kind]:.1f} % of hits were answers {words}, {cost} points")
    age = f"answers out of the cache were {hits['mean_age_hours']:.0f} hours old on average"
    return "; ".join([*parts, f"{age}, {hits['greatest_age_hours']:.0f} at most"])


def _before_after(error: Mapping[str, float | None]) -> str:
    if None in error.values():
        return "not measured"
    return f"{error['before']:.3f}, then {error['after']:.3f}"


def _input(name: str, found: Mapping[str, float] | None) -> str:
    words = name.replace("_", " ")
    if found is None:
        return f"{words} not measured"
    figures = [
        f"{label} {found[key]:.3f} (by chance {found[f'{key}_by_chance']:.3f}, p {found[f'{key}_p']:.2g})"
        for key, label in (("psi", "PSI"), ("ks", "KS"))
    ]
    return f"{words} {', '.join(figures)}"


def _notes(document: Mapping[str, Any]) -> list[str]:
    notes = [
        "careful is the legacy pipeline as shipped: keys cover all, versions included, and the classifier is trained "
        "anew for an upgraded model. typical keys by the question alone, renews answers with each hit and never trains "
        "again.",
        f"The questions are a closed set of {document['questions']}: a cache that forgets nothing ends up answering "
        "nearly all of them, which open traffic would not let it do.",
        "Texts are recorded from real models; time and traffic are played, so what rests on them is emulated. What is "
        "asked, and when what happens, is assumed. Quality is over requests; intervals are at 95 %, for questions like "
        "these, weighted as asked (clustered by paraphrase group); events of one epoch cannot be told apart.",
        "Inputs: by chance is the 95th percentile, and p the share at least as large, of 200 redraws of both windows "
        "from what the first epoch asks; an event before may be what moved them.",
    ]
    if document["alarms"] is not None:
        notes.append(_operating(document["detector"]))
    return notes + [f"Note: {note}." for note in document["notes"]]


def _operating(detector: Mapping[str, Any]) -> str:
    simulated = detector["simulated"]
    sizes = "; ".join(
        f"of {size} points in {100 * share:.0f} %" + (f" after {delay:,} values" if share else "")
        for size, (share, delay) in simulated["noticed"].items()
    )
    return (
        f"ADWIN(delta={detector['delta']}) is fed with one graded answer a paraphrase group and epoch, and only drops "
        "count. An alarm is taken for the last event before it at which that arm's drop can be told. In simulation, "
        f"{simulated['runs']:,} runs of {simulated['epochs']} epochs of {simulated['per_epoch']} values, "
        f"{100 * simulated['base']:.0f} % right: a false alarm in "
        f"{_share(simulated['false_alarms'], simulated['runs'])}; a drop halfway is noticed {sizes} (the median over "
        "the runs that noticed, in values fed, where the events "
        "above count requests; tests/quality/test_drift_detector.py)."
    )


def _share(share: float, runs: int) -> str:
    """None out of n: with Wilson's upper bound at 95 %."""
    if share:
        return f"{100 * share:.1f} % of runs"
    return f"none of {runs:,} runs (at most {100 * 1.96**2 / (runs + 1.96**2):.1f} %)"
