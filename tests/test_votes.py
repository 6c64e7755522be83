"""`crossover votes`: the figures are those of the recordings, the seconds those of the emulated rows."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest

from benchmarks import votes
from benchmarks.commands import votes as command
from benchmarks.table_text import markdown
from benchmarks.workloads.workload import BUILTIN
from shared.errors import BadInput
from tests.test_published import priced

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Measured once, with a row of one's own beside the catalogue's."""
    own = tmp_path_factory.mktemp("own") / "mine.toml"
    unlimited = priced("mine", votes.SERVES, 0.5)
    one = 'capacity = { value = 1, standing = "assumed", source = "me", date = "2026-11", low = 1, high = 1 }'
    own.write_text(unlimited + unlimited.replace("[mine]", "[mine-one]").replace('capacity = "unknown"', one))
    return votes.measure(files=[own])


def test_five_votes_are_those_of_the_workloads_page(document: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "workload.md").read_text()
    for task in ("arithmetic", "reasoning"):
        one, voted = document["quality"][task]["greedy"], document["quality"][task]["5"]["right"]
        assert f"| {task} | {document['questions'][task]} | " in page.rpartition("5 samples")[2]
        assert f"{voted:.1%} [" in page.rpartition("5 samples")[2]
        assert 0 < one < 1


def test_differences_are_paired_with_the_greedy_answers(document: dict[str, Any]) -> None:
    for quality in document["quality"].values():
        for n in "12345":
            gap = quality[n]["less_greedy"]
            assert gap["estimate"] == pytest.approx(quality[n]["right"] - quality["greedy"])
            assert gap["low"] < gap["estimate"] < gap["high"]


def test_two_votes_are_one_since_ties_go_to_the_first(document: dict[str, Any]) -> None:
    for quality in document["quality"].values():
        assert quality["1"] == quality["2"]


def test_all_is_both_tasks(document: dict[str, Any]) -> None:
    counts = document["questions"]
    for n in "12345":
        right = {task: document["quality"][task][n]["right"] for task in counts}
        both = sum(right[task] * counts[task] for task in ("arithmetic", "reasoning"))
        assert right["all"] * counts["all"] == pytest.approx(both)


def test_votes_queue_where_one_is_served_at_once_and_wait_for_the_longest_elsewhere(document: dict[str, Any]) -> None:
    one_by_one, at_once = (document["hardware"][id_] for id_ in ("hc1", "groq-8b"))
    assert (one_by_one["capacity"], at_once["capacity"]) == (1, 64)
    first, five = (one_by_one["all"][n]["mean_s"] for n in "15")
    assert five == pytest.approx(5 * first, rel=0.05)
    first, five = (at_once["all"][n]["mean_s"] for n in "15")
    assert first < five < 1.2 * first


def test_n_votes_cost_n_times_the_tokens(document: dict[str, Any]) -> None:
    answers = document["hardware"]["groq-8b"]["arithmetic"]
    assert answers["5"]["usd_per_answer"] == pytest.approx(5 * answers["1"]["usd_per_answer"], rel=0.05)
    right = document["quality"]["arithmetic"]["5"]["right"]
    assert answers["5"]["usd_per_decision"] == pytest.approx(answers["5"]["usd_per_answer"] / right)


def test_what_is_not_known_stays_unknown(document: dict[str, Any]) -> None:
    nowhere, unpriced = document["hardware"]["deepinfra-8b"]["all"], document["hardware"]["hc1"]["all"]
    assert {each["p50_s"] for each in nowhere.values()} == {None}
    assert {each["usd_per_decision"] for each in unpriced.values()} == {None}
    assert None not in {each["usd_per_decision_at_claimed"] for each in unpriced.values()}


def test_a_row_of_ones_own_is_shown(document: dict[str, Any]) -> None:
    assert document["hardware"]["mine"]["all"]["3"]["usd_per_decision"] > 0
    assert document["hardware"]["mine-one"]["all"]["3"]["p50_s"] > 0


def test_with_an_unknown_capacity_nobody_knows_how_long_several_votes_take(document: dict[str, Any]) -> None:
    unknown, one = (document["hardware"][id_]["all"] for id_ in ("mine", "mine-one"))
    for key in ("greedy", "1"):
        assert unknown[key]["p50_s"] == one[key]["p50_s"] > 0
    assert {unknown[n][name] for n in "2345" for name in ("mean_s", "p50_s", "p95_s")} == {None}
    assert unknown["5"]["usd_per_decision"] == one["5"]["usd_per_decision"]


def test_a_workload_without_samples_is_refused(tmp_path: Path) -> None:
    for file in [*BUILTIN.glob("*.jsonl"), BUILTIN / "tasks.toml"]:
        (tmp_path / file.name).symlink_to(file)
    with pytest.raises(BadInput, match=r"samples\.jsonl\.gz is not there; make it with: crossover record"):
        votes.measure(folder=tmp_path)


def test_the_page_is_what_the_command_prints(document: dict[str, Any]) -> None:
    held = (ROOT / "docs" / "votes.md").read_text().partition("<!-- tables -->\n")[2].partition("\n<!-- /tables")[0]
    shipped = {id_: row for id_, row in document["hardware"].items() if id_ not in ("mine", "mine-one")}
    assert held == markdown(votes.tables(document | {"hardware": shipped})), (
        "put what `crossover votes --markdown` prints there"
    )


@pytest.mark.parametrize(("flag", "begins"), [("--json", "{"), ("--markdown", "### Right"), ("", "Right answers")])
def test_the_command_prints(
    document: dict[str, Any],
    flag: str,
    begins: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(votes, "measure", lambda **_: document)  # it takes seconds, and is tested above
    parser = ArgumentParser()
    command.add(parser.add_subparsers())
    args = parser.parse_args(["votes", *([flag] if flag else [])])
    assert args.run(args) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(begins)
    if flag == "--json":
        assert json.loads(printed)["standings"]["seconds"] == "emulated"
