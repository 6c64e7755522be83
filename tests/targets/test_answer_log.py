"""The log that a team writes: what it holds, what it costs the caller when all goes wrong, and that we can read it."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.targets import answer_log
from benchmarks.targets.answer_log import AnswerLog
from benchmarks.targets.log import read

SOURCE = Path(answer_log.__file__)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to log, with a copy of the module beside it for processes to import."""
    shutil.copy(SOURCE, tmp_path)
    return tmp_path / "answers.jsonl"


@pytest.fixture
def log(path: Path) -> Iterator[AnswerLog]:
    made = AnswerLog(path, texts=True)
    yield made
    made.close()


def test_every_field_reaches_the_log_target(path: Path, log: AnswerLog) -> None:
    @log.watch
    def answer(question: str, id: str | None = None, session_id: str | None = None) -> dict[str, object]:  # noqa: A002
        return {
            "output": question.upper(), "model": "m", "stage": "small", "input_tokens": 3, "output_tokens": 4.0,
            "cost_usd": 0.25, "latency_ms": 12.5, "mine": object(),
        }  # fmt: skip

    assert answer("why?", id="r-1", session_id="s-1")["output"] == "WHY?"
    with log.call("héllo", id="r-2") as call:
        call.output, call.expected, call.stage = "yes", {"city": "Bonn"}, "cache"
    log.close()
    entries = read(path)
    assert list(entries) == ["r-1", "r-2"]
    first, second = entries.values()
    assert (first.output, first.model, first.stage, first.session_id) == ("WHY?", "m", "small", "s-1")
    assert (first.usage.input_tokens, first.usage.output_tokens, first.cost_usd) == (3, 4, 0.25)
    assert first.latency_s == 0.0125
    assert first.messages is not None
    assert first.messages[0].content == "why?"
    assert (second.output, second.expected, second.stage) == ("yes", {"city": "Bonn"}, "cache")
    assert second.latency_s is not None
    assert (second.model, second.cost_usd, second.error) == (None, None, None)
    assert log.dropped == 0


def test_without_texts_nothing_that_was_said_is_in_the_file(path: Path) -> None:
    log = AnswerLog(path)

    @log.watch
    def answer(question: str) -> str:
        if question == "secret two":
            raise ValueError(question)
        return "secret answer"

    answer("secret one")
    with pytest.raises(ValueError, match="secret two"):
        answer("secret two")
    with log.call("secret three") as call:
        call.output, call.expected, call.error = "secret", "secret", "secret: three"
    with log.call("secret four") as call:
        call.error = "secret question about rates"
    log.close()
    assert [row["input_sha256"] for row in rows(path)] == [
        digest(f"secret {n}") for n in ("one", "two", "three", "four")
    ]
    assert [row.get("error") for row in rows(path)] == [None, "ValueError", "secret", "error"]
    assert "answer" not in path.read_text()
    assert "question" not in path.read_text()
    assert len(read(path)) == 4


def test_an_id_is_the_input_and_its_occurrence_in_the_file(path: Path) -> None:
    for expected in ([1, 2], [3, 4]):
        log = AnswerLog(path)
        for number in expected:
            with log.call("again"):
                pass
            with log.call(f"new {number}"):
                pass
        log.close()
    again = digest("again")[:16]
    assert [row["id"] for row in rows(path)][::2] == [f"{again}-{number}" for number in (1, 2, 3, 4)]
    assert len(read(path)) == 8


def test_two_logs_of_one_process_never_share_an_id_in_one_file(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second = AnswerLog(path), AnswerLog(path)
    for number, log in enumerate((first, second, first, second), start=1):
        with log.call("again"):
            pass
        while not path.exists() or len(rows(path)) < number:  # written by its own log, while both have the file
            time.sleep(0.001)
    first.close()
    second.close()
    assert len({row["id"] for row in rows(path)}) == 4
    assert (first.failure, second.failure) == ("", answer_log.SHARED)
    assert len([message for message in caplog.messages if "pass `id`" in message]) == 1


def test_two_logs_of_one_file_with_ids_have_nothing_to_say(path: Path) -> None:
    logs = AnswerLog(path), AnswerLog(path)
    for number, log in enumerate(logs):
        with log.call("again", id=str(number)):
            pass
    for log in logs:
        log.close()
        assert log.failure == ""


def test_ids_stay_unique_when_no_more_inputs_are_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_log, "INPUTS_COUNTED", 2)
    log = AnswerLog(path)
    for text in ("a", "b", "c", "c", "a"):
        with log.call(text):
            pass
    log.close()
    ids = [row["id"] for row in rows(path)]
    assert len(set(ids)) == 5
    assert ids[-1] == f"{digest('a')[:16]}-2"


