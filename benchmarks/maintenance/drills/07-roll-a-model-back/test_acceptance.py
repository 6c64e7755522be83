"""The model before the last one answers again; nothing that the withdrawn one said is given; legacy still routes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.maintenance.drill_kit import Side, answers, deployed, questions
from shared import clock

WITHDRAWN = {"small": "recorded:qwen-0.5b", "direct": "recorded:qwen-0.5b-burnt-3-6"}
ANSWERING = {"legacy": {"smollm2-135m", "qwen-1.5b"}, "direct": {"qwen-0.5b-burnt-3-3"}}
ASKED = questions(100)


def test_the_earlier_model_answers_and_the_withdrawn_one_is_not_quoted(side: Side, tmp_path: Path) -> None:
    """Every question was asked before, so that the withdrawn deployment has stored all it could."""

    async def main() -> None:
        before = await answers(deployed(side, tmp_path, models=WITHDRAWN), ASKED)
        assert any(f"recorded:{answer.completion.model}" in WITHDRAWN.values() for answer in before)
        after = await answers(deployed(side, tmp_path), ASKED)
        assert {answer.completion.model for answer in after} == ANSWERING[side]

    clock.run(main(), virtual=True)


def test_what_the_earlier_model_stored_before_may_be_given(side: Side, tmp_path: Path) -> None:
    """It is the model deployed again: its own answers, stored within their time to live, are no mistake."""

    async def main() -> None:
        first = await answers(deployed(side, tmp_path), ASKED)
        await answers(deployed(side, tmp_path, models=WITHDRAWN), ASKED)
        again = await answers(deployed(side, tmp_path), ASKED)
        assert [answer.text for answer in again] == [answer.text for answer in first]
        assert {answer.completion.model for answer in again} == ANSWERING[side]

    clock.run(main(), virtual=True)
