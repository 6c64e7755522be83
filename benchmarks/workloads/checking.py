"""`crossover workload check`: is a workload fit to compare anything with, and where is it not?

First every line is read, and all that `workload.load` would refuse is listed, not only the first. Then the items are
checked against their scorers, against each other and, where recordings are there, against what models can do. What is
a matter of degree has a bound. The bounds are this project's choice, no standard: at 1 % near-duplicates and 2 % for
one template a few coincidences of everyday language pass, and a workload made by filling in lists does not.

Near-duplicates are compared as a whole: earlier turns, profile and message. Templates are looked for in the message.
Items of one group are meant to be alike and are no finding; so that this hides no template, a group is bounded as one.
No text of an item is shown unless it is asked for.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.quality.grammar import hides_its_edits
from benchmarks.quality.json_fields import fits
from benchmarks.quality.score import rejected, score
from benchmarks.quality.short_answer import normalise
from benchmarks.workloads import check_text, similarity
from benchmarks.workloads.workload import BUILTIN, Item, Workload, read
from shared.backends.recorded import read_recording, recording_key
from shared.errors import BadInput

NEAR: Final = 0.5
"""Jaccard index from which two texts are near-duplicates: half of all their n-grams are shared."""
FAMILY: Final = 0.7
"""Jaccard index at which two skeletons are joined: higher, as chains of pairs must not wander."""
NEAR_BOUND: Final = 0.01
"""Share of items that may have a near-duplicate in another group; the same for test items that have one in training."""
TEMPLATE_BOUND: Final = 0.02
"""Share of items that may come from one template."""
FLOOR: Final = 0.05
"""Accuracy that counts as none. Of label tasks it is what always saying the most common label gets."""
CEILING: Final = 0.95
"""Accuracy from which a task no longer tells models apart."""
LEAST_TEST: Final = 20
"""Test items of a task below which its figures say little: one answer is then more than 5 %."""
OPENING_WORDS: Final = 4
WORST: Final = 10
"""Pairs, and ids of a template, that the report names."""

NEEDS: Final = {
    "label": "a text",
    "numeric": "a number (or a text like '3.5 km')",
    "short_answer": "a list of accepted texts",
    "json_fields": "an object",
    "grammar": "a list of accepted texts",
}

Report = dict[str, Any]


def run(path: Path | None, *, as_json: bool, show: bool) -> int:
    """Check a workload and print the report. Returns 0 where nothing is found, 1 where something is, 2 where lines
    cannot be read. Raises `BadInput` where there is no workload at all. `show` adds the texts of items."""
    report = check(path or BUILTIN, show=show)
    print(json.dumps(report, ensure_ascii=False, indent=2) if as_json else check_text.text(report))
    return 2 if report["faulty_lines"] else 1 if report["findings"] else 0


def check(path: Path, *, show: bool = False) -> Report:
    """The report on a workload folder, or on one of its *.jsonl alone. Shares lie in [0, 1]; None is not measured."""
    if not path.exists() and (BUILTIN.parent / path).is_dir():  # a workload of this repo, by its name
        path = BUILTIN.parent / path
    folder = path if path.is_dir() else path.parent
    workload, faulty = read(path)
    report: Report = {
        "workload": str(path),
        "version": workload.version,
        "items": len(workload.items),
        "faulty_lines": [asdict(each) for each in faulty],
    }
    if faulty:
        return report | {"findings": [f"{len(faulty)} lines cannot be read; the other checks need all"], "warnings": []}
    references = _listed(workload, _reference_faults)
    report |= {
        "groups": len({item.group for item in workload.items}),
        "tasks": _tasks(workload),
        "references": references,
        "relations": _listed(workload, _relation_faults),
        "duplicates": _duplicates(workload),
        "examples": _examples(workload),
        **_near_duplicates(workload, show=show),
        "templates": _templates(workload, show=show),
        "models": _models(workload, folder, skip={each["id"] for each in references}),
    }
    return report | {"findings": list(_findings(report)), "warnings": list(_warnings(report))}


def _tasks(workload: Workload) -> dict[str, Any]:
    return {name: _task(workload, [item for item in workload.items if item.task == name]) for name in workload.tasks}


def _task(workload: Workload, items: Sequence[Item]) -> dict[str, Any]:
    test = [item for item in items if item.split == "test"]
    labels = Counter(str(item.reference) for item in test if workload.scorer(item) == "label")
    return {
        "items": len(items),
        "splits": {name: sum(item.split == name for item in items) for name in ("train", "validation", "test")},
        "levels": {name: sum(item.level == name for item in items) for name in ("easy", "mid", "hard")},
        "groups": len({item.group for item in items}),
        "related_share": _share(sum(bool(item.relation) for item in items), len(items)),
        "largest_label_share": _share(max(labels.values()), labels.total()) if labels else None,
    }


def _listed(workload: Workload, faults: Callable[[Item, Workload], Iterator[str]]) -> list[dict[str, str]]:
    return [{"id": item.id, "fault": fault} for item in workload.items for fault in faults(item, workload)]


def _reference_faults(item: Item, workload: Workload) -> Iterator[str]:
    """Whether the scorer gives full marks to each accepted answer, and a schema describes it."""
    name, reference = workload.scorer(item), item.reference
    if name == "outcome":  # what was recorded is the score: there is no reference
        return
    if name == "label" and isinstance(reference, str) and reference not in workload.tasks[item.task].labels:
        yield "the reference is none of the task's labels"
        return
    if name == "json_fields" and isinstance(reference, dict) and item.fields:
        yield from _schema_faults(item.fields, reference)
    try:
        places = rejected(item, workload)
    except BadInput:  # its message quotes the reference
        if name == "numeric" and isinstance(reference, int) and not isinstance(reference, bool):
            yield f"the reference is too large a number for the scorer {name}"
        else:
            yield f"the scorer {name} needs {NEEDS[name]} as reference, this is {_kind(reference)}"
    else:
        several = isinstance(reference, list) and len(reference) > 1
        if places:
            which = f"accepted answers {', '.join(map(str, places))}" if several else "the reference itself"
            yield f"the scorer {name} rejects {which}"
        if name == "grammar" and isinstance(reference, list) and hides_its_edits(item.input, list(map(str, reference))):
            yield (
                "the input differs from an accepted correction only in what the scorer does not count (case, quotes, "
                "marks around it), so leaving it as it is scores 1"
            )


def _kind(reference: object) -> str:
    if isinstance(reference, list):
        return "a list of texts and others" if reference else "an empty list"
    return f"of type {type(reference).__name__}" if reference or not isinstance(reference, dict) else "an empty object"


def _schema_faults(schema: Mapping[str, str], reference: Mapping[str, object]) -> Iterator[str]:
    if missing := sorted(set(schema) - set(reference)):
        yield f"the reference lacks {', '.join(missing)} of the schema"
    if extra := sorted(set(reference) - set(schema)):
        yield f"the schema lacks {', '.join(extra)} of the reference"
    for name in schema.keys() & reference.keys():
        value = reference[name]
        if not fits(value, schema[name]):
            yield f"field `{name}` of the reference is {type(value).__name__}, its schema says {schema[name]}"


def _relation_faults(item: Item, workload: Workload) -> Iterator[str]:
    for kind, other_id in item.relation.items():
        other = workload.by_id.get(other_id)
        if other_id == item.id:
            yield f"{kind} itself"
        elif other is None:
            yield f"{kind} {other_id}, which is not there"
        elif other.group != item.group:
            yield f"{kind} {other_id}, which is in another group"
        elif bool(_accepted(item) & _accepted(other)) != (kind == "paraphrase_of"):
            yield f"{kind} {other_id}, and their references {'differ' if kind == 'paraphrase_of' else 'are the same'}"


def _accepted(item: Item) -> set[Hashable]:
    return {_comparable(each) for each in (item.reference if isinstance(item.reference, list) else [item.reference])}


def _comparable(value: object) -> Hashable:
    """Texts as they are scored; 3 and 3.0 are one number, true is none."""
    if isinstance(value, str):
        return normalise(value)
    if isinstance(value, list):
        return tuple(map(_comparable, value))
    if isinstance(value, dict):
        return tuple((name, _comparable(value[name])) for name in sorted(value))
    return ("boolean", value) if isinstance(value, bool) else value


def _duplicates(workload: Workload) -> list[list[str]]:
    """Ids of items that are one and the same request to a model."""
    asked: defaultdict[str, list[str]] = defaultdict(list)
    for item in workload.items:
        asked[recording_key(workload.request(item))].append(item.id)
    return [ids for ids in asked.values() if len(ids) > 1]


def _examples(workload: Workload) -> list[str]:
    """Ids of items that ask what their task's instruction already answers, in the same words."""
    shown = {name: {_key(each.input) for each in task.examples} for name, task in workload.tasks.items()}
    return [item.id for item in workload.items if {_key(item.input), _key(item.text())} & shown[item.task]]


