"""`crossover hardware`: lists, shows and checks the catalogue, and the document holds what it prints."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import hardware as printed
from benchmarks.commands import hardware
from shared.errors import BadInput
from shared.hardware.catalogue import FIGURES, assumptions, catalogue
from tests.hardware.test_catalogue import GOOD, IDS, written

Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    parser = argparse.ArgumentParser()
    hardware.add(parser.add_subparsers())

    def run(*arguments: object) -> str:
        args = parser.parse_args(["hardware", *map(str, arguments)])
        assert args.run(args) == 0
        return capsys.readouterr().out

    return run


def test_the_list_has_a_line_for_each_entry_with_the_marks_of_its_numbers(run: Run, tmp_path: Path) -> None:
    lines = run("list", written(tmp_path, GOOD)).splitlines()
    assert [line.split()[0] for line in lines[1:18]] == [*IDS, "mine"]
    silicon = next(line for line in lines if line.startswith("hc1 "))
    assert "16,960 v" in silicon
    assert silicon.count(" -") == len(FIGURES) - 2  # its pace and its power are all that is known


def test_json_holds_every_figure_with_its_unit_and_null_for_unknown(run: Run) -> None:
    entries = json.loads(run("list", "--json"))
    assert list(entries) == IDS
    for id_, entry in entries.items():
        for name, figure in entry["figures"].items():
            assert figure["value"] == catalogue()[id_].value(name)
            assert figure["unit"] == FIGURES[name].unit
        assert entry["assumed"].keys() == assumptions().get(id_, {}).keys()
    assert json.loads(run("show", "hc1", "--json")) == entries["hc1"]


def test_show_tells_source_date_and_standing_and_what_is_assumed(run: Run) -> None:
    shown = run("show", "hc1")
    assert "16,960 tokens/s, vendor-claimed: taalas.com" in shown
    assert "unknown (Taalas has published no price, 2026-11)" in shown
    assert "assumed 0.00126 (0.0005 to 0.134) with a prompt of 22 tokens: " in shown
    assert "To emulate it" not in shown
    assert "To emulate it, assume first_token_s, prompt_token_s, tok_s." in run("show", "gpt-4o-mini")


def test_check_says_what_is_unknown_and_what_would_have_to_be_assumed(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    out = run("check", file)
    assert out.startswith("mine: can be read; unknown: throughput_tok_s, in_flight, context_tokens, ")
    assert "to emulate it" not in out
    lacking = GOOD.replace(next(line for line in GOOD.splitlines() if line.startswith("tok_s")), 'tok_s = "unknown"')
    assert "assume tok_s under [assume.mine]" in run("check", written(tmp_path, lacking))


def test_check_refuses_a_wrong_file(run: Run, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"mine\.toml: \[mine\] capacity: 0 will not do; requests of at least 1"):
        run("check", written(tmp_path, GOOD.replace("value = 8,", "value = 0,")))


def test_the_entry_that_the_document_shows_can_be_read(run: Run, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "hardware.md").read_text()
    entry = text.partition("```toml\n")[2].partition("```")[0]
    assert "can be read" in run("check", written(tmp_path, entry))


def test_the_tables_of_the_document_are_those_of_the_catalogue(run: Run) -> None:
    text = (Path(__file__).parents[2] / "docs" / "hardware.md").read_text()
    held = text.partition("<!-- catalogue -->\n")[2].partition("\n<!-- /catalogue -->")[0]
    assert held == printed.markdown([]), (
        "put what `crossover hardware list --markdown` prints between the marks of docs/hardware.md"
    )


def test_the_document_tells_what_every_figure_means(run: Run) -> None:
    text = (Path(__file__).parents[2] / "docs" / "hardware.md").read_text()
    for name, unit in FIGURES.items():
        assert f"| `{name}` | {unit.unit} | {unit.meaning} |" in text
