"""Small or large by complexity; optionally small first, then escalate where the draft's confidence is low."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from legacy_pipeline.classifier import Classifier, novelty_bound
from legacy_pipeline.settings import Settings
from shared.contract import Completion, Request


@dataclass(frozen=True, slots=True)
class Route:
    """Which model is asked first, and why."""

    small: bool
    detail: str


LARGE: Final = Route(small=False, detail="")


class Cascade:
    """Decides before a model is asked (`route`) and, where that is wanted, after the small one has (`doubt`)."""

    def __init__(self, classifier: Classifier | None, settings: Settings) -> None:
        self._classifier = classifier
        self._small_first = settings.small_first
        self._strange = None
        if classifier is not None and settings.abstain is not None:
            self._strange = novelty_bound(classifier.artefact.novelty, settings.abstain)
        least = settings.escalate_below
        self.doubt = None if least is None else partial(_doubt, least)
        """Why a draft is not good enough, or None where drafts are sent unjudged, as they come."""

    async def route(self, request: Request) -> Route:
        if self._small_first:
            return Route(small=True, detail="small first")
        if self._classifier is None:
            return Route(small=False, detail="no classifier for these models")
        judged = self._classifier.judge(request)
        if self._strange is not None and judged.novelty > self._strange:
            new = f"{judged.novelty:.0%} of its words are new, bound {self._strange:.0%}"
            return Route(small=False, detail=f"abstained: {new}; expected gain {judged.gain:.4f}")
        bound = self._classifier.artefact.threshold
        return Route(not judged.hard, f"expected gain {judged.gain:.4f}, threshold {bound:.4f}")


def _doubt(bound: float, draft: Completion) -> str | None:
    """The least log-probability tells right from wrong best in short answers."""
    if not draft.logprobs:
        return "the model gives no log-probabilities, so its confidence is unknown"
    least = min(draft.logprobs)
    return f"least log-probability {least:.2f} is below {bound:g}" if least < bound else None
