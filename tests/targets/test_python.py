"""A team's own function as a target: real processes, and every way in which the function can be wrong."""

from __future__ import annotations

import ast
import asyncio
import os
import sys
import time
from collections.abc import Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.targets import python
from benchmarks.targets.python import CHILD, PythonTarget
from benchmarks.targets.target import Reply
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Item
from shared.contract import Message, Request, Usage
from shared.errors import BadInput
from shared.pricing import UNKNOWN, Price

PRICE = Price("given", 1.0, 2.0, "a test")
ITEM = Item(
    id="a-1", group="a", task="tone", input="How are you?", reference="fine", author="me", source="own", licence="MIT"
)
ASKED = Asked(0, ITEM, repeat=False)


def request(deadline_s: float = 20.0) -> Request:
    messages = (Message("system", "Be terse."), Message("user", ITEM.input))
    return Request(messages, task="tone", scope=(("locale", "de"),), deadline_s=deadline_s)


def target(
    folder: Path,
    source: str,
    name: str = "answers:answer",
    *,
    interpreter: str = sys.executable,
    price: Price = UNKNOWN,
) -> PythonTarget:
    (folder / "answers.py").write_text(source)
    return PythonTarget("direct", callable=name, interpreter=interpreter, folder=folder, price=price)


async def asked(target: PythonTarget, times: int = 1, deadline_s: float = 20.0) -> list[Reply]:
    async with aclosing(target):
        await target.start()
        return [await target.ask(ASKED, request(deadline_s)) for _ in range(times)]


def run(work: Coroutine[Any, Any, list[Reply]]) -> list[Reply]:
    return asyncio.run(work)


def refusal(target: PythonTarget) -> str:
    with pytest.raises(BadInput) as caught:
        run(asked(target))
    return str(caught.value)


def test_a_function_that_returns_text(tmp_path: Path) -> None:
    first, second = run(asked(target(tmp_path, "def answer(text): return text.upper()"), 2))
    assert first.text == second.text == "HOW ARE YOU?"
    assert (first.model, first.error, first.cost_usd, first.steps, first.overhead_s) == (None,) * 5
    assert first.latency_s is not None
    assert 0 < first.latency_s < 0.1


@pytest.mark.parametrize(
    ("parameters", "got"),
    [
        ("text", "text"),
        ("text, client=None", "text"),
        ("*args, **kwargs", "args[0]"),
        ("text, /, *, task", "text, task"),
        ("input, id", "input, id"),
        ("*, input, max_tokens", "input, max_tokens"),
        ("scope, messages", "scope, messages"),
    ],
)
def test_a_function_gets_what_its_parameters_name(tmp_path: Path, parameters: str, got: str) -> None:
    fields = {
        "text": ITEM.input, "args[0]": ITEM.input, "input": ITEM.input, "id": "a-1", "task": "tone", "max_tokens": 256,
        "scope": {"locale": "de"},
        "messages": [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "How are you?"}],
    }  # fmt: skip
    source = f"def answer({parameters}): return repr([{got}])"
    assert run(asked(target(tmp_path, source)))[0].text == repr([fields[name] for name in got.split(", ")])


def test_an_async_method_keeps_its_loop_and_goes_on_between_requests(tmp_path: Path) -> None:
    source = """
import asyncio

class Bot:
    loop = None
    done = 0

    async def work(self):
        self.done += 1

    async def answer(self, input):
        self.loop = self.loop or asyncio.get_running_loop()
        assert self.loop is asyncio.get_running_loop()
        self.task = asyncio.create_task(self.work())
        return {"output": str(self.done)}

bot = Bot()
"""
    assert [reply.text for reply in run(asked(target(tmp_path, source, "answers:bot.answer"), 2))] == ["0", "1"]


def test_a_sync_function_may_run_a_loop_of_its_own(tmp_path: Path) -> None:
    source = "import asyncio\nasync def inner(): return 'yes'\ndef answer(text): return asyncio.run(inner())\n"
    assert [reply.text for reply in run(asked(target(tmp_path, source), 2))] == ["yes", "yes"]


