"""Making recordings: what is asked, what is kept, and when a model counts as alone."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import record, recording
from benchmarks.record import STRETCH, Agreement, LoadMeter, header, verify
from benchmarks.workloads.workload import BUILTIN
from shared import clock
from shared.backends.recorded import RecordedBackend, Recording, RecordingWriter, read_recording, recording_key
from shared.contract import Completion, Message, Request
from shared.errors import BackendRefused, BadInput
from tests.fakes import Script, ScriptedBackend

MANY = [(f"{number}", Request((Message("user", f"{number}"),))) for number in range(2 * STRETCH)]
REQUESTS = [(f"item-{number}", Request((Message("user", f"question {number}"),))) for number in range(5)]


def run(
    path: Path,
    backend: ScriptedBackend,
    requests: Sequence[tuple[str, Request]] = REQUESTS,
    *,
    copies: int = 1,
    only_alone: bool = False,
    local: bool = True,
) -> record.Outcome:
    with RecordingWriter(path, header(backend, "builtin", sampling={"temperature": 0.0})) as writer:
        return clock.run(record.record(requests, [backend] * copies, writer, only_alone=only_alone, local=local))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the meter says next; the last one for ever."""
    loads = [0.0]
    monkeypatch.setattr(LoadMeter, "cores", lambda _: loads.pop(0) if len(loads) > 1 else loads[0])
    return loads


def test_every_question_is_asked_once_and_in_order(tmp_path: Path, load: list[float]) -> None:
    backend = ScriptedBackend()
    assert run(tmp_path / "a", backend) == record.Outcome(5, 0, 5, ())
    assert [request.messages[0].content for request in backend.requests] == [f"question {n}" for n in range(5)]
    recording = read_recording(tmp_path / "a")
    assert [row.id for row in recording.rows.values()] == [item_id for item_id, _ in REQUESTS]
    assert recording.timed


def test_what_is_there_already_is_not_asked_again(tmp_path: Path, load: list[float]) -> None:
    run(tmp_path / "a", ScriptedBackend(), REQUESTS[:3])
    backend = ScriptedBackend()
    assert run(tmp_path / "a", backend) == record.Outcome(2, 3, 5, ())
    assert backend.calls == 2


def test_a_question_that_fails_is_reported_and_the_others_recorded(tmp_path: Path, load: list[float]) -> None:
    backend = ScriptedBackend([Script(), Script(error=BackendRefused("too long")), Script()])
    assert run(tmp_path / "a", backend) == record.Outcome(4, 0, 4, (("item-1", "too long"),))
    assert len(read_recording(tmp_path / "a").rows) == 4


def test_only_the_disturbed_stretch_has_no_seconds(tmp_path: Path, load: list[float]) -> None:
    load[:] = [0.9, 0.0]
    assert run(tmp_path / "a", ScriptedBackend(), MANY).timed == STRETCH
    rows = read_recording(tmp_path / "a").rows.values()
    assert [row.seconds is None for row in rows] == [True] * STRETCH + [False] * STRETCH


def test_what_has_no_seconds_is_asked_again_where_only_quiet_answers_count(tmp_path: Path, load: list[float]) -> None:
    load[:] = [0.9, 0.0]
    run(tmp_path / "a", ScriptedBackend(), MANY)
    backend = ScriptedBackend()
    assert run(tmp_path / "a", backend, MANY, only_alone=True) == record.Outcome(STRETCH, STRETCH, 2 * STRETCH, ())
    assert backend.calls == STRETCH
    assert len(read_recording(tmp_path / "a").rows) == 2 * STRETCH


def test_a_disturbed_stretch_is_asked_again_where_only_quiet_ones_count(tmp_path: Path, load: list[float]) -> None:
    load[:] = [0.0, 0.9, 0.9, 0.0]  # the first look only resets the meter
    backend = ScriptedBackend()
    assert run(tmp_path / "a", backend, only_alone=True).added == 5
    assert backend.calls == 15
    assert read_recording(tmp_path / "a").timed


def test_patience_with_a_busy_machine_ends(tmp_path: Path, load: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    load[:] = [0.9]
    monkeypatch.setattr(record, "PATIENCE", 2)
    with pytest.raises(BadInput, match=r"other processes kept 0\.9 cores busy; stop them and record again"):
        run(tmp_path / "a", ScriptedBackend(), only_alone=True)
    assert not read_recording(tmp_path / "a").rows


def test_several_copies_share_the_work_and_none_has_seconds(tmp_path: Path, load: list[float]) -> None:
    backend = ScriptedBackend([Script(((0.01, "yes"),))] * (2 * STRETCH))
    assert run(tmp_path / "a", backend, MANY, copies=2) == record.Outcome(2 * STRETCH, 0, 0, ())
    assert backend.calls == 2 * STRETCH
    with pytest.raises(BadInput, match="leave out --parallel or --alone"):
        run(tmp_path / "a", backend, MANY, copies=2, only_alone=True)


def test_a_remote_model_s_answers_have_no_seconds(tmp_path: Path, load: list[float]) -> None:
    assert run(tmp_path / "a", ScriptedBackend(), local=False) == record.Outcome(5, 0, 0, ())
    assert all(row.seconds is None for row in read_recording(tmp_path / "a").rows.values())


def test_questions_that_share_their_beginning_are_asked_in_a_row(tmp_path: Path, load: list[float]) -> None:
    system = [Message("system", "one"), Message("system", "two")]
    mixed = [(f"{number}", Request((system[number % 2], Message("user", f"{number}")))) for number in range(6)]
    backend = ScriptedBackend()
    run(tmp_path / "a", backend, mixed)
    assert [request.messages[-1].content for request in backend.requests] == ["0", "2", "4", "1", "3", "5"]


def test_an_interrupted_stretch_keeps_what_was_answered(tmp_path: Path, load: list[float]) -> None:
    backend = ScriptedBackend([Script(((1.0, "yes"),))] * STRETCH)

    async def interrupted(writer: RecordingWriter) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3.5):
                await record.record(MANY, [backend], writer)

    with RecordingWriter(tmp_path / "a", header(backend, "builtin", sampling={})) as writer:
        clock.run(interrupted(writer), virtual=True)
    assert len(read_recording(tmp_path / "a").rows) == 3


