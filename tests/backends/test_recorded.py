"""Recordings: what is written is read, what is wrong is named, what was recorded is answered."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock
from shared.backends.recorded import (
    Header,
    RecordedBackend,
    RecordedModel,
    Recording,
    RecordingWriter,
    Row,
    _pieces,
    read_recording,
    recording_key,
)
from shared.contract import Completion, Identity, Message, Request, Usage
from shared.errors import BadInput, MissingRecording

MODEL = RecordedModel(provider="local", name="tiny", sha256="ab" * 32)
HEADER = Header(schema="crossover-recording/1", model=MODEL, workload="builtin")
ANSWER = Completion("Paris", "tiny", Usage(12, 2), "stop", (-0.123456, -1e-9), 0.25, 1.0)


def ask(text: str = "Capital of France?", **changes: Any) -> Request:
    return Request((Message("user", text),), temperature=0.0, **changes)


def written(path: Path, count: int = 3) -> Path:
    with RecordingWriter(path, HEADER) as writer:
        for number in range(count):
            writer.add(recording_key(ask(f"question {number}")), ANSWER, f"item-{number}", alone=True)
    return path


def backend(*, alone: bool = True) -> RecordedBackend:
    key = recording_key(ask())
    row = Row(key=key, text="Paris", finish_reason="stop", input_tokens=12)
    if alone:
        row = row.model_copy(update={"first_token_s": 0.25, "seconds": 1.0})
    return RecordedBackend(Recording(HEADER, {key: row}))


# --- the key ---


def test_the_key_covers_all_that_the_model_sees_and_nothing_else() -> None:
    same = [ask(), ask(task="facts"), ask(scope=(("tenant", "a"),)), ask(deadline_s=1.0)]
    other = [ask("Capital of Spain?"), ask(max_tokens=5), ask(seed=1), ask(stop=("x",)), ask(sample=1)]
    assert len({recording_key(request) for request in same}) == 1
    assert len({recording_key(request) for request in [same[0], *other]}) == 1 + len(other)


def test_the_key_does_not_depend_on_the_day_or_the_machine() -> None:
    assert recording_key(ask()) == "f508f074a2702599bb3d0cb3d6fa8471c988fa03d1e8dbc86cffc834af008e48"


# --- the file ---


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_what_was_written_is_read(tmp_path: Path, name: str) -> None:
    recording = read_recording(written(tmp_path / "sub" / name))
    assert recording.header == HEADER
    row = recording.rows[recording_key(ask("question 1"))]
    assert (row.id, row.text, row.input_tokens, row.logprobs, row.seconds) == ("item-1", "Paris", 12, (-0.1235, 0.0), 1)
    assert [each.name for each in (tmp_path / "sub").iterdir()] == [name]


def test_a_gzipped_recording_is_the_same_bytes_whenever_it_is_made(tmp_path: Path) -> None:
    one, other = written(tmp_path / "a.jsonl.gz"), written(tmp_path / "b.jsonl.gz")
    assert one.read_bytes() == other.read_bytes()


texts = st.text(max_size=40)  # without surrogates: hypothesis leaves them out by itself
seconds = st.none() | st.floats(0, 1e6).map(lambda value: round(value, 6))


@given(texts, st.none() | st.tuples(st.floats(-50, 0).map(lambda value: round(value, 4))), seconds, seconds)
def test_a_row_survives_the_round_trip(
    text: str, logprobs: tuple[float] | None, first_s: float | None, whole_s: float | None
) -> None:
    row = Row(
        key="0" * 64, text=text, finish_reason="length", logprobs=logprobs, first_token_s=first_s, seconds=whole_s
    )
    assert Row.model_validate_json(row.model_dump_json()) == row


def edit(path: Path, line: int, change: Callable[[dict[str, Any]], object]) -> Path:
    lines = path.read_text().splitlines()
    entry = json.loads(lines[line - 1])
    change(entry)
    lines[line - 1] = json.dumps(entry)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row.update(output_tokens=-3), "output_tokens: Input should be greater than or equal to 0"),
        (lambda row: row.update(seconds=math.nan), "seconds: Input should be a finite number"),
        (lambda row: row.update(logprobs=[-1.0, 0.5]), "logprobs.1: Input should be less than or equal to 0"),
        (lambda row: row.update(mood="good"), "mood: Extra inputs are not permitted"),
        (lambda row: row.update(text=7), "text: Input should be a valid string"),
        (lambda row: row.update(finish_reason="tired"), "finish_reason: Input should be"),
        (lambda row: row.update(key="short"), "key: String should match pattern"),
        (lambda row: row.pop("text"), "text: Field required"),
    ],
)
def test_a_bad_line_is_named_with_its_field(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = edit(written(tmp_path / "a.jsonl"), 3, change)
    with pytest.raises(BadInput) as caught:
        read_recording(path)
    assert f"a.jsonl line 3: {message}" in str(caught.value)
    assert "delete the line and record again" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.jsonl is empty"),
        (b"{}\n", "line 1: schema: Field required"),
        (b"not json\n", "line 1: the line: Invalid JSON"),
    ],
)
def test_a_file_without_a_header_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(BadInput, match=message):
        read_recording(tmp_path / "a.jsonl")


def test_a_cut_last_line_is_refused_by_the_reader(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BadInput, match=r"line 4 is cut off; record again to continue the file"):
        read_recording(path)


def test_a_cut_gzip_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadInput, match="cannot be read"):
        read_recording(path)


def test_a_key_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl")
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[2])
    with pytest.raises(BadInput, match="line 5: key is the same as in line 3"):
        read_recording(path)


def test_another_template_makes_a_recording_useless(tmp_path: Path) -> None:
    path = edit(written(tmp_path / "a.jsonl"), 1, lambda header: header.update(template="0"))
    with pytest.raises(BadInput, match="template is '0', now it is '1'; move it away and record again"):
        read_recording(path)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not there; make it with: crossover record"):
        read_recording(tmp_path / "a.jsonl")


def test_ten_thousand_lines_are_read(tmp_path: Path) -> None:
    row = Row(key="0" * 64, text="word " * 10, finish_reason="stop", logprobs=(-0.5,) * 10, seconds=1.0)
    lines = [row.model_copy(update={"key": f"{number:064x}"}).model_dump_json() for number in range(10_000)]
    (tmp_path / "a.jsonl").write_text("\n".join([HEADER.model_dump_json(by_alias=True), *lines]) + "\n")
    assert len(read_recording(tmp_path / "a.jsonl").rows) == 10_000


# --- continuing a file ---


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_an_interrupted_recording_goes_on_after_its_last_whole_line(tmp_path: Path, name: str) -> None:
    path, part = tmp_path / name, tmp_path / f"{name}.part"
    lines = written(tmp_path / "whole.jsonl").read_bytes()
    part.write_bytes(lines[:-5])
    with RecordingWriter(path, HEADER) as writer:
        assert writer.keys == {recording_key(ask(f"question {number}")) for number in (0, 1)}
        writer.add(recording_key(ask("question 2")), ANSWER, alone=True)
    assert len(read_recording(path).rows) == 3
    assert not part.exists()


def test_a_finished_gzipped_recording_can_be_added_to(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl.gz")
    with RecordingWriter(path, HEADER) as writer:
        writer.add(recording_key(ask("another")), ANSWER, alone=True)
    assert len(read_recording(path).rows) == 4


def test_the_same_question_is_not_recorded_twice(tmp_path: Path) -> None:
    with (
        RecordingWriter(written(tmp_path / "a.jsonl"), HEADER) as writer,
        pytest.raises(BadInput, match="has an answer under key"),
    ):
        writer.add(recording_key(ask("question 1")), ANSWER, alone=True)


@pytest.mark.parametrize(
    "change",
    [
        {"workload": "other"},
        {"model": MODEL.model_copy(update={"sha256": ""})},
        {"model": MODEL.model_copy(update={"base_url": "https://elsewhere.example/v1"})},
        {"packages": {"x": "2"}},
    ],
)
def test_another_source_cannot_go_on_with_a_file(tmp_path: Path, change: dict[str, Any]) -> None:
    path = written(tmp_path / "a.jsonl")
    with pytest.raises(BadInput, match="was recorded from another source"):
        RecordingWriter(path, HEADER.model_copy(update=change))
    assert [each.name for each in tmp_path.iterdir()] == ["a.jsonl"]


def test_two_cannot_write_one_recording(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl.gz")
    with RecordingWriter(path, HEADER) as writer:
        with pytest.raises(BadInput, match="is being written by another process"):
            RecordingWriter(path, HEADER)
        writer.add(recording_key(ask("another")), ANSWER, alone=True)
    assert len(read_recording(path).rows) == 4


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("a file")
    with pytest.raises(BadInput, match="recordings cannot be written"):
        RecordingWriter(tmp_path / "recordings" / "a.jsonl", HEADER)


def test_another_day_can_go_on_with_a_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl")
    with RecordingWriter(path, HEADER.model_copy(update={"date": "2026-12-24"})) as writer:
        assert len(writer.keys) == 3
    assert read_recording(path).header.date == ""


# --- how busy the machine was ---


def test_an_answer_given_beside_others_has_no_seconds(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "a", HEADER) as writer:
        writer.add(recording_key(ask("0")), ANSWER, alone=True)
        writer.add(recording_key(ask("1")), ANSWER, alone=False)
        assert writer.timed == {recording_key(ask("0"))}
    recording = read_recording(tmp_path / "a")
    assert [(row.seconds, row.first_token_s) for row in recording.rows.values()] == [(1.0, 0.25), (None, None)]
    assert not recording.timed


def test_an_answer_without_seconds_gives_way_to_one_with_them_and_to_no_other(tmp_path: Path) -> None:
    key = recording_key(ask())
    with RecordingWriter(tmp_path / "a", HEADER) as writer:
        writer.add(key, ANSWER, alone=False)
        with pytest.raises(BadInput, match="has an answer under key"):
            writer.add(key, ANSWER, alone=False)
        writer.add(key, ANSWER, alone=True)
        with pytest.raises(BadInput, match="has an answer under key"):
            writer.add(key, ANSWER, alone=True)
    recording = read_recording(tmp_path / "a")
    assert [row.seconds for row in recording.rows.values()] == [1.0]
    assert recording.timed


# --- answering ---


async def streamed(of: RecordedBackend, request: Request) -> list[str | Completion]:
    return [item async for item in of.stream(request)]


def test_it_answers_what_was_recorded() -> None:
    completion = clock.run(backend().complete(ask()), virtual=True)
    assert completion == Completion("Paris", "tiny", Usage(12, None), "stop", None, 0.25, 1.0, "recorded")


def test_times_of_a_busy_machine_are_not_handed_on() -> None:
    completion = clock.run(backend(alone=False).complete(ask()))
    assert (completion.seconds, completion.first_token_s, completion.timing) == (None, None, "unknown")


def test_what_was_never_asked_says_how_to_record_it() -> None:
    with pytest.raises(MissingRecording, match=r"run: crossover record --workload builtin --model tiny") as caught:
        clock.run(backend().complete(ask("my secret question")))
    assert "secret" not in str(caught.value)


def test_its_identity_names_the_weights() -> None:
    assert backend().identity == Identity("recorded", "tiny", version="ab" * 32, template="1-chat")


def test_no_time_passes() -> None:
    async def main() -> float:
        begun = clock.now()
        async with aclosing(backend().stream(ask())) as items:
            async for _ in items:
                pass
        return clock.now() - begun

    assert clock.run(main(), virtual=True) == 0


def test_the_pieces_of_a_stream_add_up() -> None:
    *pieces, last = clock.run(streamed(backend(), ask()))
    assert isinstance(last, Completion)
    assert "".join(map(str, pieces)) == last.text == "Paris"


@given(texts)
def test_any_text_falls_into_at_most_four_pieces_that_add_up(text: str) -> None:
    pieces = _pieces(text)
    assert "".join(pieces) == text
    assert len(pieces) <= 4
    assert all(pieces)