def test_a_mapping_tells_more(tmp_path: Path) -> None:
    source = """
def answer(text):
    return {"output": "fine", "model": "m", "input_tokens": 1000, "output_tokens": 500.0, "stage": "small",
            "latency_ms": 250_000, "mine": object()}
"""
    (reply,) = run(asked(target(tmp_path, source, price=PRICE)))
    assert (reply.text, reply.model, reply.usage) == ("fine", "m", Usage(1000, 500))
    assert reply.latency_s is not None
    assert reply.latency_s < 100  # measured here; what the function says of it does not count
    assert reply.cost_usd == pytest.approx(0.002)
    assert reply.steps is not None
    assert [(step.kind, step.completion and step.completion.usage) for step in reply.steps] == [
        ("small", Usage(1000, 500))
    ]


def test_a_cached_answer_costs_nothing_and_an_unknown_price_is_not_nothing(tmp_path: Path) -> None:
    source = "def answer(text): return {'output': 'fine', 'stage': 'cache'}"
    (cached,) = run(asked(target(tmp_path, source, price=PRICE)))
    assert cached.cost_usd == 0.0
    assert cached.steps is not None
    assert [(step.kind, step.completion) for step in cached.steps] == [("cache", None)]
    (called,) = run(asked(target(tmp_path, source.replace("cache", "direct"), price=PRICE)))
    assert called.cost_usd is None
    per_call = Price("given", None, None, "a test", per_call_usd=0.25)
    assert run(asked(target(tmp_path, source, price=per_call)))[0].cost_usd == 0.25


def test_a_reported_cost_counts_before_a_price(tmp_path: Path) -> None:
    source = "def answer(text): return {'output': 'fine', 'cost_usd': 0.5, 'input_tokens': 1, 'output_tokens': 1}"
    assert run(asked(target(tmp_path, source, price=PRICE)))[0].cost_usd == 0.5


def test_what_is_no_answer_is_told_by_its_type_alone(tmp_path: Path) -> None:
    cases = {
        "None": "returned NoneType; return text, or a mapping with `output`",
        "b'secret'": "returned bytes; return text",
        "(each for each in 'secret')": "returned generator; return text",
        "{}": "returned a mapping without `output`",
        "{'output': ['secret']}": "returned `output` as list; it must be text",
        "{'output': 'a', 'cost_usd': float('nan')}": "returned `cost_usd` as nan; it must be a number from 0",
        "{'output': 'a', 'cost_usd': -1}": "returned `cost_usd` as -1; it must be a number from 0 to 1e+15",
        "{'output': 'a', 'input_tokens': 10**300}": "returned `input_tokens` as 1e+300; it must be a number from 0",
        "{'output': 'a', 'input_tokens': 1.5}": "returned `input_tokens` as 1.5; it must be a whole number",
        "{'output': 'a', 'input_tokens': True}": "returned `input_tokens` as bool; it must be a number",
        "{'output': 'a', 'stage': 'secret'}": "returned an unknown stage: stage is none of cache",
        r"'\ud800'": "returned `output` with half of a surrogate pair",
        "{'error': 'rate limit'}": "rate limit",
    }
    source = f"results = iter([{','.join(cases)}])\ndef answer(text): return next(results)"
    for reply, error in zip(run(asked(target(tmp_path, source), len(cases))), cases.values(), strict=True):
        assert reply.text is None
        assert reply.error is not None
        assert error in reply.error
        assert "secret" not in reply.error


def test_an_exception_is_reported_and_ends_nothing(tmp_path: Path) -> None:
    source = """
import asyncio
count = 0

async def answer(text):
    global count
    count += 1
    if count == 1:
        raise KeyError("no\\nsuch key")
    if count == 2:
        raise asyncio.CancelledError
    return str(count)
"""
    first, second, third = run(asked(target(tmp_path, source), 3))
    assert first.error == "raised KeyError: 'no\\nsuch key'"
    assert second.error == "raised CancelledError"
    assert (third.text, third.error) == ("3", None)


def test_the_first_exception_s_traceback_goes_to_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = "def answer(text):\n    return deep()\ndef deep():\n    raise KeyError('lost')\n"
    assert {reply.error for reply in run(asked(target(tmp_path, source), 3))} == {"raised KeyError: 'lost'"}
    told = capfd.readouterr().err
    assert told.count("in deep") == 1
    assert "child.py" not in told  # our frames are no help in finding theirs


