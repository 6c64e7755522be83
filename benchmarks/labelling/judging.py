"""Have a judge compare every differing pair, one line of `judgments.jsonl` each, and read them back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from benchmarks.labelling import store
from benchmarks.labelling.pairs import Run
from benchmarks.progress import Progress
from benchmarks.quality import judge
from shared.contract import Backend, Identity
from shared.errors import BadInput

SCHEMA: Final = "crossover-judgments/1"
FILE: Final = "judgments.jsonl"


def run(compared: Run, place: str) -> None:
    """Ask about every pair that has no line yet. Raises `BadInput` for a judge that answered in the run."""
    from pydantic import TypeAdapter, ValidationError

    from benchmarks.scenario import ModelPlace
    from benchmarks.targets.builtin import check_place, open_backend

    try:
        check_place(TypeAdapter(ModelPlace).validate_python(place))
    except ValidationError as error:
        raise BadInput(f"--judge: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None

    async def judged() -> None:
        backend = open_backend(place)
        try:
            await _judge(compared, backend)
        finally:
            await backend.aclose()

    asyncio.run(judged())


async def _judge(compared: Run, backend: Backend) -> None:
    identity, file = backend.identity, compared.directory / FILE
    judge.refuse_own(identity, compared.models, compared.weights)
    head = _head(compared) | {"judge": _named(identity), "rubric": judge.RUBRIC_VERSION}
    kept = store.read(file, head)
    if not kept.records:
        store.append(file, head)
    done = _by_place(compared, kept.records)
    with Progress("pairs judged", len(compared.pairs)) as progress:
        for place, pair in enumerate(compared.pairs):
            if place not in done:
                said = await judge.verdict(backend, pair.question, pair.history, pair.legacy, pair.direct)
                store.append(file, {"pair": pair.request, **asdict(said)})
            progress.step()


def read(compared: Run) -> tuple[str, Mapping[int, Mapping[str, Any]]] | None:
    """The judge's name, and its judgments by the pair's place; None where none was asked."""
    kept = store.read(compared.directory / FILE, _head(compared))
    if not kept.records:
        return None
    return str(kept.records[0]["judge"]), _by_place(compared, kept.records)


def _by_place(compared: Run, records: list[dict[str, Any]]) -> dict[int, Mapping[str, Any]]:
    places = {pair.request: place for place, pair in enumerate(compared.pairs)}
    return {places[record["pair"]]: record for record in records if record.get("pair") in places}


def _head(compared: Run) -> dict[str, Any]:
    return {"schema": SCHEMA, "requests_sha256": compared.digest, "differing": len(compared.pairs)}


def _named(identity: Identity) -> str:
    return f"{identity.provider}:{identity.model}" + f" at {identity.base_url}" * bool(identity.base_url)
