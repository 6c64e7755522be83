"""`crossover workload tables`: what the recorded models get right, as Markdown, from the recordings alone.

Right means a score of 1; shares are over the test questions that a model has an answer to, each once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.quality import interval
from benchmarks.quality.score import score
from benchmarks.targets.builtin import recording_path
from benchmarks.workloads.workload import BUILTIN, SAMPLED_AT, SAMPLED_SEED, Item, Workload, load
from shared.backends.recorded import Row, read_recording, recording_key
from shared.errors import BadInput

Right = Mapping[str, bool]
"""Whether a model's answer is right, by the item's id."""

PAIRS: Final = (("qwen-0.5b", "qwen-1.5b"), ("smollm2-135m", "qwen-1.5b"), ("qwen-0.5b-burnt-3-6", "qwen-1.5b"))
BURNT: Final = ("qwen-0.5b", ("qwen-0.5b-burnt-3-6", "qwen-0.5b-burnt-3-3"))


def tables(folder: Path) -> str:
    """Every table that the workload's recordings allow. Raises `BadInput` where there are none."""
    if not folder.is_dir() and (BUILTIN.parent / folder).is_dir():  # a workload of this repo, by its name
        folder = BUILTIN.parent / folder
    workload = load(folder)
    suffix = ".test.jsonl.gz"
    names = sorted(file.name.removesuffix(suffix) for file in (folder / "recordings").glob(f"*{suffix}"))
    if not names:
        raise BadInput(f"{folder} has no recordings; make them with: crossover record --workload {folder} --model M")
    right = {name: _right(workload, recording_path(folder, name, "test")) for name in names}
    parts = [_accuracy(workload, right)]
    if pairs := [pair for pair in PAIRS if set(pair) <= set(right)]:
        parts.append(_who(right, pairs))
    if burnt := [name for name in BURNT[1] if {name, BURNT[0]} <= set(right)]:
        parts.append(_burning(workload, right, BURNT[0], burnt))
    parts += [_sampled(workload, file) for file in sorted((folder / "recordings").glob("*.samples.jsonl.gz"))]
    return "\n\n".join(parts)


def _right(workload: Workload, file: Path) -> Right:
    rows = read_recording(file).rows
    answers = [(item, rows.get(recording_key(workload.request(item)))) for item in workload.split("test")]
    return {item.id: score(row.text, item, workload).value >= 1 for item, row in answers if row}


def _accuracy(workload: Workload, right: Mapping[str, Right]) -> str:
    lines = []
    for task, items in _by_task(workload):
        cells = [
            _share([(float(each[item.id]), item.group) for item in items if item.id in each], len(items))
            for each in right.values()
        ]
        lines.append((task, str(len(items)), *cells))
    return _markdown(("task", "questions", *right), lines)


def _share(values: Sequence[tuple[float, str]], of: int) -> str:
    """The share of right answers with its interval, and how many there are where some are missing."""
    if not values:
        return "not recorded"
    answers, groups = [value for value, _ in values], [group for _, group in values]
    low, high = interval.share([value >= 1 for value in answers], groups)
    some = "" if len(answers) == of else f", {len(answers)} answers"
    return f"{sum(answers) / len(answers):.1%} [{low:.1%}, {high:.1%}]{some}"


def _who(right: Mapping[str, Right], pairs: Iterable[tuple[str, str]]) -> str:
    lines = []
    for small, large in pairs:
        both = [(right[small][item], right[large][item]) for item in right[small] if item in right[large]]
        counts = [both.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))]
        lines.append((small, large, *(f"{each} ({each / max(len(both), 1):.1%})" for each in counts)))
    return _markdown(("small", "large", "both", "only the small", "only the large", "neither"), lines)


def _burning(workload: Workload, right: Mapping[str, Right], name: str, burnt: Sequence[str]) -> str:
    lines = []
    for task, items in _by_task(workload):
        cells = []
        for other in burnt:
            asked = [item for item in items if item.id in right[name] and item.id in right[other]]
            cells.append(_moved([right[other][item.id] - right[name][item.id] for item in asked], asked))
        lines.append((task, *cells))
    return _markdown(("task", *(f"{other} less {name}, points" for other in burnt)), lines)


def _moved(moved: Sequence[int], items: Sequence[Item]) -> str:
    if not moved:
        return "not recorded"
    low, high = interval.difference(moved, [item.group for item in items])
    mean = sum(moved) / len(moved) * 100
    return f"{mean:+.1f} [{low * 100:+.1f}, {high * 100:+.1f}], {moved.count(-1)} lost, {moved.count(1)} won"


def _sampled(workload: Workload, file: Path) -> str:
    """One answer, the most frequent one, and any of the sampled answers: shares of right ones by task."""
    rows, lines, counts = read_recording(file).rows, [], set[int]()
    for task, items in _by_task(workload):
        found: list[tuple[Item, list[float], float]] = []
        for item in items:
            texts = list(_samples(workload, item, rows))
            if texts:
                marks = [float(score(text, item, workload).value >= 1) for text in texts]
                answers = [text.rpartition("Answer:")[2].strip().casefold() for text in texts]
                found.append((item, marks, marks[answers.index(max(answers, key=answers.count))]))
                counts.add(len(texts))
        if found and task != "all":
            one = sum(sum(marks) / len(marks) for _, marks, _ in found) / len(found)
            votes = _share([(vote, item.group) for item, _, vote in found], len(found))
            anys = _share([(max(marks), item.group) for item, marks, _ in found], len(found))
            lines.append((task, str(len(found)), f"{one:.1%}", votes, anys))
    name, drawn = file.name.partition(".samples")[0], " or ".join(map(str, sorted(counts))) or "no"
    return _markdown((f"{name}, {drawn} samples", "questions", "one", "the most frequent", "any"), lines)


def _samples(workload: Workload, item: Item, rows: Mapping[str, Row]) -> Iterator[str]:
    for sample in count():
        request = workload.request(item, temperature=SAMPLED_AT, seed=SAMPLED_SEED, sample=sample)
        row = rows.get(recording_key(request))
        if row is None:
            return
        yield row.text


def _by_task(workload: Workload) -> list[tuple[str, list[Item]]]:
    """The test questions of each task, then all of them."""
    items = workload.split("test")
    tasks = [(task, [item for item in items if item.task == task]) for task in workload.tasks]
    return [*((task, found) for task, found in tasks if found), ("all", list(items))]


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))
