"""`crossover emulate`: from a row of the catalogue to a server at its pace, saying all that it rests on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from shared.contract import Backend
from shared.errors import BadInput
from shared.hardware.catalogue import FIGURES, Figure, Hardware, find
from shared.hardware.pace import NEEDED

if TYPE_CHECKING:
    from shared.backends.emulated import EmulatedBackend


def assumed(settings: Sequence[str]) -> dict[str, Figure]:
    """Figures from the texts `FIGURE=VALUE`. Raises `BadInput`."""
    found = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        if name not in FIGURES:
            raise BadInput(f"--assume {setting}: there is no figure {name!r}; there are {', '.join(FIGURES)}")
        try:
            found[name] = Figure(float(text), "assumed", "given on the command line")
        except ValueError:
            raise BadInput(f"--assume {setting}: write FIGURE=VALUE with a number, as in first_token_s=0.001") from None
    return found


def resolve(id_: str, files: Sequence[Path], own: Mapping[str, Figure]) -> Hardware:
    """The row of that id, with what is assumed here, and else what the catalogue assumes.

    Raises `BadInput`, also where it then still lacks a figure that its time depends on.
    """
    hardware = find(id_, *files).with_assumed(own).with_shipped()
    if unknown := [name for name in NEEDED if hardware.value(name) is None]:
        remedy = " ".join(f"--assume {name}=..." for name in unknown)
        raise BadInput(f"hardware {id_}: {', '.join(unknown)} unknown, so no time can be given; assume it: {remedy}")
    return hardware


def open_inner(model: str) -> Backend:
    """Who answers: `recorded:NAME` or `generated[:TOKENS]`. Raises `BadInput`."""
    kind, _, name = model.partition(":")
    if kind == "recorded":
        from benchmarks.targets.builtin import open_backend

        return open_backend(model)
    if kind == "generated" and (not name or name.isdecimal()):
        from shared.backends.generated import GeneratedBackend

        return GeneratedBackend(int(name) if name else None)
    raise BadInput(
        f"--model {model}: it must be recorded:NAME, generated or generated:TOKENS; "
        "a model that takes its own time cannot play a faster one"
    )


def told(backend: EmulatedBackend) -> list[str]:
    """What the emulation rests on, a line each: pace and its standing, the stand-in, and every assumption."""
    hardware = backend.hardware
    standing = hardware.figures["tok_s"].standing
    lines = [f"emulated: {hardware.name}, {hardware.model}, {1 / backend.pace.token_s:,.0f} tokens/s ({standing})"]
    if backend.stand_in:
        lines.append(f"stand-in: {backend.stand_in}")
    for name in ("first_token_s", "prompt_token_s", "tok_s", "capacity", "in_flight", "context_tokens"):
        figure = hardware.figures[name]
        if figure.value is None:
            lines.append(f"unknown: {name}, so it does not bind")
        elif figure.standing == "assumed":
            span = "" if figure.low is None else f" ({figure.low:g} to {figure.high:g})"
            lines.append(f"assumed: {name} = {figure.value:g} {FIGURES[name].unit}{span}: {figure.source}")
    if backend.jitter:
        lines.append(f"jitter: log-normal factor of mean 1 and sigma {backend.jitter:g} on each call's time")
    return lines


def serve(
    hardware: Hardware, model: str, host: str, port: int, *, seed: int, jitter: float, token_env: str | None = None
) -> int:
    """Serve until interrupted. `token_env` names the variable that holds the clients' token. Raises `BadInput`."""
    from shared.backends.emulated import EmulatedBackend
    from shared.serving.serve import base_url, listen
    from shared.serving.token import read_token

    token = None if token_env is None else read_token(token_env)
    backend = EmulatedBackend(open_inner(model), hardware, seed=seed, jitter=jitter)
    with listen(host, port, token) as listening:
        for line in told(backend):
            print(line)
        print(f"serving {hardware.id} on {base_url(host, listening)}", flush=True)
        with suppress(KeyboardInterrupt):
            asyncio.run(_until_interrupted(backend, listening, token))
    return 0


async def _until_interrupted(backend: EmulatedBackend, listening: socket.socket, token: str | None) -> None:
    from shared.serving.emulator import EmulatorServer

    server = EmulatorServer(backend, token=token)
    await server.start(listening)
    try:
        await asyncio.Event().wait()
    finally:
        await server.aclose()
