"""Makes the example files again: `python -m benchmarks.examples.make`. A test compares them with what is committed.

Nothing in them is real: questions are put together from templates, and who is right, how fast and at what cost is drawn
with a seed. They show formats and commands, and say nothing about any model. docs/bring-your-own.md walks through them.

- `support-desk.jsonl`: a gateway's log (LiteLLM's spend log) of a support desk that sorts messages into queues.
- `support-desk-direct.jsonl`: another system's answers to the same requests, in the format of
  `benchmarks/targets/log.py`, with the queue that a person chose in the end.
- `moderation.jsonl`: a stream of messages with a moderator's decision and three models' answers.
- `outcomes.csv`: questions with three models' grades.
"""

from __future__ import annotations

import csv
import io
import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from shared.files import replacing

FOLDER: Final = Path(__file__).parent
SEED: Final = 7
BEGUN: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
CITIES: Final = ("Lisbon", "Gdansk", "Leeds", "Turin", "Ghent", "Aarhus", "Split", "Graz")
THINGS: Final = ("kettle", "desk lamp", "rucksack", "blender", "headset", "bike pump", "tent", "coffee grinder")

QUEUES: Final[Mapping[str, Sequence[str]]] = {
    "billing": ("I was charged twice for order {n}.", "Send me an invoice with our VAT number for order {n}, please."),
    "delivery": ("Order {n} to {city} is four days late.", "Can the {thing} go to my office in {city} instead?"),
    "returns": ("The {thing} from order {n} is too big, I want to send it back.", "Where do I post the {thing} to?"),
    "fault": ("My {thing} stopped working after {d} days.", "The {thing} smells burnt, is it safe?"),
    "account": ("I cannot log in since I moved to {city}.", "Please delete my account and what you hold about {n}."),
}
DESK_REQUESTS: Final = 130
DESK_REPEATS: Final = 0.25

DECISIONS: Final[Mapping[str, Sequence[str]]] = {
    "ok": (
        "My {thing} arrived in {city} today, {d} stars.",
        "Does anybody in {city} repair a {thing}?",
        "The {thing} is fine, the manual of {d} pages is not.",
        "Meeting in {city} at {d} o'clock, who brings a {thing}?",
    ),
    "spam": ("Win a {thing}!!! {n} prizes left, click now", "Cheap {thing} from {city}, message me on {n}"),
    "abuse": ("Only a fool from {city} would buy that {thing}, case {n}", "Shut up about your {thing}, you clown {n}"),
    "private": ("His number is 555-{n}, he lives in {city}", "Her order {n} went to 14 Mill Lane, {city}"),
}
MESSAGES: Final = 320
USERS: Final = 90

TOPICS: Final[Mapping[str, Sequence[tuple[str, float]]]] = {
    "opening hours": (("Is shop {n} open at {d}?", 0.05), ("Is shop {n} in {city} open on holidays?", 0.3)),
    "prices": (("What does {thing} {n} cost?", 0.2), ("And {d} of {thing} {n} with {m} % off and VAT?", 0.8)),
    "policy": (
        ("May {thing} {n} go back after {d} days?", 0.3),
        ("Whose is {thing} {n} if {city} never got it?", 0.7),
    ),
}
"""A topic's questions, and how hard each is, from 0 to 1."""
QUESTIONS: Final = 900
ATTEMPTS: Final = 100


def files() -> dict[str, bytes]:
    """Every example file's content, by name."""
    legacy, direct = _desk(_seeded("desk"))
    return {
        "support-desk.jsonl": _lines(legacy),
        "support-desk-direct.jsonl": _lines(direct),
        "moderation.jsonl": _lines(_moderation(_seeded("moderation"))),
        "outcomes.csv": _table(_outcomes(_seeded("outcomes"))),
    }


def _seeded(name: str) -> random.Random:
    return random.Random(f"{SEED}/{name}")  # noqa: S311  # a seed, so that the files come out the same


