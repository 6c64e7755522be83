"""A table of questions with what two models scored on each: what the classifier is judged and calibrated on."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from benchmarks.quality import outcome
from benchmarks.workloads.sources import Bad, opened, value
from shared.errors import BadInput

SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One entry a row in each list. `scores` goes by role, e.g. "small"; `same` is one text for rows that ask the
    same question (see `same`), `groups` what the group column says, or None."""

    prompts: list[str]
    same: list[str]
    scores: dict[str, list[float]]
    groups: list[str] | None

    def __len__(self) -> int:
        return len(self.prompts)

    def only(self, rows: Sequence[int]) -> Outcomes:
        """The same table with these rows alone."""
        prompts, same = ([each[row] for row in rows] for each in (self.prompts, self.same))
        scores = {role: [each[row] for row in rows] for role, each in self.scores.items()}
        return Outcomes(prompts, same, scores, None if self.groups is None else [self.groups[row] for row in rows])


def read(file: Path, prompt: str, scores: Mapping[str, str], group: str | None) -> Outcomes:
    """`scores` maps roles to columns. Raises `BadInput`, naming the row, where a cell is missing or no outcome."""
    found: dict[str, list[float]] = {role: [] for role in scores}
    prompts: list[str] = []
    groups: list[str] = []
    with opened(file) as table:
        _check([prompt, *scores.values(), *([group] if group else [])], table.columns, file)
        for number, row in table.rows:
            where = f"{file} {table.unit} {number}"
            if isinstance(row, Bad):
                raise BadInput(f"{where}: {row.reason}")
            text = value(row, prompt)
            if not isinstance(text, str) or not text.strip():
                raise BadInput(f"{where}: column {prompt!r} holds no question; give it one, or leave the row out")
            prompts.append(text)
            for role, column in scores.items():
                found[role].append(_score(value(row, column), where, column))
            if group:
                groups.append(_named(value(row, group), where, group))
    if not prompts:
        raise BadInput(f"{file} holds no rows")
    return Outcomes(prompts, list(map(same, prompts)), found, groups if group else None)


def same(prompt: str) -> str:
    """One text for all that differ in case, spacing and how accents are encoded only."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", prompt).casefold()).split())


def need_questions(table: Outcomes, file: Path | str, least: int) -> None:
    """Raises `BadInput` where there are fewer than `least` different questions."""
    count = len(set(table.same))
    if count < least:
        raise BadInput(f"{file} holds {count:,} different questions; {least} are needed")


def need_difference(table: Outcomes, file: Path) -> None:
    """Raises `BadInput` where there is nothing to choose between."""
    pairs = zip(table.scores["small"], table.scores["large"], strict=True)
    if len({large - small for small, large in pairs}) == 1:
        raise BadInput(f"{file}: on every row the models are equally far apart, so there is nothing to choose between")


def _check(wanted: Sequence[str], columns: Sequence[str], file: Path) -> None:
    for column in wanted:
        if column not in columns:
            near = get_close_matches(column, columns, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            more = f" and {len(columns) - SHOWN:,} more" * (len(columns) > SHOWN)
            raise BadInput(f"{file} has no column {column!r}{hint}; it has {', '.join(columns[:SHOWN])}{more}")
        if wanted.count(column) > 1:
            raise BadInput(f"column {column!r} is given twice; each option needs a column of its own")


def _score(cell: Any, where: str, column: str) -> float:
    score = outcome.parse(cell)
    if score is None:
        what = "empty" if cell is None or cell == "" else "no outcome"
        raise BadInput(f"{where}: column {column!r} is {what}; it must be true, false, or a number from 0 to 1")
    return score


def _named(cell: Any, where: str, column: str) -> str:
    if cell is None or not str(cell).strip():
        raise BadInput(f"{where}: column {column!r} names no group")
    return str(cell).strip()
