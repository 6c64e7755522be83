"""A team's own function as a target: called in a process of the team's own interpreter, one request at a time.

The process runs `child.py` and is started anew after it ended or had to be killed. It measures each call itself, so
that neither the pipe nor the start is counted as the function's time.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.scenario import Arm
from benchmarks.targets.target import Reply, cost_usd, steps_of_stage
from benchmarks.workloads.traffic import Asked
from shared.contract import Completion, Identity, Request, Usage
from shared.errors import BadInput
from shared.pricing import Price

CHILD: Final = Path(__file__).resolve().with_name("child.py")
ROOT: Final = Path(__file__).resolve().parents[2]

IMPORT_LIMIT_S: Final = 300.0
"""Seconds that importing the function's module may take: it may load a model."""

END_LIMIT_S: Final = 5.0
"""Seconds that the process has to end by itself once nothing is asked any more."""

LINE_LIMIT_BYTES: Final = 64 << 20


class PythonTarget:
    """`callable` (`package.module:function`, sync or async) as found from `folder`, under `interpreter`.

    The function is called with the fields that its parameters are named after: `input` (the item's own text),
    `messages` (the whole prompt, as OpenAI's API has it), `id`, `task`, `scope`, `max_tokens`, `deadline_s`; where it
    names neither `input` nor `messages`, its first parameter gets the input. It returns text, or a mapping with
    `output` and, where known, `model`, `stage`, `input_tokens`, `output_tokens`, `cost_usd`, `error`.
    How much of its time is a model's is not known, so the pipeline's own overhead is not measured.
    """

    def __init__(self, arm: Arm, *, callable: str, interpreter: str, folder: Path, price: Price) -> None:  # noqa: A002
        self.arm: Arm = arm
        self.notes: tuple[str, ...] = ()
        self.identities: Mapping[str, Identity] = {"call": Identity("python", callable)}
        self.prices: Mapping[str, Price] = {"call": price}
        self._callable = callable
        self._interpreter = interpreter
        self._folder = folder
        self._price = price
        self._child: _Child | None = None

    async def start(self) -> None:
        """Start the process and import the function. Raises `BadInput` saying why that cannot be done."""
        self._child = await self._started()

    async def ask(self, asked: Asked, request: Request) -> Reply:
        """One call within the request's deadline. A function that hangs is killed; the next request starts anew."""
        try:
            child, self._child = self._child or await self._started(), None
        except BadInput as refused:
            return Reply(None, error=f"the process could not be started anew: {refused}")
        try:
            async with asyncio.timeout(request.deadline_s):
                said = await child.say(_fields(asked, request))
            if said is None:
                return Reply(None, error=f"the process {await child.ending()} during the call")
            self._child = child
        except TimeoutError:
            return Reply(None, error=f"did not answer within {request.deadline_s:g} s (deadline_s) and was stopped")
        except ValueError:
            return Reply(
                None, error=f"answered with more than {LINE_LIMIT_BYTES >> 20} MiB, or broke the pipe's protocol"
            )
        finally:
            if self._child is None:
                await child.kill()
        return self._reply(said)

    async def aclose(self) -> None:
        """End the process: by itself if it can, so that what the team's code does at exit is done."""
        child, self._child = self._child, None
        if child:
            try:
                child.stdin.close()
                await child.ending()
            finally:
                await child.kill()

    async def _started(self) -> _Child:
        where = f"[{self.arm}] callable {self._callable!r}"
        if not self._folder.is_dir():
            raise BadInput(f"{where}: the folder {self._folder} is missing")
        interpreter = self._found_interpreter()
        try:
            child = await _Child.start(interpreter, self._callable, self._folder)
        except OSError as error:
            raise BadInput(
                f"[{self.arm}] interpreter {interpreter} cannot be run ({error.strerror}); name a Python, 3.8 or later"
            ) from None
        ready = False
        try:
            async with asyncio.timeout(IMPORT_LIMIT_S):
                said = await child.hear()
            ready = said == {"ready": True}
            if ready:
                return child
            if said:
                raise BadInput(f"{where}: {said['refused']}")
            ending = await child.ending()
        except TimeoutError:
            raise BadInput(
                f"{where}: importing it took more than {IMPORT_LIMIT_S:g} s; move what takes so long out of the import"
            ) from None
        except (ValueError, KeyError):
            ending = "does not speak our protocol"
        finally:
            if not ready:
                await child.kill()
        raise BadInput(
            f"{where}: {interpreter} {ending} instead of importing it; "
            "check that it is a Python, 3.8 or later, and read what it wrote to standard error"
        )

    def _found_interpreter(self) -> str:
        """A name is looked up on the PATH; a path goes from the folder. Links stay: a virtual environment's is one."""
        given = Path(self._interpreter).expanduser()
        found = shutil.which(self._interpreter) if given.name == self._interpreter else str(self._folder / given)
        if found is None or not Path(found).exists():
            raise BadInput(
                f"[{self.arm}] interpreter {self._interpreter!r} is missing; give the path of the Python that has the "
                "function's packages, such as .venv/bin/python, or leave the key out for this one"
            )
        return found

    def _reply(self, said: Mapping[str, Any]) -> Reply:
        model, usage = said.get("model"), Usage(said.get("input_tokens"), said.get("output_tokens"))
        if failed := said.get("failed") or said.get("error"):
            return Reply(
                None, model, failed, cost_usd=said.get("cost_usd"), usage=usage, cost_reported="cost_usd" in said
            )
        text, steps = said["output"], None
        cost = cost_usd(said.get("cost_usd"), self._price, usage, said.get("stage"))
        if "stage" in said:
            completion = Completion(text, model or self._callable, usage, "unknown", seconds=said["seconds"])
            try:
                steps = steps_of_stage(said["stage"], completion)
            except ValueError as wrong:
                return Reply(None, model, f"returned an unknown stage: {wrong}")
        return Reply(text, model, None, said["seconds"], None, cost, steps, usage, "cost_usd" in said)


