"""Published outcomes are read with care: a wrong file, line or column is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.published.counts import COLUMNS, pooled, read
from shared.errors import BadInput

GOOD = 'Exam,maths,Llama 3.1 8B Instruct,Llama 3.1 70B Instruct,100,50,5,30,15,"a paper, its table 3"'


def file(folder: Path, *lines: str, header: str = ",".join(COLUMNS)) -> Path:
    path = folder / "own.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_the_shipped_outcomes_are_32_groups_with_their_sources() -> None:
    groups = read()
    assert len(groups) == 32
    assert sum(group.counts.n for group in groups if group.benchmark.startswith("MMLU-Pro")) == 12_032
    assert all(group.source for group in groups)


def test_models_are_chosen_by_a_part_of_their_name() -> None:
    assert {group.large for group in read(large="gpt-4O")} == {"gpt-4o-2024-08-06"}
    with pytest.raises(BadInput, match=r"no group of small '' and large '405B'; it has .*70B Instruct; "):
        read(large="405B")


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    (group,) = read(file(tmp_path, GOOD))
    assert (group.counts.small, group.counts.large, group.source) == (0.55, 0.8, "a paper, its table 3")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (GOOD.replace(",100,", ",99,"), "line 2: n is 99, the four counts add up to 100"),
        (GOOD.replace(",30,", ",-3,"), "line 2: large_only is '-3'; it must be a whole number"),
        (GOOD.replace(",30,", ",3.5,"), "line 2: large_only is '3.5'; it must be a whole number"),
        (GOOD.replace(",30,", ",nan,"), "line 2: large_only is 'nan'"),
        (GOOD.replace('"a paper, its table 3"', ""), "line 2: source is empty"),
        (GOOD.replace("maths", " "), "line 2: group is empty"),
        (GOOD.replace('"', ""), "line 2: not 10 cells; quote a cell that holds a comma"),
        ("Exam,maths", "line 2: not 10 cells"),
        (GOOD + "\n" + GOOD, "line 3: the same group and models as in line 2"),
        (GOOD.replace(",100,50,5,30,15,", ",1,1,0,0,0,"), "line 2: n is 1; nothing can be said"),
        ("", "has no groups"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        read(file(tmp_path, line))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (",".join(COLUMNS[1:]), "line 1: the header lacks benchmark"),
        (",".join((*COLUMNS, "mood")), "line 1: the header has mood"),
        (",".join((*COLUMNS, "n")), "line 1: the header has one twice"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read(file(tmp_path, GOOD, header=header))


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="is not CSV in UTF-8"):
        read(tmp_path / "own.csv")
    with pytest.raises(BadInput, match="cannot be read"):
        read(tmp_path / "absent.csv")


def test_groups_of_one_benchmark_are_pooled_question_by_question() -> None:
    whole_benchmarks = pooled(read())
    assert [(each.name, each.counts.n) for each in whole_benchmarks] == [("all 14", 12_032), ("all 12", 5_358)]