def _desk(rng: random.Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One row a request and system. The last three of the gateway's show what an import does with other rows."""
    legacy: list[dict[str, Any]] = []
    direct: list[dict[str, Any]] = []
    asked: dict[str, tuple[str, str, str]] = {}
    begun = BEGUN
    for number in range(DESK_REQUESTS):
        begun += timedelta(seconds=round(rng.expovariate(1 / 40), 3))
        hit = bool(asked) and rng.random() < DESK_REPEATS
        if hit:
            text = rng.choice(list(asked))
        else:
            queue = rng.choice(list(QUEUES))
            text = _fresh(rng, QUEUES[queue], asked)
            right = rng.random() < 0.9
            old = queue if right else _other(rng, queue, QUEUES)
            new = queue if rng.random() < (0.97 if right else 0.5) else _other(rng, queue, QUEUES)
            asked[text] = queue, old, new
        queue, old, new = asked[text]
        tokens, identity = 60 + len(text) // 4, f"r-{number:03}"
        model = "large" if len(text) > 45 else "small"
        seconds = 0.004 if hit else rng.uniform(0.5, 1.1) if model == "large" else rng.uniform(0.15, 0.3)
        price = 0.0 if hit else tokens * (4e-7 if model == "large" else 5e-8)
        legacy.append(_spent(identity, model, text, old, begun, seconds, tokens, price, hit=hit))
        direct.append(
            {
                "id": identity, "input": text, "output": new, "expected": queue,
                "latency_ms": round(rng.uniform(15, 40), 1), "cost_usd": round(tokens * 5e-8, 10), "stage": "call",
                "model": "direct", "input_tokens": tokens, "output_tokens": 2,
            }
        )  # fmt: skip
    failed = _spent("r-timeout", "large", "Where is order 4711?", "", begun, 30.0, 0, 0.0, hit=False)
    embedding = _spent("r-vector", "encoder", "kettle", "", begun, 0.02, 3, 1e-8, hit=False)
    unkept = _spent("r-private", "large", "", "billing", begun, 0.7, 80, 3e-5, hit=False)
    legacy += [
        failed | {"status": "failure", "response": {}},
        embedding | {"call_type": "aembedding"},
        unkept | {"messages": []},
    ]
    return legacy, direct


def _spent(
    identity: str, model: str, text: str, said: str, begun: datetime, seconds: float, tokens: int, spend: float, *,
    hit: bool,
) -> dict[str, Any]:  # fmt: skip
    """A row of LiteLLM's spend log, without the columns that an import does not read."""
    return {
        "request_id": identity,
        "call_type": "acompletion",
        "model": model,
        "spend": round(spend, 10),
        "prompt_tokens": tokens,
        "completion_tokens": 2,
        "startTime": begun.isoformat(),
        "endTime": (begun + timedelta(seconds=round(seconds, 3))).isoformat(),
        "cache_hit": str(hit),
        "messages": [{"role": "user", "content": text}],
        "response": {"choices": [{"message": {"content": said}}]},
    }


def _moderation(rng: random.Random) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    seen: dict[str, None] = {}
    right = {"small": 0.82, "large": 0.94, "direct": 0.97}
    for number in range(MESSAGES):
        decision = "ok" if rng.random() < 0.5 else rng.choice(list(DECISIONS))
        text = _fresh(rng, DECISIONS[decision], seen)
        seen[text] = None
        luck = rng.random()
        answers = {
            name: decision if luck < share or rng.random() < 0.2 else _other(rng, decision, DECISIONS)
            for name, share in right.items()
        }
        channel, user = rng.choice(("reviews", "forum")), f"u{int(rng.random() * USERS):02}"
        rows.append({"n": number, "user": user, "channel": channel, "message": text, "decision": decision, **answers})
    return rows


def _outcomes(rng: random.Random) -> list[dict[str, Any]]:
    """A harder question is longer, as often in real traffic, so that a classifier has something to learn."""
    rows: list[dict[str, Any]] = []
    seen: dict[str, None] = {}
    for _ in range(QUESTIONS):
        topic = rng.choice(list(TOPICS))
        pattern, hard = rng.choice(TOPICS[topic])
        text = _fresh(rng, (pattern,), seen)
        seen[text] = None
        chances = {"small": 0.95 - 0.8 * hard, "large": 0.97 - 0.2 * hard, "direct": 0.95 - 0.4 * hard}
        luck = rng.random()
        grades = {name: int(0.7 * luck + 0.3 * rng.random() < chance) for name, chance in chances.items()}
        rows.append({"question": text, "topic": topic, **grades})
    return rows


def _fresh(rng: random.Random, patterns: Sequence[str], seen: Mapping[str, object]) -> str:
    """A text that is not among those seen. Raises `ValueError` where the patterns hold hardly any more."""
    for _ in range(ATTEMPTS):
        text = rng.choice(patterns).format(
            n=1000 + int(rng.random() * 9000), d=2 + int(rng.random() * 20), m=5 + int(rng.random() * 60),
            city=rng.choice(CITIES), thing=rng.choice(THINGS),
        )  # fmt: skip
        if text not in seen:
            return text
    raise ValueError(f"no further text in {ATTEMPTS} attempts: {', '.join(patterns)}")


def _other(rng: random.Random, right: str, names: Mapping[str, object]) -> str:
    return rng.choice([name for name in names if name != right])


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()


def _table(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def main(say: Callable[[str], object] = print) -> int:
    """Write the files beside this one."""
    for name, content in files().items():
        with replacing(FOLDER / name) as file:
            file.write(content)
        say(f"{FOLDER.name}/{name}: {len(content):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
