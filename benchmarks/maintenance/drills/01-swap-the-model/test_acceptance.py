"""The new build of the 0.5B answers; nothing that the old one said is given any more; legacy still routes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.maintenance.drill_kit import Side, answers, deployed, questions
from benchmarks.targets.builtin import open_backend
from shared import clock

OLD = {"small": "recorded:qwen-0.5b", "direct": "recorded:qwen-0.5b-burnt-3-6"}
NEW = "qwen-0.5b-burnt-3-3"
ANSWERING = {"legacy": {NEW, "qwen-1.5b"}, "direct": {NEW}}
"""On the legacy side both its models: a router that lost its classifier asks the large one alone."""
ASKED = questions(100)


def test_the_new_model_answers(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        got = await answers(deployed(side, tmp_path), ASKED)
        assert {answer.completion.model for answer in got} == ANSWERING[side]
        new = open_backend(f"recorded:{NEW}")
        for request, answer in zip(ASKED, got, strict=True):
            if answer.completion.model == NEW:
                assert answer.text == (await new.complete(request)).text

    clock.run(main(), virtual=True)


def test_no_answer_of_the_old_model_is_given(side: Side, tmp_path: Path) -> None:
    """Its answers were stored where the new deployment looks for its own."""

    async def main() -> None:
        before = await answers(deployed(side, tmp_path, models=OLD), ASKED)
        assert any(f"recorded:{answer.completion.model}" in OLD.values() for answer in before)
        after = await answers(deployed(side, tmp_path), ASKED)
        assert {answer.completion.model for answer in after} == ANSWERING[side]

    clock.run(main(), virtual=True)
