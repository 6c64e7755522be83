"""The catalogue names every fault once, and everything that plays faults knows all of its own."""

from __future__ import annotations

from collections import Counter

from benchmarks.faults import parts, play
from benchmarks.faults.catalogue import BY_NAME, FAULTS
from shared.backends import faulty


def names(part: str) -> set[str]:
    return {fault.name for fault in FAULTS if fault.part == part}


def test_names_are_unique_over_all_parts() -> None:
    assert max(Counter(fault.name for fault in FAULTS).values()) == 1
    assert len(BY_NAME) == len(FAULTS) >= 37


def test_each_part_plays_all_of_its_faults() -> None:
    assert names("backend") == faulty.FAULTS.keys()
    assert names("cache") | names("classifier") == parts.CACHE_FAULTS.keys() | parts.CLASSIFIER_FAULTS | play.AT_START
    assert names("process") == {"killed", "cancelled-client", "stampede", "ten-times-the-load"}


def test_only_another_model_and_an_altered_row_cannot_be_noticed() -> None:
    assert {fault.name for fault in FAULTS if not fault.detectable} == {"other-model", "cache-altered"}


def test_a_part_that_one_pipeline_lacks_is_not_played_in_it() -> None:
    assert [arm for arm, _ in play.places(BY_NAME["cache-full"])] == ["legacy"]
    assert [place for _, place in play.places(BY_NAME["500"])] == ["small", "large", "call"]
