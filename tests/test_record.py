"""Making recordings: what is asked, what is kept, and when a model counts as alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import record
from benchmarks.record import STRETCH, Agreement, LoadMeter, header, verify
from shared import clock
from shared.backends.recorded import RecordedBackend, RecordingWriter, read_recording, recording_key
from shared.contract import Completion, Message, Request
from shared.errors import BackendRefused, BadInput
from tests.fakes import Script, ScriptedBackend

REQUESTS = [(f"item-{number}", Request((Message("user", f"question {number}"),))) for number in range(5)]


def run(
    path: Path,
    backend: ScriptedBackend,
    requests: Sequence[tuple[str, Request]] = REQUESTS,
    *,
    slots: int = 1,
    only_alone: bool = False,
) -> record.Outcome:
    with RecordingWriter(path, header(backend, "builtin", sampling={"temperature": 0.0})) as writer:
        return clock.run(record.record(requests, backend, writer, slots=slots, only_alone=only_alone))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the meter says next; the last one for ever."""
    loads = [0.0]
    monkeypatch.setattr(LoadMeter, "cores", lambda _: loads.pop(0) if len(loads) > 1 else loads[0])
    return loads


def test_every_question_is_asked_once_and_in_order(tmp_path: Path, load: list[float]) -> None:
    backend = ScriptedBackend()
    assert run(tmp_path / "a", backend) == record.Outcome(5, 0, ())
    assert [request.messages[0].content for request in backend.requests] == [f"question {n}" for n in range(5)]
    recording = read_recording(tmp_path / "a")
    assert [row.id for row in recording.rows.values()] == [item_id for item_id, _ in REQUESTS]
    assert recording.timed


def test_what_is_there_already_is_not_asked_again(tmp_path: Path, load: list[float]) -> None:
    run(tmp_path / "a", ScriptedBackend(), REQUESTS[:3])
    backend = ScriptedBackend()
    assert run(tmp_path / "a", backend) == record.Outcome(2, 3, ())
    assert backend.calls == 2


def test_a_question_that_fails_is_reported_and_the_others_recorded(tmp_path: Path, load: list[float]) -> None:
    backend = ScriptedBackend([Script(), Script(error=BackendRefused("too long")), Script()])
    assert run(tmp_path / "a", backend) == record.Outcome(4, 0, (("item-1", "too long"),))
    assert len(read_recording(tmp_path / "a").rows) == 4


def test_one_disturbed_stretch_spoils_the_times(tmp_path: Path, load: list[float]) -> None:
    load[:] = [0.9, 0.0]
    many = [(f"{number}", Request((Message("user", f"{number}"),))) for number in range(2 * STRETCH)]
    run(tmp_path / "a", ScriptedBackend(), many)
    recording = read_recording(tmp_path / "a")
    assert (recording.header.alone, recording.header.other_load, recording.timed) == (False, 0.9, False)


def test_a_disturbed_stretch_is_asked_again_where_only_quiet_ones_count(tmp_path: Path, load: list[float]) -> None:
    load[:] = [0.9, 0.9, 0.0]
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


def test_several_slots_are_never_alone(tmp_path: Path, load: list[float]) -> None:
    run(tmp_path / "a", ScriptedBackend(), slots=2)
    assert read_recording(tmp_path / "a").header.alone is False


def test_a_system_that_does_not_tell_its_load_is_not_taken_for_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "PROC_STAT", tmp_path / "nothing")
    run(tmp_path / "a", ScriptedBackend())
    told = read_recording(tmp_path / "a").header
    assert (told.alone, told.other_load) == (False, None)


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
