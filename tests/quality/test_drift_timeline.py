"""A timeline that cannot be played says file, line, key and remedy, before anything is played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import main
from benchmarks.quality.timeline import DEFAULT, SCHEMA, Mixture, json_schema, plan
from shared.errors import BadInput
from tests.quality.drift_workload import record, timeline, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("drift") / "small")


WRONG = [
    ('epoch = 4\nkind = "polcy"', "line 12: key `events.0.kind`: kind 'polcy' is unknown", "did you mean `policy`?"),
    ("epoch = 4", "line 10: key `events.0`: this event has no `kind`", "use one of mix, topic, upgrade, retire"),
    ('kind = "policy"', "line 10: key `events.0.epoch`: this key is needed", ""),
    ('epoch = 7\nkind = "policy"', "line 11: key `events.0.epoch`: 7 lies outside the timeline", "use 2 to 6"),
    (
        'epoch = 2\nkind = "policy"',
        "line 11: key `events.0.epoch`: 2 lies within the first 2",
        "lower `reference_epochs`",
    ),
    (
        'epoch = 4\nkind = "upgrade"\nsmall = "gone"',
        "line 13: key `events.0.small`: no test recording of 'gone'",
        "there are as-good, at-times-blank, bad",
    ),
    (
        'epoch = 4\nkind = "upgrade"\nsmal = "bad"',
        "line 13: key `events.0.smal`: this key is unknown",
        "did you mean `small`?",
    ),
    (
        'epoch = 4\nkind = "upgrade"\nsmall = "bad"\nhours = 3',
        "line 14: key `events.0.hours`",
        'belongs to kind = "idle"',
    ),
    (
        'epoch = 4\nkind = "topic"\ntask = "lat"',
        "line 13: key `events.0.task`: 'lat' is no task",
        "did you mean `late`?",
    ),
    ('epoch = 4\nkind = "mix"\ntasks = { lat = 1 }', "line 13: key `events.0.tasks.lat`", "did you mean `late`?"),
    ('epoch = 4\nkind = "mix"\nlevels = { hrd = 2 }', "line 13: key `events.0.levels.hrd`", "'easy', 'mid' or 'hard'"),
    (
        'epoch = 4\nkind = "mix"\nlevels = { hard = -2 }',
        "line 13: key `events.0.levels.hard`",
        "greater than or equal to 0",
    ),
    ('epoch = 4\nkind = "mix"', "line 10: key `events.0`: a mix changes nothing", "give one"),
    (
        'epoch = 4\nkind = "mix"\nlevels = { easy = 0, hard = 0 }',
        "line 10: key `events.0`: no question has any weight in epoch 4",
        "raise some weight",
    ),
    (
        'epoch = 4\nkind = "retire"\nrole = "tiny"\nanswers = "bad"',
        "line 13: key `events.0.role`",
        "'small', 'large' or 'direct'",
    ),
    (
        'epoch = 4\nkind = "policy"\nscope = "tenant"',
        "line 13: key `events.0.scope`: no two test questions",
        "record them",
    ),
    ('epoch = 4\nkind = "idle"\nhours = nan', "line 13: key `events.0.hours`", "a finite number"),
    (
        'epoch = 4\nkind = "topic"\ntask = "late"\n[[events]]\nepoch = 5\nkind = "topic"\ntask = "late"',
        "line 17: key `events.1.task`: 'late' appears twice",
        "delete one",
    ),
    (
        'epoch = 4\nkind = "idle"\nhours = 9000',
        "line 13: key `events.0.hours`: this must be less than or equal to 8760",
        "",
    ),
    (
        'epoch = 4\nkind = "mix"\nlevels = { hard = 1e308 }',
        "line 13: key `events.0.levels.hard`: this must be less than or equal to 1000000",
        "",
    ),
    (
        'epoch = 4\nkind = "policy"\n[[events]]\nepoch = 5\nkind = "policy"',
        "line 13: key `events.1`: this event finds no newer version",
        "change or delete it",
    ),
    (
        'epoch = 4\nkind = "mix"\nlevels = { easy = 1 }',
        "line 10: key `events.0`: this event leaves all weights as they are",
        "delete it",
    ),
    (
        'epoch = 4\nkind = "mix"\ntasks = { late = 3, plain = 3 }',
        "line 10: key `events.0`: this event leaves all weights as they are",
        "",
    ),
    (
        'epoch = 4\nkind = "retire"\nrole = "large"\nanswers = "good"',
        "line 10: key `events.0`: this event puts 'good' where it is already",
        "",
    ),
    (
        'epoch = 4\nkind = "upgrade"\nsmall = "bad"',
        "line 10: key `events.0`: this event puts 'bad' where it is already",
        "",
    ),
    (
        'epoch = 4\nkind = "firmware"\ndirect = "good"',
        "line 10: key `events.0`: this event puts 'good' where it is already",
        "",
    ),
    (
        'epoch = 5\nkind = "retire"\nrole = "small"\nanswers = "good"\n'
        '[[events]]\nepoch = 4\nkind = "upgrade"\nsmall = "good"',
        "line 10: key `events.0`: this event puts 'good' where it is already",
        "",
    ),
]


@pytest.mark.parametrize(("event", "fault", "remedy"), WRONG, ids=[event for event, *_ in WRONG])
def test_a_wrong_event_is_named(folder: Path, event: str, fault: str, remedy: str) -> None:
    file = timeline(folder, f"[[events]]\n{event}\n")
    with pytest.raises(BadInput) as caught:
        plan(file)
    assert str(caught.value).startswith(f"{file} {fault}"), caught.value
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("over", "fault"),
    [
        ({"requests": 3}, "line 4: key `requests`: this must be greater than or equal to 20"),
        ({"reference_epochs": 6}, "line 3: key `reference_epochs`: this must be less than `epochs` (6)"),
        ({"workload": "nowhere"}, "line 1: key `workload`: "),
        ({"large": "gone"}, "line 7: key `large`: no test recording of 'gone'"),
        ({"tasks": {"late": 0, "plain": 0, "policy": 0}}, "line 5: key `tasks`: no question has any weight in epoch 1"),
        ({"zipf": "x"}, "line 9: key `zipf`: a number is needed"),
        ({"epoch_hours": 1e308}, "line 9: key `epoch_hours`: this must be less than or equal to 8760"),
        ({"careful_ttl_hours": 8761}, "line 9: key `careful_ttl_hours`: this must be less than or equal to 8760"),
        ({"typical_ttl_hours": 8761}, "line 9: key `typical_ttl_hours`: this must be less than or equal to 8760"),
        ({"levels": {"hard": 1e308}}, "line 9: key `levels.hard`: this must be less than or equal to 1000000"),
        ({"tasks": {"late": 0, "plain": 5e-324, "policy": 0}, "zipf": 3}, "line 5: key `tasks`: no question has any"),
    ],
)
def test_a_wrong_key_is_named(folder: Path, over: dict[str, Any], fault: str) -> None:
    file = timeline(folder, **over)
    with pytest.raises(BadInput) as caught:
        plan(file)
    assert str(caught.value).startswith(f"{file} {fault}"), caught.value


def test_events_that_are_no_tables_are_told(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"line 10: key `events`: events are tables; write each under \[\[events\]\]"):
        plan(timeline(folder, events="events = 3"))


def test_a_recording_with_gaps_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path / "small")
    record(folder, "bad", "test", leave_out=2)
    with pytest.raises(
        BadInput, match=r"line 6: key `small`: the recording of 'bad' lacks 2 test questions .* --part test"
    ):
        plan(timeline(folder))


def test_the_command_line_says_it_and_plays_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", str(tmp_path / "gone.toml")]) == 2
    told = capsys.readouterr()
    assert "begin with a copy of benchmarks/quality/timeline.default.toml" in told.err
    assert not told.out
    (tmp_path / "file").touch()
    assert main(["drift", "--out", str(tmp_path / "file" / "x")]) == 2
    assert "name a directory that can" in capsys.readouterr().err
    (tmp_path / "out" / "drift.json").mkdir(parents=True)
    assert main(["drift", "--out", str(tmp_path / "out")]) == 2
    assert "drift.json is a directory" in capsys.readouterr().err


def test_what_changes_something_after_all_is_an_event(folder: Path) -> None:
    """A weight that was 0 at first; an upgrade to the model that answered silently before, and now says so."""
    events = (
        '[[events]]\nepoch = 3\nkind = "mix"\ntasks = { policy = 2 }\n[[events]]\nepoch = 4\nkind = "retire"\n'
        'role = "small"\nanswers = "good"\n[[events]]\nepoch = 5\nkind = "upgrade"\nsmall = "good"\n'
    )
    assert len(plan(timeline(folder, events)).timeline.events) == 3


def test_of_a_policy_one_version_is_asked_at_a_time(folder: Path) -> None:
    made = plan(timeline(folder, '[[events]]\nepoch = 4\nkind = "policy"', tasks={}))
    asked = {epoch: Mixture.at(made, epoch).weights(made) for epoch in (3, 4)}
    for item, before, after in zip(made.items, asked[3], asked[4], strict=True):
        assert (before > 0, after > 0) == {
            "2025": (True, False),
            "2026": (False, True),
        }.get(item.scope.get("policy", ""), (True, True))


def test_a_seed_of_the_command_line_overrides_the_file(folder: Path) -> None:
    assert plan(timeline(folder, seed=3)).timeline.seed == 3
    assert plan(timeline(folder, seed=3), seed=4).timeline.seed == 4


def test_the_published_schema_is_that_of_the_models() -> None:
    text = json.dumps(json_schema(), indent=1) + "\n"
    assert SCHEMA.read_text() == text, f"write json_schema() to {SCHEMA.name}"
    assert "#:schema" not in DEFAULT.read_text(), "a copy would name a schema that is not beside it"
