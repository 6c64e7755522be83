"""One cell of the matrix: what one pipeline did with its requests under one fault in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, TypeAlias

Arm: TypeAlias = Literal["legacy", "direct"]
ARMS: Final[tuple[Arm, Arm]] = ("legacy", "direct")
Place: TypeAlias = Literal["small", "large", "call", "cache", "classifier", "process"]
Played: TypeAlias = Literal["virtual", "wire", "process"]
SAME: Final = "the same text"
"""How a way ends in which a user gets what the pipeline gives without the fault."""
A_HIT: Final = "degraded: kept instead of"


@dataclass(frozen=True, slots=True)
class Cell:
    """Counts are of requests sent while the fault lasted, each in exactly one class (`oracle.py` defines them).

    `failed` counts by the type of the error, `left` the clients that went away themselves. `late` counts requests
    (those of `after` too) that ended after their deadline plus one scheduling tick, whatever their class. `p99_s` is
    None where so few requests do not support it; `slowest_s` is the slowest request's time, None without requests.
    `ways` counts what was seen, such as "degraded: large instead of small, the same text". Of the `after` requests sent
    when the fault was over, `lingering` counts what was not well again.

    `calls` are the model calls begun while the fault lasted, `abandoned` those of the whole run that ran on when nobody
    waited for their answer any more: both None where nobody counted. `at_once` is how many requests the arm's main
    model was taken to serve at once, None where it is what the preset assumes.
    """

    arm: Arm
    fault: str
    place: Place
    requests: int
    well: int
    degraded: int
    failed: Mapping[str, int]
    wrong: int
    undetected: int
    lost: int
    late: int
    p99_s: float | None
    slowest_s: float | None
    ways: Mapping[str, int] = field(default_factory=dict)
    left: int = 0
    calls: int | None = None
    abandoned: int | None = None
    at_once: int | None = None
    after: int = 0
    lingering: Mapping[str, int] = field(default_factory=dict)
    played: Played = "virtual"

    @property
    def ended(self) -> int:
        """All classes together: equal to `requests`."""
        return (
            self.well + self.degraded + sum(self.failed.values()) + self.wrong + self.undetected + self.lost + self.left
        )

    @property
    def modes(self) -> frozenset[str]:
        """The distinct ways of failing. A hit instead of a call, with the same text, is none."""
        hits = (way for way in self.ways if way.startswith(A_HIT) and way.endswith(SAME))
        return frozenset(way for way in self.ways if not way.startswith(("well", "left"))) - frozenset(hits)

    @property
    def broken(self) -> bool:
        """Whether it shows what must never be, during the fault or after it."""
        return self.wrong > 0 or self.lost > 0 or self.late > 0 or bool(self.abandoned) or self.broken_after > 0

    @property
    def broken_after(self) -> int:
        """Of the `after` requests, those that ended wrong or lost."""
        return sum(count for way, count in self.lingering.items() if way.startswith(("wrong", "lost")))

    def as_json(self) -> dict[str, Any]:
        """The cell as plain JSON, mappings in the order of their names."""
        plain = asdict(self)
        return {key: dict(sorted(value.items())) if isinstance(value, dict) else value for key, value in plain.items()}