def _key(asked: str) -> str:
    return " ".join(similarity.words_of(asked)) or asked.strip()


def _near_duplicates(workload: Workload, *, show: bool) -> dict[str, Any]:
    """Pairs of near-duplicates in different groups, and those of them that stand on both sides of training and test."""
    items = workload.items
    texts = [
        "\n".join([*(turn for turns in item.history for turn in turns), item.profile or "", item.input])
        for item in items
    ]
    everywhere = similarity.near_duplicates(texts, NEAR)
    pairs = [pair for pair in everywhere if items[pair.first].group != items[pair.second].group]
    within = {place for pair in set(everywhere).difference(pairs) for place in (pair.first, pair.second)}
    leaks = [pair for pair in pairs if _is_test(items[pair.first]) != _is_test(items[pair.second])]

    def part(some: Sequence[similarity.Pair], places: set[int], of: int) -> dict[str, Any]:
        worst = [
            {"ids": [items[pair.first].id, items[pair.second].id], "jaccard": round(pair.jaccard, 3)}
            | ({"texts": [texts[pair.first], texts[pair.second]]} if show else {})
            for pair in some[:WORST]
        ]
        return {
            "threshold": NEAR,
            "bound": NEAR_BOUND,
            "items": len(places),
            "share": _share(len(places), of),
            "pairs": len(some),
            "worst": worst,
        }

    places = {place for pair in pairs for place in (pair.first, pair.second)}
    leaked = {place for pair in leaks for place in (pair.first, pair.second) if _is_test(items[place])}
    return {
        "near_duplicates": part(pairs, places, len(items)) | {"within_groups": len(within)},
        "leakage": part(leaks, leaked, sum(map(_is_test, items))),
    }