def test_a_system_that_does_not_tell_its_load_is_not_taken_for_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "PROC_STAT", tmp_path / "nothing")
    assert run(tmp_path / "a", ScriptedBackend()).timed == 0
    with pytest.raises(BadInput, match="does not tell how busy it is"):
        run(tmp_path / "b", ScriptedBackend(), only_alone=True)


def test_this_process_own_work_is_not_the_load_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def at(wall_s: float, *, busy_s: float, own_s: float) -> None:
        """A system whose cores were busy for `busy_s` since boot, `own_s` of it with this process."""
        user = round(busy_s * os.sysconf("SC_CLK_TCK")) - 15
        (tmp_path / "stat").write_text(f"cpu  {user} 1 2 {wall_s * 990:.0f} {wall_s * 70:.0f} 3 4 5 0 0\ncpu0 9\n")
        clocks = SimpleNamespace(monotonic=lambda: wall_s, process_time=lambda: own_s)
        monkeypatch.setattr("benchmarks.record.time", clocks)

    monkeypatch.setattr(record, "PROC_STAT", tmp_path / "stat")
    at(100.0, busy_s=50.0, own_s=10.0)
    meter = LoadMeter()
    at(104.0, busy_s=58.0, own_s=16.0)
    assert meter.cores() == pytest.approx(0.5)
    at(106.0, busy_s=60.0, own_s=18.0)
    assert meter.cores() == pytest.approx(0.0)


def test_what_was_recorded_is_replayed(tmp_path: Path, load: list[float]) -> None:
    run(tmp_path / "a", ScriptedBackend())
    replayed = RecordedBackend(read_recording(tmp_path / "a"))
    completion = clock.run(replayed.complete(REQUESTS[2][1]))
    assert (completion.text, completion.timing) == ("yes", "recorded")


def test_two_items_that_are_one_question_are_asked_once(tmp_path: Path, load: list[float]) -> None:
    backend = ScriptedBackend()
    assert run(tmp_path / "a", backend, [REQUESTS[0], ("other", REQUESTS[0][1]), REQUESTS[1]]).added == 2
    assert [row.id for row in read_recording(tmp_path / "a").rows.values()] == ["item-0", "item-1"]


def test_nothing_to_verify_is_no_agreement(tmp_path: Path, load: list[float]) -> None:
    run(tmp_path / "a", ScriptedBackend())
    recording = read_recording(tmp_path / "a")
    with pytest.raises(BadInput, match="answers none of these questions"):
        clock.run(verify(MANY, ScriptedBackend(), recording, 3, seed=1))
    other = recording.header.model.model_copy(update={"sha256": "00"})
    changed = Recording(recording.header.model_copy(update={"model": other}), recording.rows)
    with pytest.raises(BadInput, match="with other weights"):
        clock.run(verify(REQUESTS, ScriptedBackend(), changed, 3, seed=1))


def test_asking_again_counts_the_texts_that_agree(tmp_path: Path, load: list[float]) -> None:
    scripts = [Script(((0.0, f"answer {number}"),)) for number in range(5)]
    run(tmp_path / "a", ScriptedBackend(scripts))
    recording = read_recording(tmp_path / "a")

    class Same(ScriptedBackend):
        async def complete(self, request: Request) -> Completion:
            changed = request == REQUESTS[0][1]
            return Completion("changed" if changed else recording.rows[recording_key(request)].text, "m")

    assert clock.run(verify(REQUESTS, Same(), recording, 99, seed=1)) == Agreement(5, 4)
    assert clock.run(verify(REQUESTS, Same(), recording, 2, seed=1)).asked == 2


@pytest.mark.parametrize("place", ["http:https://host/v1", "http:", "local:", "other:m", "http:https://u:p@host/v1#m"])
def test_what_names_no_model_is_refused_before_a_file_is_made(place: str, tmp_path: Path) -> None:
    shutil.copytree(BUILTIN, tmp_path / "w", ignore=shutil.ignore_patterns("recordings"))
    with pytest.raises(BadInput, match=r"^--model: "):
        recording.run(place, tmp_path / "w", "test")
    assert not (tmp_path / "w" / "recordings").exists()
