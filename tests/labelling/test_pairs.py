"""What differs, and in which order it is labelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.labelling.pairs import normal, read
from shared.errors import BadInput
from tests.labelling.runs import differing, write
from tests.rows import row


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The answer", " the  Answer. "),
        ("1,000", "1000.0"),
        ('{"a": 1, "b": "X"}', '```json\n{"b": "x", "a": 1.0}\n```'),
        ("-0", "0"),
        ("1,5", "1.5"),
        ("3 million", "3,000,000"),
        ("if x:\n    y\n", "\nif x:\n    y"),
    ],
)
def test_equal_in_normal_form(one: str, other: str) -> None:
    assert normal(one) == normal(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("yes", "no"), ("1", '"one"'), ('{"a": 1}', '{"a": true}'), ('{"a": 1}', '{"a": "1"}'), ("1,5", "15"), ("", "0"),
     ("if x:\n    y\nz", "if x:\n    y\n    z"), ("a\nb", "a b"), ("X = 1\ny", "x = 1\ny"),
     ('{"a": "x\\n  y"}', '{"a": "x\\ny"}')],
)  # fmt: skip
def test_different_in_normal_form(one: str, other: str) -> None:
    assert normal(one) != normal(other)


def test_where_the_reference_is_a_number_only_the_number_counts() -> None:
    assert normal("3 and 4 make 7. Answer: 7", 7) == normal("It is 7", 7)
    assert normal("3 and 4 make 7. Answer: 7") != normal("It is 7")
    assert normal("no idea", 7) != normal("none", 7)
    assert normal("It is 8", 7) == normal("Answer: 8", 7) != normal("It is 9", 7)
    assert normal("48/8=6, 48-6", 6) != normal("It is 6", 6)  # the scorer reads no number out of an unfinished sum
    assert normal("3500 m", "3.5 km") != normal("3500 km", "3.5 km")


def test_a_list_of_references_keeps_case_and_articles() -> None:
    asked = ["We were at the beach."]
    assert normal("We were at the beach", asked) == normal(" We  were at the beach.", asked)
    assert normal("We were at the beach.", asked) != normal("we were at the beach.", asked)
    assert normal("The end", ["x"]) != normal("end", ["x"])
    assert normal("Polite.", "polite") == normal("polite", "polite")


def test_answers_that_the_scorer_tells_apart_are_not_equal(tmp_path: Path) -> None:
    from benchmarks.report.document import write_rows

    rows = [row(arm, 0, text="yes", score=score) for arm, score in (("legacy", 1.0), ("direct", 0.0))]  # type: ignore[arg-type]
    rows += [row(arm, 1, "b", text="yes") for arm in ("legacy", "direct")]
    write_rows(tmp_path, rows)
    assert [(pair.item, pair.rule) for pair in read(tmp_path).pairs] == [("a", -1.0)]


def test_repeated_requests_with_the_same_answers_are_one_pair(tmp_path: Path) -> None:
    answers = [("a", "x", "y"), ("a", "X.", "y"), ("a", "y", "y"), ("a", "z", "y"), ("b", "1", "1")]
    run = read(write(tmp_path, *answers))
    assert sorted((pair.request, share.share) for pair, share in zip(run.pairs, run.frame.pairs, strict=True)) == [
        (0, 0.5),
        (3, 0.25),
    ]
    assert run.frame.questions == 2


def test_a_failure_differs_from_an_answer_and_not_from_a_failure(tmp_path: Path) -> None:
    from benchmarks.report.document import write_rows

    rows = [row("legacy", 0, "a", error="E: no"), row("direct", 0, "a", text="x")]
    rows += [row("legacy", 1, "b", error="E: no"), row("direct", 1, "b", error="F: no")]
    write_rows(tmp_path, rows)
    run = read(tmp_path)
    assert [(pair.item, pair.legacy, pair.direct) for pair in run.pairs] == [("a", None, "x")]
    assert run.frame.questions == 2


def test_each_first_part_holds_every_task_in_proportion(tmp_path: Path) -> None:
    from benchmarks.report.document import write_rows

    rows = [
        row(arm, number, f"q{number}", text=f"{arm} {number}", task="small" if number % 4 == 0 else "large")
        for number in range(80)
        for arm in ("legacy", "direct")
    ]
    write_rows(tmp_path, rows)
    run = read(tmp_path)
    for count in (8, 20, 40):
        few = sum(pair.task == "small" for pair in run.pairs[:count])
        assert abs(few - count / 4) <= 1
    assert [pair.request for pair in run.pairs] == [pair.request for pair in read(tmp_path).pairs]
    assert [pair.request for pair in run.pairs] != sorted(pair.request for pair in run.pairs)


def test_bad_input_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is missing; name a directory that crossover compare wrote"):
        read(tmp_path)
    with pytest.raises(BadInput, match="2 questions never differ"):
        read(write(tmp_path / "equal", ("a", "x", "x"), ("b", "y", "Y")))
    with pytest.raises(BadInput, match="holds no texts"):
        read(write(tmp_path / "none", ("a", None, None)))
    (differing(tmp_path / "torn", 2) / "requests.jsonl").write_text('{"request": 0}\n')
    with pytest.raises(BadInput, match="line 1 is no row"):
        read(tmp_path / "torn")


@pytest.mark.parametrize(
    ("report", "says"),
    [
        ('{"quality": null, "provenance": {"models": {}}}', "quality"),
        ('{"quality": {"margin": 0.02}, "provenance": null}', "provenance"),
        ('{"quality": {"margin": "wide"}, "provenance": {"models": {}}}', "quality.margin"),
        ("[]", "it:"),
        ("{", "it:"),
    ],
)
def test_a_spoilt_report_is_named(tmp_path: Path, report: str, says: str) -> None:
    differing(tmp_path, 2)
    (tmp_path / "report.json").write_text(report)
    with pytest.raises(BadInput, match=f"report.json is no report of a comparison: {says}"):
        read(tmp_path)


def test_questions_without_texts_are_left_out_and_counted(tmp_path: Path) -> None:
    run = read(write(tmp_path, ("a", "x", "y"), ("b", None, "y")))
    assert (run.without_texts, run.frame.questions) == (1, 1)