def test_exceptions_and_results_of_the_function_pass_through(path: Path, log: AnswerLog) -> None:
    class Service:
        @log.watch
        async def answer(self, question: str) -> str:
            """Answers."""
            if question == "no":
                raise KeyError("gone")
            if question == "stop":
                raise asyncio.CancelledError
            return question + "!"

    async def ask() -> None:
        assert await Service().answer(question="yes") == "yes!"
        with pytest.raises(KeyError, match="gone"):
            await Service().answer("no")
        with pytest.raises(asyncio.CancelledError):
            await Service().answer("stop")
        async with log.call("by hand") as call:
            call.output = "done"

    asyncio.run(ask())
    assert (Service.answer.__name__, Service.answer.__doc__) == ("answer", "Answers.")
    log.close()
    assert [(row["input"], row.get("output"), row.get("error")) for row in rows(path)] == [
        ("yes", "yes!", None),
        ("no", None, "KeyError: 'gone'"),
        ("stop", None, "CancelledError"),
        ("by hand", "done", None),
    ]


def test_messages_are_logged_as_they_were_when_asked(path: Path, log: AnswerLog) -> None:
    messages = [{"role": "user", "content": "hi"}]

    @log.watch
    def answer(messages: list[dict[str, str]]) -> str:
        messages.append({"role": "assistant", "content": "hello"})
        return "hello"

    answer(messages)
    log.close()
    (entry,) = read(path).values()
    assert entry.messages is not None
    assert [(each.role, each.content) for each in entry.messages] == [("user", "hi")]


def test_what_cannot_be_known_or_written_is_left_out_or_counted(path: Path, log: AnswerLog) -> None:
    class Strange:
        def __str__(self) -> str:
            raise RuntimeError

    with log.call("object") as call:
        call.output, call.model = object(), "m"
    assert log.failure == "the answer is of type object, not text; return text or set call.output"
    with log.call("numbers") as call:
        call.cost_usd, call.latency_ms, call.input_tokens, call.output_tokens = float("nan"), -1, True, "3"  # type: ignore[assignment]
        call.model, call.stage = Strange(), "similar"  # type: ignore[assignment]
    with log.call("half \ud800") as call:
        call.output = "\ud800"
    with log.call(object()):
        pass
    assert log.dropped == 0
    with log.call("id", id=Strange()):  # type: ignore[arg-type]
        pass
    with pytest.raises(ValueError), log.call("error"):
        raise ValueError(Strange())
    log.close()
    entries = list(read(path).values())
    assert [(entry.output, entry.model) for entry in entries] == [(None, "m"), (None, None), ("?", None), (None, None)]
    numbers = entries[1]
    assert (numbers.cost_usd, numbers.stage, numbers.model, numbers.usage.input_tokens) == (None,) * 4
    assert numbers.latency_s is not None
    assert log.dropped == 2


def test_a_result_that_cannot_even_be_looked_at_passes_through(log: AnswerLog) -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

    hostile = Hostile()
    assert log.watch(lambda _: hostile)("a") is hostile
    assert (log.dropped, log.failure) == (1, "RuntimeError")


def test_a_generator_is_passed_on_and_counted_as_not_logged(path: Path, log: AnswerLog) -> None:
    @log.watch
    def pieces(question: str) -> Iterator[str]:
        yield question

    @log.watch
    async def later(question: str) -> AsyncIterator[str]:
        yield question

    async def gathered() -> list[str]:
        return [each async for each in later("b")]

    assert list(pieces("a")) == ["a"]
    assert asyncio.run(gathered()) == ["b"]
    assert log.dropped == 2
    assert "log it with `call`" in log.failure