def _is_test(item: Item) -> bool:
    return item.split == "test"


def _templates(workload: Workload, *, show: bool) -> dict[str, Any]:
    messages = [item.input for item in workload.items]
    groups, ids = [item.group for item in workload.items], [item.id for item in workload.items]
    skeletons = [similarity.skeleton(message) for message in messages]
    ways: dict[str, tuple[Sequence[object], float | None, float | None]] = {
        "skeleton": (skeletons, None, TEMPLATE_BOUND),
        "family": (similarity.families(skeletons, FAMILY), FAMILY, TEMPLATE_BOUND),
        "frame": (similarity.frames(messages), similarity.COMMON, TEMPLATE_BOUND),
        "group": (groups, None, TEMPLATE_BOUND),
        "opening": ([similarity.opening(message, OPENING_WORDS) for message in messages], OPENING_WORDS, None),
    }
    found: dict[str, Any] = {}
    for name, (keys, threshold, bound) in ways.items():
        places = similarity.largest(keys, ids if name == "group" else groups)
        found[name] = {
            "threshold": threshold,
            "bound": bound,
            "items": len(places),
            "share": _share(len(places), len(messages)),
            "ids": [ids[place] for place in places[:WORST]],
        } | ({"texts": [messages[place] for place in places[:WORST]]} if show else {})
    return found


