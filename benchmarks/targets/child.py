"""Answers requests with a team's own function, in a process of the team's own interpreter: JSON Lines over two pipes.

    python child.py package.module:function      in the folder that the module is found from

Standard library only, for Python 3.8 or later, and run by its path: neither our packages nor our top-level names meet
the team's. Standard output is the protocol's alone: what the function prints goes to standard error. The first line
out is `{"ready": true}` or `{"refused": why}`; then every line in is a request and gets one line back: `seconds` with
either the fields of the result or `failed`; the first exception's traceback goes to standard error. The process ends
when its input does.
"""

from __future__ import annotations

import os
import sys

# The folder of this file is on the path because it was run by its path, and holds modules named like the library's.
_HERE = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120
sys.path[:] = [each for each in sys.path if os.path.realpath(each) != _HERE]

import asyncio  # noqa: E402
import difflib  # noqa: E402
import importlib  # noqa: E402
import inspect  # noqa: E402
import json  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402
from collections.abc import Mapping  # noqa: E402
from decimal import Decimal  # noqa: E402
from numbers import Real  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

FIELDS = ("id", "input", "messages", "task", "scope", "max_tokens", "deadline_s")
"""What a request holds: a parameter of one of these names is given that field."""

TEXTS = ("output", "model", "stage", "error")
NUMBERS = ("input_tokens", "output_tokens", "cost_usd")
MOST = 1e15
"""The largest number that is believed."""


class Refused(Exception):
    """The function cannot be had, or returned what is no answer. Says what is wrong and how to mend it."""


def load(name: str) -> Callable[..., Any]:
    """The function of `package.module:function`. Raises `Refused`."""
    module_name, _, path = name.partition(":")
    if not (module_name and path):
        raise Refused("this names no function; write package.module:function")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name + ".").startswith(error.name + "."):
            raise Refused(
                f"there is no module {error.name!r} in {sys.path[0]} nor among the packages of {sys.executable}; "
                "check its name and the folder"
            ) from None
        raise Refused(
            f"the module imports {error.name!r}, which {sys.executable} does not have; name the interpreter that has "
            "your packages (key `interpreter`)"
        ) from None
    except SyntaxError as error:
        raise Refused(
            f"{error.filename} line {error.lineno} is not valid for Python {sys.version.split()[0]}: {error.msg}"
        ) from None
    except BaseException as error:  # an import may well call sys.exit
        raise Refused("importing the module raised " + described(error)) from None
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            near = difflib.get_close_matches(part, dir(found), n=1)
            hint = f"did you mean {near[0]!r}?" if near else "check the name after the colon"
            raise Refused(f"there is no {part!r} in {module_name}; {hint}") from None
    if not callable(found):
        raise Refused(f"this is of type {type(found).__name__} and cannot be called; name a function")
    return found  # type: ignore[no-any-return]


def caller(function: Callable[..., Any]) -> Callable[[Mapping[str, Any]], Any]:
    """Calls `function` with the fields that its parameters are named after.

    Where neither `input` nor `messages` is among them, its first parameter gets the input. Raises `Refused` where a
    parameter would be left without a value.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built-in functions do not tell
        return lambda request: function(request["input"])
    kinds = inspect.Parameter
    named = [each for each in parameters if each.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)]
    by_name = [each.name for each in named if each.name in FIELDS and each.kind is not kinds.POSITIONAL_ONLY]
    first = parameters[0] if parameters else None
    by_place = (
        first is not None
        and first.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD, kinds.VAR_POSITIONAL)
        and first.name not in by_name
        and not {"input", "messages"} & set(by_name)
    )
    empty = [
        each.name
        for each in named
        if each.default is kinds.empty and each.name not in by_name and not (by_place and each is first)
    ]
    if empty:
        raise Refused(
            f"its parameter `{empty[0]}` would get no value; name it after one of {', '.join(FIELDS)}, "
            "or give it a default"
        )
    if not (by_place or by_name):
        raise Refused("it takes no argument; it must take the input")

    def call(request: Mapping[str, Any]) -> Any:
        return function(*([request["input"]] if by_place else []), **{name: request[name] for name in by_name})

    return call


def fields_of(result: object) -> dict[str, Any]:
    """The fields of an answer. Raises `Refused`, which tells types and never a text."""
    if isinstance(result, str):
        result = {"output": result}
    if not isinstance(result, Mapping):
        raise Refused(f"returned {type(result).__name__}; return text, or a mapping with `output`")
    fields: dict[str, Any] = {}
    for name in TEXTS:
        value = result.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise Refused(f"returned `{name}` as {type(value).__name__}; it must be text")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refused(f"returned `{name}` with half of a surrogate pair, which is no valid text") from None
        fields[name] = value
    for name in NUMBERS:
        value = result.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
            raise Refused(f"returned `{name}` as {type(value).__name__}; it must be a number")
        number = float(value)
        if not 0 <= number <= MOST:
            raise Refused(f"returned `{name}` as {number:g}; it must be a number from 0 to {MOST:g}")
        if name.endswith("_tokens") and not number.is_integer():
            raise Refused(f"returned `{name}` as {number}; it must be a whole number")
        fields[name] = int(number) if name.endswith("_tokens") else number
    if "output" not in fields and "error" not in fields:
        raise Refused("returned a mapping without `output`; put the answer's text there")
    return fields


def described(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return (f"{name}: {text}" if text else name).encode("utf-8", "replace").decode()


def theirs(error: BaseException) -> TracebackType | None:
    """The traceback from the team's first frame on: what is above it is ours."""
    first = found = error.__traceback__
    while found:
        if found.tb_frame.f_code.co_filename == __file__:
            first = found.tb_next
        found = found.tb_next
    return first


async def _wait(result: Any) -> Any:
    return await result


def main(name: str, requests: Any, answers: Any) -> None:
    """Load the function, then answer every line of `requests` with a line of `answers`."""

    def say(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message).encode() + b"\n")
        answers.flush()

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        call = caller(load(name))
    except Refused as refused:
        say({"refused": str(refused)})
        return
    say({"ready": True})
    asynchronous, told = False, False
    while True:
        if asynchronous:  # what the function left running on the loop goes on while nobody asks
            line = loop.run_until_complete(loop.run_in_executor(None, requests.readline))
        else:
            line = requests.readline()
        if not line:
            return
        request = json.loads(line)
        result = None
        raised: BaseException | None = None
        begun = time.perf_counter()
        try:
            result = call(request)
            if inspect.isawaitable(result):
                asynchronous = True
                result = loop.run_until_complete(_wait(result))
        except (Exception, asyncio.CancelledError) as error:
            raised = error
        seconds = time.perf_counter() - begun
        message: dict[str, Any]
        try:
            if raised and not told:
                told = True
                traceback.print_exception(type(raised), raised, theirs(raised))
            message = {"failed": "raised " + described(raised)} if raised else fields_of(result)
        except Refused as refused:
            message = {"failed": str(refused)}
        except Exception as error:  # a text, a number or a mapping of the function's own that raises when it is read
            what = f"raised {type(raised).__name__}" if raised else f"returned {type(result).__name__}"
            message = {"failed": f"{what}, which cannot be read ({type(error).__name__})"}
        say({**message, "seconds": seconds})


if __name__ == "__main__":
    _requests, _answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with open(os.devnull, "rb") as _nothing:  # noqa: PTH123
        os.dup2(_nothing.fileno(), 0)
    sys.path.insert(0, os.getcwd())  # noqa: PTH109
    main(sys.argv[1], _requests, _answers)
