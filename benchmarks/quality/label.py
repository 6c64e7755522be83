"""One label out of a fixed set. The answer must be that label, give or take case, quotes and a full stop."""

from __future__ import annotations

from collections.abc import Sequence


def score(text: str, reference: str, labels: Sequence[str]) -> tuple[float, str]:
    """1 for the reference's label, else 0. An answer that is no label at all is wrong, and said to be so."""
    answer = _plain(text)
    if answer == _plain(reference):
        return 1.0, "the right label"
    if answer in {_plain(label) for label in labels}:
        return 0.0, f"label {answer}, not {reference}"
    return 0.0, "no label of the set"


def _plain(text: str) -> str:
    """As labels are compared; what holds nothing but marks is compared as it stands."""
    return text.strip().strip("\"'`*.").strip().casefold() or text.strip().casefold()