def _models(workload: Workload, folder: Path, *, skip: Container[str]) -> dict[str, Any] | None:
    """Share of fully right answers of each recorded model to the test items it was asked, by task; None without any.

    Items to `skip` are those that cannot be scored.
    """
    files = sorted(file for ending in ("", ".gz") for file in folder.glob(f"recordings/*.test.jsonl{ending}"))
    if not files:
        return None
    test = [(item, recording_key(workload.request(item))) for item in workload.split("test") if item.id not in skip]
    right: dict[str, dict[str, list[bool]]] = {name: {} for name in workload.tasks}
    for file in files:
        rows, model = read_recording(file).rows, file.name.partition(".test.jsonl")[0]
        answers: defaultdict[str, list[bool]] = defaultdict(list)
        for item, key in test:
            if key in rows:
                answers[item.task].append(score(rows[key].text, item, workload).value >= 1)
        for name, scores in answers.items():
            right[name][model] = scores
    return {name: _spread(workload, name, scores) for name, scores in right.items()}


def _spread(workload: Workload, name: str, right: Mapping[str, Sequence[bool]]) -> dict[str, Any]:
    floor = FLOOR
    if workload.tasks[name].scorer == "label":
        labels = Counter(str(item.reference) for item in workload.split("test") if item.task == name)
        floor = max(labels.values(), default=0) / max(1, labels.total())
    shares = {model: sum(scores) / len(scores) for model, scores in right.items()}
    verdict = None
    if shares and min(map(len, right.values())) >= LEAST_TEST:
        at_floor, at_ceiling = max(shares.values()) <= floor, min(shares.values()) >= CEILING
        verdict = "floor" if at_floor else "ceiling" if at_ceiling else "between"
    return {
        "floor": _rounded(floor),
        "verdict": verdict,
        "models": {model: {"answered": len(right[model]), "right": _rounded(share)} for model, share in shares.items()},
    }


def _findings(report: Report) -> Iterator[str]:
    for part, what in (
        ("references", "references do not fit their scorer"),
        ("relations", "relations do not hold"),
        ("duplicates", "requests stand under more than one id"),
        ("examples", "items repeat an example of their task"),
    ):
        if report[part]:
            yield f"{len(report[part])} {what}"
    templates = report["templates"]
    for found, what in (
        (report["near_duplicates"], "of the items have a near-duplicate in another group"),
        (report["leakage"], "of the test items have a near-duplicate in training"),
        *((templates[way], f"of the items come from one {way}") for way in ("skeleton", "family", "frame", "group")),
    ):
        if (found["share"] or 0) > found["bound"]:
            yield f"{found['share']:.1%} {what}; the bound is {found['bound']:.0%}"
    for task, spread in (report["models"] or {}).items():
        if spread["verdict"] == "floor":
            yield f"task {task}: no recorded model gets more than {spread['floor']:.1%} right"
        elif spread["verdict"] == "ceiling":
            yield f"task {task}: every recorded model gets {CEILING:.0%} or more right"


def _warnings(report: Report) -> Iterator[str]:
    for name, task in report["tasks"].items():
        if not task["items"]:
            yield f"task {name} has no items"
        elif task["splits"]["test"] < LEAST_TEST:
            yield f"task {name} has {task['splits']['test']} test items; under {LEAST_TEST} its figures say little"
    if report["models"] is None:
        yield "no model's test answers are recorded, so floor and ceiling are not measured; make one: crossover record"
        return
    for name, spread in report["models"].items():
        if spread["verdict"] is None and report["tasks"][name]["splits"]["test"] >= LEAST_TEST:
            yield f"task {name}: under {LEAST_TEST} recorded answers of a model; floor and ceiling are not measured"


def _share(some: int, of: int) -> float | None:
    return _rounded(some / of) if of else None


def _rounded(share: float) -> float:
    return float(f"{share:.9g}")
