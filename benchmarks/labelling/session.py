"""The stated sample of a run, what has been said of it, and what comes next: behind the terminal and the page alike."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from benchmarks.labelling import store
from benchmarks.labelling.pairs import Pair, Run
from shared.errors import BadInput

SCHEMA: Final = "crossover-labels/1"
DEFAULT_SAMPLE: Final = 200
Choice = Literal["left", "right", "same", "both_bad", "skip"]
VALUES: Final[Mapping[str, float]] = {"direct": 1.0, "legacy": -1.0, "same": 0.0, "both_bad": 0.0}
"""What each label says of direct less legacy; `skip` says nothing."""
UNDONE: Final = "undone"
"""Takes back what was said of a pair before: it is asked again."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Each labelled pair's last label by its place in the run, the sample's size, and how many lines were damaged."""

    said: Mapping[int, str]
    sample: int
    damaged: int

    @property
    def done(self) -> int:
        """How many pairs of the stated sample were labelled or skipped."""
        return len(self.said)

    @property
    def complete(self) -> bool:
        return self.done == self.sample > 0

    @property
    def skipped(self) -> list[int]:
        return [place for place, label in self.said.items() if label == "skip"]

    @property
    def values(self) -> dict[int, float]:
        return {place: VALUES[label] for place, label in self.said.items() if label in VALUES}


class Session:
    """Labels live in the file alone, which is read again each time: another process may be labelling, too."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.file = run.directory / "labels.jsonl"
        self._mine: list[int] = []
        self._places = {pair.request: place for place, pair in enumerate(run.pairs)}

    def begin(self, sample: int | None) -> None:
        """State the sample's size in the file, once. It may grow later, to the same order's next pairs."""
        before = self.labels().sample
        size = min(sample or before or DEFAULT_SAMPLE, len(self.run.pairs))
        if before and size < before:
            raise BadInput(f"--sample {sample}: a sample of {before} was drawn; it can only grow")
        if size == before:
            return
        head = self._expected() | {
            "seed": self.run.seed,
            "sample": size,
            "strata": Counter(pair.stratum for pair in self.run.frame.pairs),
        }
        store.append(self.file, head)

    def labels(self) -> Labels:
        """Raises `BadInput` where the file is of another run."""
        kept = store.read(self.file, self._expected())
        said, sample = dict[int, str](), 0
        for record in kept.records:
            if "sample" in record:
                sample = max(sample, self._size(record["sample"]))
                continue
            pair, label = record.get("pair"), record.get("label")
            place = self._places.get(pair) if isinstance(pair, int) else None
            if place is not None and label == UNDONE:
                said.pop(place, None)
            elif place is not None and place < sample and label in (*VALUES, "skip"):
                said[place] = label
        return Labels(said, sample, kept.damaged)

    def next(self) -> Pair | None:
        """The next pair of the sample that nobody has labelled or skipped."""
        labels = self.labels()
        left = (place for place in range(labels.sample) if place not in labels.said)
        return next((self.run.pairs[place] for place in left), None)

    def sides(self, pair: Pair) -> tuple[str, str]:
        """Which system is shown left and which right: drawn for each pair, the same each time."""
        swapped = random.Random(f"{self.run.seed} {pair.request}").random() < 0.5  # noqa: S311  # no secret
        return ("direct", "legacy") if swapped else ("legacy", "direct")

    def shown(self, pair: Pair) -> dict[str, Any]:
        """All that a labeller may see: no names, models, costs or scores."""
        texts = {"legacy": pair.legacy, "direct": pair.direct}
        left, right = ("(no answer)" if texts[side] is None else texts[side] for side in self.sides(pair))
        labels = self.labels()
        return {
            "pair": pair.request,
            "task": pair.task,
            "history": pair.history,
            "question": pair.question,
            "reference": pair.reference,
            "left": left,
            "right": right,
            "done": labels.done,
            "sample": labels.sample,
        }

    def say(self, request: int, choice: Choice) -> None:
        """Append a label. Raises `BadInput` for a pair that is not of the sample."""
        place = self._places.get(request)
        if place is None or place >= self.labels().sample:
            raise BadInput(f"pair {request} is not of the sample")
        left, right = self.sides(self.run.pairs[place])
        self._write(request, {"left": left, "right": right}.get(choice, choice))
        self._mine.append(request)

    def undo(self) -> bool:
        """Take back the last label that was given here, so that its pair comes next. False where there is none."""
        if not self._mine:
            return False
        self._write(self._mine[-1], UNDONE)
        self._mine.pop()
        return True

    def _write(self, request: int, label: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        store.append(self.file, {"pair": request, "label": label, "at": now})

    def _size(self, sample: object) -> int:
        if type(sample) is int and 0 < sample <= len(self.run.pairs):
            return sample
        raise BadInput(
            f"{self.file}: its sample is {sample!r}; it must be from 1 to {len(self.run.pairs)}; mend the line, "
            "or move the file away to begin anew"
        )

    def _expected(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "requests_sha256": self.run.digest, "differing": len(self.run.pairs)}