def test_what_cannot_be_read_ends_nothing(tmp_path: Path) -> None:
    source = """
from collections.abc import Mapping

class Silent(Exception):
    def __str__(self): raise RuntimeError

class Closed(Mapping):
    def __getitem__(self, key): raise RuntimeError("secret")
    def __iter__(self): return iter(())
    def __len__(self): return 0
    get = __getitem__

results = iter([{"output": "a", "output_tokens": 10 ** 400}, Closed(), Silent(), "fine"])

def answer(text):
    result = next(results)
    if isinstance(result, Exception):
        raise result
    return result
"""
    replies = run(asked(target(tmp_path, source), 4))
    assert [reply.error for reply in replies] == [
        "returned dict, which cannot be read (OverflowError)",
        "returned Closed, which cannot be read (RuntimeError)",
        "raised Silent, which cannot be read (RuntimeError)",
        None,
    ]


def test_what_it_prints_and_reads_does_not_meet_the_protocol(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = """
import os, sys
print("imported")

def answer(text):
    print("called")
    os.write(1, b"raw\\n")
    os.system("echo shell")
    return repr(sys.stdin.read())
"""
    assert run(asked(target(tmp_path, source)))[0].text == "''"
    told = capfd.readouterr()
    assert told.out == ""
    assert {"imported", "called", "raw", "shell"} <= set(told.err.split())


def test_a_function_that_never_returns_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    source = """
import os, subprocess, time

def answer(text):
    if not os.path.exists("helper"):
        helper = subprocess.Popen(["sleep", "60"])
        with open("helper", "w") as file:
            file.write(str(helper.pid))
        time.sleep(60)
    return "yes"
"""
    first, second = run(asked(target(tmp_path, source), 2, deadline_s=0.5))
    assert first.error == "did not answer within 0.5 s (deadline_s) and was stopped"
    assert second.text == "yes"
    helper = Path("/proc") / (tmp_path / "helper").read_text()
    if Path("/proc/self").exists():
        for _ in range(100):
            if not helper.exists() or "\nState:\tZ" in (helper / "status").read_text():
                return
            time.sleep(0.01)
        pytest.fail("the helper is still there")


@pytest.mark.parametrize(
    ("deed", "error"),
    [
        ("sys.exit(3)", "the process ended with exit code 3 during the call"),
        ("os._exit(0)", "the process ended with exit code 0 during the call"),
        ("os.kill(os.getpid(), 11)", "the process was killed by SIGSEGV during the call"),
        ("os.closerange(0, 256)", "the process "),
    ],
)
def test_a_process_that_dies_is_started_anew(tmp_path: Path, deed: str, error: str) -> None:
    source = f"""
import os, sys

def answer(text):
    if os.path.exists("once"):
        return "yes"
    open("once", "w").close()
    {deed}
"""
    first, second = run(asked(target(tmp_path, source), 2))
    assert first.error is not None
    assert first.error.startswith(error)
    assert second.text == "yes"


def test_a_process_that_cannot_be_started_anew_is_an_error_of_each_request(tmp_path: Path) -> None:
    source = "import os\ndef answer(text):\n    os.remove('answers.py')\n    os._exit(1)\n"
    _, second, third = run(asked(target(tmp_path, source), 3))
    assert second.error == third.error
    assert second.error is not None
    assert second.error.startswith("the process could not be started anew: [direct] callable 'answers:answer'")


def test_a_cancelled_request_does_not_leave_its_answer_to_the_next(tmp_path: Path) -> None:
    source = """
import os, time

def answer(text):
    if os.path.exists("once"):
        return "second"
    open("once", "w").close()
    time.sleep(60)
"""

    async def cancel_and_ask() -> list[Reply]:
        made = target(tmp_path, source)
        async with aclosing(made):
            await made.start()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(made.ask(ASKED, request()), 0.3)
            return [await made.ask(ASKED, request())]

    assert run(cancel_and_ask())[0].text == "second"


def test_an_answer_may_be_long_but_not_endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "LINE_LIMIT_BYTES", 1 << 20)
    source = "sizes = [900_000, 2_000_000]\ndef answer(text): return 'a' * sizes.pop(0)"
    first, second = run(asked(target(tmp_path, source), 2))
    assert first.text == "a" * 900_000
    assert second.error == "answered with more than 1 MiB, or broke the pipe's protocol"


