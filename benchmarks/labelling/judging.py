"""Have a judge compare every differing pair, one line of `judgments.jsonl` each, and read them back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from benchmarks.budget import TOKENS_PER_MESSAGE, prompt_bytes
from benchmarks.labelling import store
from benchmarks.labelling.pairs import Pair, Run
from benchmarks.progress import Progress
from benchmarks.quality import judge
from shared.contract import Backend, Identity, Usage
from shared.errors import BadInput
from shared.pricing import Price

SCHEMA: Final = "crossover-judgments/1"
FILE: Final = "judgments.jsonl"
SILENT: Final = 10
"""Pairs in a row without a verdict after which the judge is taken to be unable to give any."""
REFUSED: Final = 5
"""Refusals in a row after which it is taken to refuse every pair."""


def run(compared: Run, place: str, max_usd: float | None) -> None:
    """Ask about every pair that has no line yet, and say first what that may take.

    Raises `BadInput` for a judge that answered in the run, for a bound on a judge without a known price, and where no
    verdict comes.
    """
    from pydantic import TypeAdapter, ValidationError

    from benchmarks.systems import ModelPlace
    from benchmarks.targets.builtin import check_place, open_backend, price_of

    try:
        check_place(TypeAdapter(ModelPlace).validate_python(place))
    except ValidationError as error:
        raise BadInput(f"--judge: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    price = price_of(place, None)
    if max_usd is not None and not price.known:
        raise BadInput(f"--max-usd cannot be kept: no price is known for {place}; leave it out, or name another judge")

    async def judged() -> None:
        backend = open_backend(place)
        try:
            await _judge(compared, backend, price, max_usd)
        finally:
            await backend.aclose()

    asyncio.run(judged())


async def _judge(compared: Run, backend: Backend, price: Price, max_usd: float | None) -> None:
    identity, file = backend.identity, compared.directory / FILE
    judge.refuse_own(identity, compared.models, compared.weights)
    head = _head(compared) | {"judge": _named(identity), "rubric": judge.RUBRIC_VERSION}
    kept = store.read(file, head)
    done = _by_place(compared, kept.records)
    left = [pair for place, pair in enumerate(compared.pairs) if place not in done]
    _announce(compared, left, price)
    if not kept.records:
        store.append(file, head)
    spent_usd, waiting = 0.0, list[tuple[Pair, judge.Verdict]]()
    with Progress("pairs judged", len(left)) as progress:
        for pair in left:
            most = _most(pair)
            worst_usd = price.cost(most) or 0.0
            if max_usd is not None and spent_usd + worst_usd > max_usd:
                print(
                    f"stopped: ${spent_usd:.4f} spent; the next pair could cost ${worst_usd:.4f}, which would pass "
                    f"--max-usd {max_usd:g}; call it again to go on",
                    file=sys.stderr,
                )
                break
            said = await judge.verdict(backend, pair.question, pair.history, pair.legacy, pair.direct)
            spent_usd += sum(worst_usd / 2 if (usd := price.cost(used)) is None else usd for used in said.usage)
            waiting.append((pair, said))
            if said.score is None:
                _give_up([each for _, each in waiting])
            else:
                _keep(compared, waiting)
            progress.step()
    _keep(compared, waiting)


def _announce(compared: Run, left: list[Pair], price: Price) -> None:
    """On stderr, before anything is asked."""
    if not left:
        return
    most = [_most(pair) for pair in left]
    tokens = sum(each.input_tokens or 0 for each in most), sum(each.output_tokens or 0 for each in most)
    usd = price.cost(Usage(*tokens))
    dollars = "" if usd is None else f", ${usd:.4f} at the {price.source}"
    print(f"{len(left):,} pairs to judge: at most {2 * len(left):,} calls, {tokens[0]:,} tokens in, {tokens[1]:,} out"
          f"{dollars}", file=sys.stderr)  # fmt: skip
    if compared.unnamed:
        print(own_unknown(compared.unnamed), file=sys.stderr)


def own_unknown(unnamed: int) -> str:
    """What to say where answers of the run name no model."""
    return f"whether the judge answered in this run is not known: {unnamed:,} answers name no model"


def _most(pair: Pair) -> Usage:
    """The most tokens of both calls: one for each byte sent, and all that may be answered."""
    both = judge.requests(pair.question, pair.history, pair.legacy, pair.direct)
    sent = sum(prompt_bytes(each) + TOKENS_PER_MESSAGE * len(each.messages) for each in both)
    return Usage(sent, sum(each.max_tokens for each in both))


def _keep(compared: Run, waiting: list[tuple[Pair, judge.Verdict]]) -> None:
    """To the file, what waited: pairs without a verdict wait for the next verdict, or the end."""
    for pair, said in waiting:
        store.append(compared.directory / FILE, {"pair": pair.request, **asdict(said)})
    waiting.clear()


def _give_up(waiting: list[judge.Verdict]) -> None:
    refused = waiting[-REFUSED:]
    if len(refused) == REFUSED and all(each.refused for each in refused):
        why = f"the judge refused {REFUSED} pairs in a row"
    elif len(waiting) >= SILENT:
        why = f"the judge gave no verdict on {len(waiting)} pairs in a row"
    else:
        return
    raise BadInput(
        f"{why}, the last time: {waiting[-1].reason}; choose another judge, or mend it and call it again: these pairs "
        "are asked anew"
    )


def read(compared: Run) -> tuple[str, Mapping[int, Mapping[str, Any]]] | None:
    """The judge's name, and its judgments by the pair's place; None where none was asked."""
    kept = store.read(compared.directory / FILE, _head(compared))
    if not kept.records:
        return None
    return str(kept.records[0]["judge"]), _by_place(compared, kept.records)


def _by_place(compared: Run, records: list[dict[str, Any]]) -> dict[int, Mapping[str, Any]]:
    places = {pair.request: place for place, pair in enumerate(compared.pairs)}
    return {places[record["pair"]]: record for record in records if _number(record) in places}


def _number(record: Mapping[str, Any]) -> int | None:
    pair = record.get("pair")
    return pair if isinstance(pair, int) else None


def _head(compared: Run) -> dict[str, Any]:
    return {"schema": SCHEMA, "requests_sha256": compared.digest, "differing": len(compared.pairs)}


def _named(identity: Identity) -> str:
    return f"{identity.provider}:{identity.model}" + f" at {identity.base_url}" * bool(identity.base_url)