def test_more_than_the_capacity_is_dropped_and_counted_and_nobody_waits(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = threading.Event()
    stuck = threading.Event()
    append = answer_log._File.append

    def slow(self: answer_log._File, line: bytes) -> None:
        stuck.set()
        disk.wait()
        append(self, line)

    monkeypatch.setattr(answer_log._File, "append", slow)
    log = AnswerLog(path, capacity=5)
    with log.call("first"):
        pass
    stuck.wait()
    for number in range(20):
        with log.call(f"{number}"):
            pass
    assert log.dropped == 15
    assert log.failure == "more rows are waiting than its capacity"
    disk.set()
    log.close()
    assert len(rows(path)) == 6
    assert len(caplog.records) == 1


def test_closing_does_not_wait_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = threading.Event()
    monkeypatch.setattr(answer_log._File, "append", lambda *_: disk.wait())
    log = AnswerLog(path)
    with log.call("a"):
        pass
    log.close(timeout_s=0.01)
    log.close(timeout_s=0.01)
    assert log._thread is not None
    disk.set()
    log._thread.join(10.0)
    assert not log._thread.is_alive(), "the disk is back, so the thread writes what waits and ends"


@pytest.mark.parametrize("place", ["missing/answers.jsonl", ".", "/dev/full"])
def test_a_disk_that_fails_fails_nobody(tmp_path: Path, place: str) -> None:
    if place.startswith("/") and not Path(place).exists():
        pytest.skip("this system has no such device")
    log = AnswerLog(tmp_path / place)
    for _ in range(3):
        with log.call("a"):
            pass
    log.close()
    assert log.dropped == 3
    assert "Errno" in log.failure


def test_a_closed_log_counts_what_comes_afterwards(path: Path, log: AnswerLog) -> None:
    log.close()
    with log.call("late"):
        pass
    assert (log.dropped, log.failure) == (1, "the log is closed")
    assert not path.exists()


def test_many_threads_keep_each_its_order(path: Path) -> None:
    log = AnswerLog(path, texts=True, capacity=100_000)

    def work(name: int) -> None:
        for number in range(300):
            with log.call(f"{name} {number}") as call:
                call.output = "x" * number

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    said = [row["input"].split() for row in rows(path)]
    for name in range(8):
        assert [int(number) for who, number in said if int(who) == name] == list(range(300))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_logs_too(path: Path) -> None:
    source = f"""
import os
from answer_log import AnswerLog

log = AnswerLog({str(path)!r})
with log.call("again"):
    pass
child = os.fork()
for _ in range(2):
    with log.call("again"):
        pass
log.close()
if child:
    os.waitpid(child, 0)
else:
    os._exit(log.dropped)
"""
    subprocess.run([sys.executable, "-c", source], cwd=path.parent, check=True)
    assert len({row["id"] for row in rows(path)}) == 5


def test_a_killed_process_leaves_whole_lines_but_at_most_one(path: Path) -> None:
    source = f"""
from answer_log import AnswerLog

log = AnswerLog({str(path)!r}, texts=True)
while True:
    with log.call("question") as call:
        call.output = "x" * 2000
    if log.failure:
        print(flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", source], cwd=path.parent, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    with path.open("ab") as file:
        file.write(b'{"id": "half a li')
    log = AnswerLog(path)
    with log.call("question", id="after"):
        pass
    log.close()
    *before, torn, after = path.read_bytes().splitlines()
    numbers = [int(json.loads(line)["id"].partition("-")[2]) for line in before]
    assert numbers == list(range(1, len(before) + 1))
    assert torn.endswith(b'{"id": "half a li')  # before it, what the kill cut off, if anything
    assert json.loads(after)["id"] == "after"


def test_rows_are_written_at_exit_without_a_call_of_close(path: Path) -> None:
    source = f"from answer_log import AnswerLog\nwith AnswerLog({str(path)!r}).call('a'): pass"
    subprocess.run([sys.executable, "-c", source], cwd=path.parent, check=True)
    assert len(rows(path)) == 1


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(object),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=40)
@given(given_=ANYTHING, told=st.dictionaries(st.sampled_from(answer_log.FIELDS), ANYTHING), texts=st.booleans())
def test_whatever_is_told_the_log_stays_readable_and_every_row_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, given_: object, told: dict[str, object], texts: bool
) -> None:
    path = tmp_path_factory.mktemp("log") / "answers.jsonl"
    log = AnswerLog(path, texts=texts)
    log.watch(lambda _: told)(given_)
    with log.call("second"):
        pass
    log.close()
    assert len(rows(path)) + log.dropped == 2
    assert not texts or rows(path)[-1]["input"] == "second"


def test_it_is_written_for_python_3_8_and_stands_alone() -> None:
    tree = ast.parse(SOURCE.read_text(), feature_version=(3, 8))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    assert imported <= sys.stdlib_module_names