@pytest.mark.parametrize(
    ("source", "name", "error"),
    [
        ("", "nowhere:answer", "there is no module 'nowhere' in "),
        ("", "answers.deep:answer", "there is no module 'answers.deep' in "),
        ("import nowhere", "answers:answer", "the module imports 'nowhere', which "),
        ("def answr(text): ...", "answers:answer", "there is no 'answer' in answers; did you mean 'answr'?"),
        ("answer = 'text'", "answers:answer", "this is of type str and cannot be called"),
        ("def answer(: ...", "answers:answer", "answers.py line 1 is not valid for Python 3."),
        ("1 / 0", "answers:answer", "importing the module raised ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "answers:answer", "importing the module raised SystemExit"),
        ("import os; os._exit(4)", "answers:answer", "ended with exit code 4 instead of importing it"),
        ("def answer(): ...", "answers:answer", "it takes no argument"),
        (
            "def answer(text, key): ...",
            "answers:answer",
            "its parameter `key` would get no value; name it after one of",
        ),
        ("", "answers", "this names no function; write package.module:function"),
    ],
)
def test_a_function_that_cannot_be_had_is_bad_input(tmp_path: Path, source: str, name: str, error: str) -> None:
    told = refusal(target(tmp_path, source, name))
    assert f"[direct] callable {name!r}: " in told
    assert error in told


def test_an_import_that_never_ends_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "IMPORT_LIMIT_S", 0.3)
    assert "importing it took more than 0.3 s" in refusal(target(tmp_path, "import time; time.sleep(60)"))


def test_an_interpreter_that_is_none_is_bad_input(tmp_path: Path) -> None:
    def told(interpreter: str) -> str:
        return refusal(target(tmp_path, "", interpreter=interpreter))

    assert "interpreter 'venv/bin/python' is missing; give the path" in told("venv/bin/python")
    assert "interpreter 'no-such-python' is missing" in told("no-such-python")
    assert "/answers.py cannot be run (Permission denied)" in told("./answers.py")
    assert "/bin/true ended with exit code 0 instead of importing it" in told("/bin/true")
    assert "does not speak our protocol" in told("/bin/cat")


def test_a_path_of_an_interpreter_goes_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (reply,) = run(asked(target(tmp_path, "def answer(text): return 'yes'", interpreter="bin/python")))
    assert reply.text == "yes"


def test_the_folder_s_own_names_come_first_and_none_of_ours_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules named like ours and like the library's are the team's, as under their own `python` in that folder."""
    monkeypatch.setenv("PYTHONPATH", str(CHILD.parents[2]))
    for name in ("shared", "http", "json", "log"):
        (tmp_path / f"{name}.py").write_text(f"whose = 'theirs: {name}'")
    source = "import shared, log, os, sys\ndef answer(text): return ' '.join([shared.whose, log.whose, *sys.path])"
    text = run(asked(target(tmp_path, source)))[0].text
    assert text is not None
    assert text.startswith(f"theirs: shared theirs: log {tmp_path.resolve()} ")
    assert str(CHILD.parent) not in text.split()
    (tmp_path / "isolated.py").write_text("import sys\nimport benchmarks")
    bare = target(tmp_path, "import benchmarks", interpreter=os.path.realpath(sys.executable))
    assert "imports 'benchmarks', which" in refusal(bare)


def test_what_the_code_does_at_its_exit_is_done(tmp_path: Path) -> None:
    source = """
import atexit
atexit.register(lambda: open("left", "w").close())
async def answer(text): return text
"""
    run(asked(target(tmp_path, source)))
    assert (tmp_path / "left").exists()


def test_the_child_is_written_for_python_3_8() -> None:
    ast.parse(CHILD.read_text(), feature_version=(3, 8))