@dataclass(frozen=True, slots=True)
class _Child:
    """One process of the team's interpreter."""

    process: asyncio.subprocess.Process
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader

    @classmethod
    async def start(cls, interpreter: str, name: str, folder: Path) -> Self:
        process = await asyncio.create_subprocess_exec(
            interpreter,
            str(CHILD),
            name,
            stdin=PIPE,
            stdout=PIPE,
            cwd=folder,
            env=_environment(),
            start_new_session=True,
            limit=LINE_LIMIT_BYTES,
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("asyncio gave no pipes")
        return cls(process, process.stdin, process.stdout)

    async def say(self, message: Mapping[str, Any]) -> dict[str, Any] | None:
        """Its answer, or None where it ended or closed its pipe. Raises `ValueError` where that is no line of ours."""
        with suppress(ConnectionError):
            self.stdin.write(json.dumps(message).encode() + b"\n")
            await self.stdin.drain()
        return await self.hear()

    async def hear(self) -> dict[str, Any] | None:
        """Its next line, as `say` gives it."""
        with suppress(ConnectionError):
            if line := await self.stdout.readline():
                said = json.loads(line)
                if not isinstance(said, dict):
                    raise ValueError("not an object")
                return said
        return None

    async def ending(self) -> str:
        """How it ended, in words, or that it did not within the limit."""
        with suppress(TimeoutError):
            async with asyncio.timeout(END_LIMIT_S):
                await self.process.wait()
        code = self.process.returncode
        if code is None:
            return "closed its pipe and went on"
        if code < 0:
            with suppress(ValueError):
                return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    async def kill(self) -> None:
        """End it and all that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.ending()


def _fields(asked: Asked, request: Request) -> dict[str, Any]:
    return {
        "id": asked.item.id,
        "input": asked.item.text(),
        "messages": [{"role": each.role, "content": each.content} for each in request.messages],
        "task": request.task,
        "scope": dict(request.scope),
        "max_tokens": request.max_tokens,
        "deadline_s": request.deadline_s,
    }


def _environment() -> dict[str, str]:
    """This process's own, without what would lead the team's interpreter to our packages."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "__PYVENV_LAUNCHER__")}
    path = environment.pop("PYTHONPATH", "")
    if kept := [each for each in path.split(os.pathsep) if each and Path(each).resolve() != ROOT]:
        environment["PYTHONPATH"] = os.pathsep.join(kept)
    return environment
