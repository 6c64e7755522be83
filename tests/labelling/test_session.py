"""Labels are blind, resumable, and bound to their run."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path

import pytest

from benchmarks.labelling import store
from benchmarks.labelling.pairs import read
from benchmarks.labelling.session import Session
from benchmarks.labelling.status import document, text
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


def test_nothing_is_decided_before_the_stated_sample_is_complete(tmp_path: Path) -> None:
    session = begun(differing(tmp_path, 30), 20)
    planned = document(session.run, session.labels())
    assert (planned["complete"], planned["word"]) == (False, None)
    for pair in session.run.pairs[:19]:
        session.say(pair.request, "left" if session.sides(pair)[0] == "direct" else "right")
    told = document(session.run, session.labels())
    assert (told["estimate"], told["complete"], told["reason"]) == (1.0, False, "not yet: 19 of 20 labelled")
    for field in ("word", "not_worse", "labels_needed", "labels_for_not_worse"):
        assert told[field] is None
    said = text(told)
    assert "direct less legacy, provisional: +100.0 points" in said
    assert "no longer blind" in said
    assert not re.search("better, worse|to show|: better|not worse", said)
    session.say(session.run.pairs[19].request, "same")
    told = document(session.run, session.labels())
    assert (told["complete"], told["word"], told["not_worse"]) == (True, "better", True)
    assert "not worse than the margin of 2 points: yes" in text(told)


def test_an_undecided_sample_says_which_size_would_decide_and_what(tmp_path: Path) -> None:
    session = begun(differing(tmp_path, 400, equal=2600), 30)
    for place, pair in enumerate(session.run.pairs[:30]):
        session.say(
            pair.request,
            "same" if place % 6 else ("left", "right")[session.sides(pair).index(("legacy", "direct")[place % 12 > 0])],
        )
    told = document(session.run, session.labels())
    said = text(told)
    assert told["word"] == "inconclusive"
    assert "not worse than the margin of 2 points: not shown" in said
    for name, field in (("not worse", "labels_for_not_worse"), ("better, worse or equivalent", "labels_needed")):
        needed = told[field]
        size = rf"\(--sample {30 + needed}\)"
        assert re.search(rf"to show {name} at 2 points, with 80 % power: about {needed} more labels {size}", said)


def test_skips_widen_the_interval_and_are_counted(tmp_path: Path) -> None:
    session = begun(differing(tmp_path, 40, equal=40), 40)
    for place, pair in enumerate(session.run.pairs):
        session.say(pair.request, "skip" if place % 2 else "left" if session.sides(pair)[0] == "direct" else "right")
    told = document(session.run, session.labels())
    assert (told["complete"], told["word"], told["estimate"]) == (True, "inconclusive", 0.25)
    assert told["low"] < 0.0 < 0.5 < told["high"]
    assert "skipped: 20; they may hold anything" in text(told)


def test_undo_asks_the_pair_again_and_only_what_was_said_here(tmp_path: Path) -> None:
    session = begun(differing(tmp_path, 5))
    assert not session.undo()
    session.say(session.run.pairs[0].request, "same")
    assert not begun(tmp_path).undo()
    session.say(session.run.pairs[1].request, "skip")
    assert session.undo()
    assert session.next() == session.run.pairs[1]
    assert session.undo()
    assert session.labels().said == {}
    assert len(session.file.read_text().splitlines()) == 5


@pytest.mark.parametrize("sample", ["null", "0", "true", '"5"', "6"])
def test_a_spoilt_sample_is_named(tmp_path: Path, sample: str) -> None:
    session = begun(differing(tmp_path, 5))
    session.file.write_text(session.file.read_text().replace('"sample": 5', f'"sample": {sample}'))
    with pytest.raises(BadInput, match="its sample is"):
        session.labels()


def test_a_full_disk_is_told() -> None:
    with pytest.raises(BadInput, match=r"/dev/full cannot be written \(No space left on device\)"):
        store.append(Path("/dev/full"), {"pair": 1})


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
