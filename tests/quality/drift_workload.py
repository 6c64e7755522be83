"""A small workload with recordings of models whose answers are known by their names, and timelines over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.drift import play
from benchmarks.quality.timeline import plan
from benchmarks.workloads.workload import PARTS, Item, Part, load
from shared.backends.recorded import Header, RecordedModel, RecordingWriter, recording_key
from shared.contract import Completion, canonical_json

TASKS = """
[plain]
scorer = "short_answer"
instruction = "Answer."
[late]
scorer = "short_answer"
instruction = "Answer."
[policy]
scorer = "short_answer"
instruction = "Answer from the policy."
"""

MODELS: Mapping[str, Callable[[Item], str]] = {
    "good": lambda item: right(item),
    "as-good": lambda item: right(item),
    "bad": lambda item: "wrong",
    "knows-easy": lambda item: right(item) if item.level == "easy" else "wrong",
    "knows-old": lambda item: "wrong" if item.task == "late" else right(item),
    "at-times-blank": lambda item: " " if int(item.id[1:]) % 4 == 0 else right(item),
}


def right(item: Item) -> str:
    assert isinstance(item.reference, list)
    return str(item.reference[0])


def write(folder: Path, parts: Sequence[Part] = ("test",)) -> Path:
    """Plain questions, easy and hard by turns; those of a task that comes late; policies in two versions each.

    With recordings of the `parts`: without the training part no classifier can be trained, and all goes to large.
    """
    folder.mkdir()
    (folder / "tasks.toml").write_text(TASKS)
    rest = {"author": "a", "source": "own", "licence": "CC0"}
    rows = list[dict[str, Any]]()
    for number in range(60):
        task, level = ("late" if number % 3 == 0 else "plain"), ("easy" if number % 2 else "hard")
        text = f"an {level} thing number {number}" + ", at length" * (level == "hard")
        rows.append({"task": task, "level": level, "input": text, "reference": [f"thing {number}"]})
    for number in range(12):
        for version in ("2025", "2026"):
            rows.append(
                {
                    "task": "policy",
                    "level": "easy",
                    "group": f"policy-{number}",
                    "input": f"how long is bike {number} mine?",
                    "profile": f"Policy ({version}): bike {number} may be kept for {number} days of {version}.",
                    "scope": {"policy": version},
                    "reference": [f"{number} of {version}"],
                }
            )
    lines = [canonical_json({"id": f"i{place}", "group": f"g{place}", **row, **rest}) for place, row in enumerate(rows)]
    (folder / "items.jsonl").write_text("\n".join(lines) + "\n")
    for name in MODELS:
        for part in parts:
            record(folder, name, part)
    return folder


def record(folder: Path, name: str, part: Part, *, leave_out: int = 0) -> Path:
    """The recording of a model; without its last few rows where told so."""
    workload, file = load(folder), folder / "recordings" / f"{name}.{part}.jsonl"
    file.unlink(missing_ok=True)
    model = RecordedModel(provider="local", name=name, sha256=name)
    header = Header(schema="crossover-recording/1", model=model, workload=workload.name)
    items = [item for item in workload.items if item.split in PARTS[part]]
    with RecordingWriter(file, header) as writer:
        for item in items[: len(items) - leave_out]:
            key = recording_key(workload.request(item))
            writer.add(key, Completion(MODELS[name](item), name), item.id, alone=False)
    return file


def timeline(folder: Path, events: str = "", **over: Any) -> Path:
    """A timeline file beside the workload folder: six epochs, two for reference, no policies unless asked for."""
    models = {"small": "bad", "large": "good", "direct": "good"}
    keys = {
        "workload": folder.name,
        "epochs": 6,
        "reference_epochs": 2,
        "requests": 60,
        "tasks": {"policy": 0},
        **models,
    }
    file = folder.parent / "timeline.toml"
    lines = [f"{key} = {canonical_json(value).replace(':', ' = ')}" for key, value in {**keys, **over}.items()]
    file.write_text("\n".join(lines) + f"\n\n{events}")
    return file


def played(folder: Path, events: str = "", **over: Any) -> dict[str, Any]:
    """What comes of it."""
    return play(plan(timeline(folder, events, **over)))
