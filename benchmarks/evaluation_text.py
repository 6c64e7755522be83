"""What `crossover classifier evaluate` found, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

NAMES: Final = {
    "classifier": "classifier",
    "length": "prompt length",
    "heuristic": "litellm heuristic",
    "heuristic_v2": "litellm heuristic_v2",
    "group_mean": "group mean alone",
    "built_in_artefact": "built-in artefact, as it comes",
    "random": "random",
    "second_run": "a second run of both models",
    "oracle": "oracle",
}


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """The table of routers, then what else was measured. What was not measured says so."""
    table, found = document["table"], document["classifier"]
    groups = "" if table["groups"] is None else f" of {table['groups']:,} groups"
    folds = f"{table['folds']} folds, no question in two"
    yield f"{table['questions']:,} questions{groups} ({table['rows']:,} rows), {folds}"
    yield f"always small scores {table['small']:.3f}, always large {table['large']:.3f}"
    yield ""
    yield (
        f"{'router':31}{'APGR':>6} {'95 %':15}{'CPT(50%)':>9}{'CPT(80%)':>9} {'AUC':>6}"
        f"{'within':>8}  classifier is above by, paired"
    )
    for name, shown in NAMES.items():
        row = document[name]
        if row is None:
            yield f"{shown:31}not measured"
            continue
        yield (
            f"{shown:31}{_figure(row['apgr']):>6} {_range(row['apgr_low'], row['apgr_high']):15}"
            f"{_share(row['cpt50']):>9}{_share(row['cpt80']):>9} {_figure(row['auc']):>6}"
            f"{_figure(row['within_group_apgr']):>8}  {_apart(row['classifier_is_above_by'])}".rstrip()
        )
    yield ""
    for name, level in (("cpt50", "50%"), ("cpt80", "80%")):
        yield f"classifier's CPT({level}): {_range(found[name + '_low'], found[name + '_high'], 3)}; " + (
            f"AUC {_range(found['auc_low'], found['auc_high'])}" if name == "cpt50" else "random: the level itself"
        )
    if found["apgr"] is None:
        yield "APGR and CPT are not defined: the large model is not clearly better than the small one"
    yield from _ceiling(document["label_noise_ceiling"])
    yield (
        f"calibration error of the predicted gain: {_with_range(found, 'calibration_error')}; "
        "on few questions it is biased upwards"
    )
    p50, p99 = found["ms_per_prompt_p50"], found["ms_per_prompt_p99"]
    yield f"milliseconds of one core a prompt: p50 {p50:.3f}, p99 {p99:.3f}"
    yield from _direct(document["direct"])
    off = document["abstention"]
    yield (
        f"abstaining where a prompt is unlike the known ones (at most {off['allowed_share']:.0%} of those like them): "
        f"{off['abstained_share']:.1%} abstain; at half of the calls to the large model its share goes from "
        f"{off['large_share']:.1%} to {off['large_share_abstaining']:.1%} and the score from {off['score']:.4f} to "
        f"{off['score_abstaining']:.4f}"
    )
    yield ""
    yield f"area: {table['integration']}. intervals: {table['intervals']}."
    if table["groups"] is not None:
        yield (
            f"within: {table['within_group']}; the smallest such cell has {table['smallest_cell']:,}. "
            f"classifier: {_with_range(found, 'within_group_apgr')}."
        )


def _direct(direct: Mapping[str, Any] | None) -> Iterator[str]:
    if direct is None:
        yield "single direct model: not measured (--direct COL)"
        return
    share, score = direct["classifier_needs_large_share"], f"single direct model: scores {_with_range(direct, 'score')}"
    if direct["recovered"] is None:
        yield f"{score}; what it recovers is not defined: the large model is not better"
        return
    as_much = f"the classifier scores as much at {_with_range(direct, 'classifier_needs_large_share')} of large calls"
    needs = "no share reaches that" if share is None else as_much
    yield f"{score}, {_with_range(direct, 'recovered')} of the large model's advantage; {needs}"


def _ceiling(ceiling: Mapping[str, Any] | None) -> Iterator[str]:
    if ceiling is None:
        yield "ceiling that label noise sets: not measured (--small-again COL --large-again COL)"
        return
    yield (
        f"ceiling that label noise sets: no router's APGR is above {_with_range(ceiling, 'apgr')} "
        "(Cauchy-Schwarz, from two runs)"
    )


def _with_range(figures: Mapping[str, Any], name: str) -> str:
    """A figure and its interval, as far as there is one."""
    ends = _range(figures[f"{name}_low"], figures[f"{name}_high"])
    return f"{_figure(figures[name])}{'' if ends == '-' else ' ' + ends}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _range(low: float | None, high: float | None, digits: int = 3) -> str:
    return "-" if low is None or high is None else f"[{low:.{digits}f}, {high:.{digits}f}]"


def _apart(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"[{ends[0]:+.3f}, {ends[1]:+.3f}]"
