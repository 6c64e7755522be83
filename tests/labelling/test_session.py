"""Labels are blind, resumable, and bound to their run."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from benchmarks.labelling import store
from benchmarks.labelling.pairs import read
from benchmarks.labelling.session import Session
from benchmarks.labelling.status import document
from shared.errors import BadInput
from tests.labelling.runs import differing


def begun(directory: Path, sample: int | None = None) -> Session:
    session = Session(read(directory))
    session.begin(sample)
    return session


def test_what_is_shown_names_nobody_and_sides_vary(tmp_path: Path) -> None:
    session = begun(differing(tmp_path, 60))
    sides = [session.sides(pair) for pair in session.run.pairs]
    assert 15 < sides.count(("legacy", "direct")) < 45
    assert sides == [session.sides(pair) for pair in session.run.pairs]
    shown = session.shown(session.run.pairs[0])
    assert set(shown) == {"pair", "task", "history", "question", "reference", "left", "right", "done", "sample"}


def test_left_and_right_become_the_systems(tmp_path: Path) -> None:
    session = begun(differing(tmp_path, 20))
    while pair := session.next():
        session.say(pair.request, "left" if session.shown(pair)["left"].startswith("new") else "right")
    told = document(session.run, session.labels())
    assert told["labels"] == {"direct": 20, "legacy": 0, "same": 0, "both_bad": 0, "skip": 0}
    assert (told["estimate"], told["word"]) == (1.0, "better")


def test_resumes_where_it_was_and_the_last_label_of_a_pair_counts(tmp_path: Path) -> None:
    session = begun(differing(tmp_path, 5))
    first = session.next()
    assert first is not None
    session.say(first.request, "same")
    session.say(first.request, "both_bad")
    again = begun(tmp_path)
    assert again.next() == again.run.pairs[1]
    assert list(again.labels().said.values()) == ["both_bad"]


def test_a_cut_off_line_is_passed_over_and_the_next_label_stands(tmp_path: Path) -> None:
    session = begun(differing(tmp_path, 5))
    session.say(session.run.pairs[0].request, "same")
    with session.file.open("rb+") as file:
        file.seek(-9, os.SEEK_END)
        file.truncate()
    session.say(session.run.pairs[1].request, "same")
    labels = session.labels()
    assert (labels.said, labels.damaged) == ({1: "same"}, 1)


def test_a_skipped_pair_is_not_asked_again_and_says_nothing(tmp_path: Path) -> None:
    session = begun(differing(tmp_path, 3))
    session.say(session.run.pairs[0].request, "skip")
    assert session.next() == session.run.pairs[1]
    assert session.labels().values == {}


def test_the_sample_is_stated_and_can_only_grow(tmp_path: Path) -> None:
    session = begun(differing(tmp_path, 30), 10)
    head = json.loads(session.file.read_text().splitlines()[0])
    assert head["requests_sha256"] == session.run.digest
    assert (head["sample"], head["differing"], head["strata"], head["seed"]) == (10, 30, {"t": 30}, session.run.seed)
    session.begin(None)
    assert len(session.file.read_text().splitlines()) == 1
    session.begin(20)
    assert session.labels().sample == 20
    with pytest.raises(BadInput, match="can only grow"):
        session.begin(5)
    with pytest.raises(BadInput, match="not of the sample"):
        session.say(session.run.pairs[25].request, "same")


def test_labels_of_another_run_are_refused(tmp_path: Path) -> None:
    begun(differing(tmp_path, 5))
    differing(tmp_path, 6)
    with pytest.raises(BadInput, match="belongs to other answers"):
        Session(read(tmp_path)).labels()


def test_several_writers_do_not_mix_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"

    def write(name: int) -> None:
        for count in range(50):
            store.append(file, {"name": name, "count": count, "filler": "ä" * 200})

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = store.read(file, {})
    assert (len(kept.records), kept.damaged) == (200, 0)
