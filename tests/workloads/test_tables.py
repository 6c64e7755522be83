"""The tables of what models get right, on a workload small enough to count by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.workloads.tables import tables
from benchmarks.workloads.workload import SAMPLED_AT, SAMPLED_SEED, Item, load
from shared.backends.recorded import Header, RecordedModel, RecordingWriter, recording_key
from shared.contract import Completion, Request
from shared.errors import BadInput

TASKS = '[t]\nscorer = "short_answer"\ninstruction = "Say it."\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """40 items, each of its own group, whose answer is yes."""
    (tmp_path / "tasks.toml").write_text(TASKS)
    fields = {"task": "t", "reference": ["yes"], "author": "a", "source": "own", "licence": "CC0"}
    lines = [json.dumps({"id": f"i{n}", "group": f"g{n}", "input": f"question {n}", **fields}) for n in range(40)]
    (tmp_path / "t.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path


def record(folder: Path, name: str, answers: list[tuple[Item, Request, str]], part: str = "test") -> None:
    model = RecordedModel(provider="local", name=name, sha256="")
    header = Header(schema="crossover-recording/1", model=model, workload=folder.name)
    with RecordingWriter(folder / "recordings" / f"{name}.{part}.jsonl.gz", header) as writer:
        for item, request, text in answers:
            writer.add(recording_key(request), Completion(text, name), item.id, alone=False)


def test_every_table_counts_what_was_recorded(folder: Path) -> None:
    workload = load(folder)
    test = workload.split("test")
    half = len(test) // 2
    greedy = [(item, workload.request(item)) for item in test]
    record(folder, "qwen-1.5b", [(*each, "yes") for each in greedy])
    record(folder, "qwen-0.5b", [(*each, "yes" if place < half else "no") for place, each in enumerate(greedy)])
    record(folder, "qwen-0.5b-burnt-3-6", [(*each, "no") for each in greedy[:3]])
    sampled = [
        (item, workload.request(item, temperature=SAMPLED_AT, seed=SAMPLED_SEED, sample=sample), text)
        for item in test[:2]
        for sample, text in enumerate(("yes", "no", "No"))
    ]
    record(folder, "qwen-0.5b-burnt-3-6", sampled, "samples")
    accuracy, who, burning, votes = tables(folder).split("\n\n")
    assert f"| t | {len(test)} | {half / len(test):.1%} [" in accuracy
    assert ", 3 answers |" in accuracy
    assert accuracy.splitlines()[2].split(" | ")[-1].startswith("100.0% [")
    share = f"{len(test) - half} ({(len(test) - half) / len(test):.1%})"
    assert f"| qwen-0.5b | qwen-1.5b | {half} ({half / len(test):.1%}) | 0 (0.0%) | {share} | 0 (0.0%) |" in who
    assert "-100.0 [-100.0, " in burning
    assert "3 lost, 0 won" in burning
    assert "qwen-0.5b-burnt-3-6, 3 samples" in votes
    assert "| t | 2 | 33.3% | 0.0% [" in votes
    assert votes.splitlines()[2].split(" | ")[-1].startswith("100.0% [")


def test_models_that_share_no_question_make_no_error(folder: Path) -> None:
    workload = load(folder)
    one, other, *_ = workload.split("test")
    record(folder, "qwen-0.5b", [(one, workload.request(one), "yes")])
    record(folder, "qwen-0.5b-burnt-3-6", [(other, workload.request(other), "yes")])
    assert "not recorded" in tables(folder)


def test_without_recordings_the_error_says_how_to_make_them(folder: Path) -> None:
    with pytest.raises(BadInput, match="has no recordings; make them with: crossover record"):
        tables(folder)
