"""What the labels say by now, as a document and in words.

Nothing is decided before the stated sample is complete: who looks as labels come in and stops at a word that pleases
gets it too often by chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from benchmarks.labelling import judging
from benchmarks.labelling.judging import own_unknown
from benchmarks.labelling.pairs import Run
from benchmarks.labelling.session import VALUES, Labels
from benchmarks.quality import prediction_powered, stratified
from benchmarks.quality.agreement import agreement
from benchmarks.quality.judge import RUBRIC_VERSION

SCHEMA: Final = "crossover-label-status/1"


def document(run: Run, labels: Labels) -> dict[str, Any]:
    """All figures; differences are direct less legacy, in [-1, 1]; None is not known."""
    counts = Counter(labels.said.values())
    told = stratified.estimate(run.frame, labels.values, margin=run.margin, skipped=labels.skipped).document()
    return {
        "schema": SCHEMA,
        "questions": run.frame.questions,
        "groups": len(run.frame.group_sizes),
        "questions_without_texts": run.without_texts,
        "differing": len(run.pairs),
        "sample": labels.sample,
        "labels": {word: counts[word] for word in (*VALUES, "skip")},
        "complete": labels.complete,
        "damaged_lines": labels.damaged,
        "margin": run.margin,
        **_held_back(told, labels),
        "judge": _judge(run, labels),
    }


def _held_back(told: dict[str, Any], labels: Labels) -> dict[str, Any]:
    """The figures without what they would decide, until the sample is complete. A plan made without labels stays."""
    if labels.complete:
        return told
    reason = f"not yet: {labels.done:,} of {labels.sample:,} labelled" if labels.sample else "no sample is drawn yet"
    told |= {"word": None, "not_worse": None, "reason": reason}
    return told | dict.fromkeys(("labels_needed", "labels_for_not_worse")) if labels.values else told


def _judge(run: Run, labels: Labels) -> dict[str, Any] | None:
    found = judging.read(run)
    if found is None:
        return None
    name, judgments = found
    scores = {place: each["score"] for place, each in judgments.items() if each["score"] is not None}
    differences = {place: 2 * score - 1 for place, score in scores.items()}
    rules = [(_sign(run.pairs[place].rule or 0.0), _sign(value)) for place, value in differences.items()
             if run.pairs[place].rule is not None]  # fmt: skip
    people = [(_sign(labels.values[place]), _sign(value)) for place, value in differences.items()
              if place in labels.values]  # fmt: skip
    whole = len(judgments) == len(run.pairs)
    corrected = None
    if whole and labels.values:
        told = prediction_powered.corrected(
            run.frame, labels.values, differences, margin=run.margin, skipped=labels.skipped
        )
        corrected = _held_back(told.document(), labels)
    return {
        "judge": name,
        "rubric": RUBRIC_VERSION,
        "asked": len(judgments),
        "no_verdict": len(judgments) - len(scores),
        "flipped": sum(bool(each["flipped"]) for each in judgments.values()),
        "agreement": {"rules": agreement(rules), "labels": agreement(people)},
        "alone": prediction_powered.alone(run.frame, differences),
        "answered_in_the_run": None if run.unnamed else False,
        "answers_without_a_model": run.unnamed,
        "corrected": corrected,
    }


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def text(told: Mapping[str, Any]) -> str:
    """The document in plain words."""
    equal = f"{told['questions']:,} questions in {told['groups']:,} groups, {told['differing']:,} pairs that differ"
    labels = told["labels"]
    said = sum(labels[word] for word in VALUES)
    lines = [
        f"{equal} (equal answers count as no difference)",
        f"sample: {told['sample']:,} pairs drawn at random, {said:,} labelled, {labels['skip']:,} skipped",
    ]
    if said and not told["complete"]:
        lines.append("who has read what follows is no longer blind; it is provisional until the sample is complete")
    lines += [
        f"labels: direct better {labels['direct']:,}, legacy better {labels['legacy']:,}, same {labels['same']:,}, "
        f"both bad {labels['both_bad']:,}",
        *_estimate("direct less legacy", told, told),
    ]
    if labels["skip"]:
        lines.append(
            f"skipped: {labels['skip']:,}; they may hold anything, so the interval has each at -1 and at +1, the "
            "estimate as a tie"
        )
    if told["questions_without_texts"]:
        lines.append(f"left out: {told['questions_without_texts']:,} questions whose answers' texts were not kept")
    if told["damaged_lines"]:
        lines.append(f"passed over: {told['damaged_lines']:,} damaged lines of labels.jsonl")
    return "\n".join(lines + (_judge_lines(told) if told["judge"] else []))


def _estimate(name: str, found: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    """An estimate, and what it decides: nothing before the sample is complete."""
    margin = f"{told['margin'] * 100:g} points"
    if found["low"] is None:
        lines = [f"{name}: {found['reason']}"]
        if told["complete"] or not any(told["labels"][word] for word in VALUES):
            lines += _needed(found, margin, told, ", should no pair be a tie and the difference be 0")
        return lines
    interval = f"[{found['low'] * 100:+.1f}, {found['high'] * 100:+.1f}]"
    shown = f"{found['estimate'] * 100:+.1f} points, 95 % interval {interval}"
    if not told["complete"]:
        return [f"{name}, provisional: {shown}", found["reason"]]
    worse = "yes" if found["not_worse"] else "no" if found["high"] <= -told["margin"] else "not shown"
    return [
        f"{name}: {shown}: {found['word']}",
        f"not worse than the margin of {margin}: {worse}",
        *_needed(found, margin, told, ""),
    ]


def _needed(found: Mapping[str, Any], margin: str, told: Mapping[str, Any], worst: str) -> list[str]:
    """What would decide, by the name of what it decides."""
    lines = []
    for name, key in (("not worse", "labels_for_not_worse"), ("better, worse or equivalent", "labels_needed")):
        needed = found[key]
        lost = name == "not worse" and found["estimate"] is not None and found["estimate"] <= -told["margin"]
        if needed == 0 or lost:
            continue
        if needed is None:
            lines.append(f"to show {name}: labels for every pair would not do with 80 % power{worst}; {_instead(told)}")
            continue
        size = f" (--sample {told['sample'] + needed})" if told["complete"] else ""
        lines.append(f"to show {name} at {margin}, with 80 % power: about {needed:,} more labels{size}{worst}")
    return lines


def _instead(told: Mapping[str, Any]) -> str:
    return "more questions, or fewer skips, may" if told["labels"]["skip"] else "more questions may"


def _judge_lines(told: Mapping[str, Any]) -> list[str]:
    judge = told["judge"]
    asked, agreed = judge["asked"], judge["agreement"]
    lines = [
        "",
        f"judge {judge['judge']}, rubric {judge['rubric']}: asked about {asked:,} of {told['differing']:,} pairs, "
        f"in both orders but where it gave no verdict, on {judge['no_verdict']:,}",
        f"  flipped with the order, counted as ties: {judge['flipped']:,} of {asked - judge['no_verdict']:,}",
        f"  agrees with the rule-based scorers: {_agreed(agreed['rules'])}",
        f"  agrees with the labels: {_agreed(agreed['labels'])}",
    ]
    if unnamed := judge["answers_without_a_model"]:
        lines.append(f"  {own_unknown(unnamed)}")
    if asked < told["differing"]:
        return [*lines, "  its estimate: not yet, for it has not been asked about every pair; run --judge again"]
    if judge["alone"] is None:
        lines.append("  judge alone: no estimate, for some pairs have no verdict")
    else:
        lines.append(
            f"  judge alone: {judge['alone'] * 100:+.1f} points; how biased it is is not known, so no interval"
        )
    if judge["corrected"] is None:
        return [*lines, "  corrected by labels: not measured, there are none"]
    return [*lines, *(f"  {line}" for line in _estimate("corrected by the labels", judge["corrected"], told))]


def _agreed(told: Mapping[str, Any]) -> str:
    if not told["pairs"]:
        return "not measured, no pair has both"
    kappa = "not defined" if told["kappa"] is None else f"{told['kappa']:.2f}"
    return f"{told['share'] * 100:.0f} % of {told['pairs']:,} pairs, kappa {kappa}"
