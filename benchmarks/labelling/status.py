"""What the labels say by now, as a document and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from benchmarks.labelling import judging
from benchmarks.labelling.pairs import Run
from benchmarks.labelling.session import VALUES, Labels
from benchmarks.quality import prediction_powered, stratified
from benchmarks.quality.agreement import agreement
from benchmarks.quality.judge import RUBRIC_VERSION

SCHEMA: Final = "crossover-label-status/1"


def document(run: Run, labels: Labels) -> dict[str, Any]:
    """All figures; differences are direct less legacy, in [-1, 1]; None is not known."""
    counts = Counter(labels.said.values())
    return {
        "schema": SCHEMA,
        "questions": run.frame.questions,
        "groups": len(run.frame.group_sizes),
        "questions_without_texts": run.without_texts,
        "differing": len(run.pairs),
        "sample": labels.sample,
        "labels": {word: counts[word] for word in (*VALUES, "skip")},
        "damaged_lines": labels.damaged,
        "margin": run.margin,
        **stratified.estimate(run.frame, labels.values, margin=run.margin).document(),
        "judge": _judge(run, labels),
    }


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
        corrected = prediction_powered.corrected(run.frame, labels.values, differences, margin=run.margin).document()
    return {
        "judge": name,
        "rubric": RUBRIC_VERSION,
        "asked": len(judgments),
        "no_verdict": len(judgments) - len(scores),
        "flipped": sum(bool(each["flipped"]) for each in judgments.values()),
        "agreement": {"rules": agreement(rules), "labels": agreement(people)},
        "alone": prediction_powered.alone(run.frame, differences) if whole else None,
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
        f"labels: direct better {labels['direct']:,}, legacy better {labels['legacy']:,}, same {labels['same']:,}, "
        f"both bad {labels['both_bad']:,}",
        f"direct less legacy: {_estimate(told)}",
        _further(told, said),
    ]
    if labels["skip"]:
        lines.append("skipped pairs are taken to be like the labelled ones of their task")
    if told["questions_without_texts"]:
        lines.append(f"left out: {told['questions_without_texts']:,} questions whose answers' texts were not kept")
    if told["damaged_lines"]:
        lines.append(f"passed over: {told['damaged_lines']:,} damaged lines of labels.jsonl")
    return "\n".join(lines + (_judge_lines(told) if told["judge"] else []))


def _estimate(told: Mapping[str, Any]) -> str:
    if told["estimate"] is None:
        return f"{told['word']}: {told['reason']}"
    return f"{told['estimate'] * 100:+.1f} points, 95 % interval {told['reason']}: {told['word']}"


def _further(told: Mapping[str, Any], said: int) -> str:
    needed, sure = told["labels_needed"], f"against the margin of {told['margin'] * 100:g} points with 80 % power"
    if needed == 0:
        return "labels still needed: none"
    worst = ", should no pair be a tie and the difference be 0" if said < stratified.LEAST else ""
    if needed is None:
        return f"labels still needed: labelling every pair would not decide {sure}{worst}; more questions would"
    return f"labels still needed: about {needed:,}, to decide {sure}{worst}"


def _judge_lines(told: Mapping[str, Any]) -> list[str]:
    judge = told["judge"]
    asked, agreed = judge["asked"], judge["agreement"]
    lines = [
        "",
        f"judge {judge['judge']}, rubric {judge['rubric']}: asked about {asked:,} of {told['differing']:,} pairs, "
        f"each in both orders, {judge['no_verdict']:,} without a verdict",
        f"  flipped with the order, counted as ties: {judge['flipped']:,} of {asked - judge['no_verdict']:,}",
        f"  agrees with the rule-based scorers: {_agreed(agreed['rules'])}",
        f"  agrees with the labels: {_agreed(agreed['labels'])}",
    ]
    if judge["alone"] is None:
        return [*lines, "  its estimate: not yet, for it has not been asked about every pair; run --judge again"]
    lines.append(f"  judge alone: {judge['alone'] * 100:+.1f} points; how biased it is is not known, so no interval")
    if judge["corrected"] is None:
        return [*lines, "  corrected by labels: not measured, there are none"]
    return [*lines, f"  corrected by the labels: {_estimate(judge['corrected'])}"]


def _agreed(told: Mapping[str, Any]) -> str:
    if not told["pairs"]:
        return "not measured, no pair has both"
    kappa = "not defined" if told["kappa"] is None else f"{told['kappa']:.2f}"
    return f"{told['share'] * 100:.0f} % of {told['pairs']:,} pairs, kappa {kappa}"
