"""The page of a run as text: whole, in order, of one file, the same each time, and nothing in it is a run's markup."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import cli
from benchmarks.report import document
from benchmarks.report.html import STANDINGS, page
from benchmarks.report.html.run import Run, read_run
from benchmarks.report.html.sections import provenance, verdict
from shared.errors import BadInput
from tests.rows import row

NAMES = ["verdict", "maintenance", "quality", "latency", "cost", "faults", "code", "drills", "requests", "assumptions",
         "provenance"]  # fmt: skip
MOST_BYTES = 1_500_000
EVIL = '</script><script>alert(1)</script><img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def run(built: Path) -> Run:
    return read_run(built)


@pytest.fixture(scope="module")
def text(built: Path) -> str:
    return (built / page.NAME).read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Ids, headings, links and open elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.levels: list[int] = []
        self.links: list[str] = []
        self.elements: Counter[str] = Counter()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements[tag] += 1
        self.ids += [str(found["id"])] if "id" in found else []
        self.links += [str(found["href"])] if tag == "a" else []
        self.levels += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        assert not [name for name in found if name.startswith("on")], "a handler in the markup"


def changed(run: Run, **parts: Any) -> Run:
    """The run with parts of its report replaced, each named like `cost__difference_usd`."""
    report = json.loads(json.dumps(run.report))
    for name, value in parts.items():
        *way, last = name.split("__")
        part = report
        for step in way:
            part = part[step]
        part[last] = value
    return replace(run, report=report)


# The whole


def test_the_sections_come_in_order_and_the_navigation_leads_to_each(text: str) -> None:
    found = Outline(text)
    assert [each for each in found.ids if each in NAMES] == NAMES
    assert [link[1:] for link in found.links if link[1:] in NAMES][
        1 : len(NAMES) + 1
    ] == NAMES  # first is the skip link


def test_no_id_is_there_twice_and_every_link_leads_somewhere(text: str) -> None:
    found = Outline(text)
    assert [each for each, count in Counter(found.ids).items() if count > 1] == []
    made = re.compile(r"#request-\d+")  # the request browser makes these in the page
    assert [link for link in found.links if link[1:] not in found.ids and not made.fullmatch(link)] == []


def test_headings_leave_out_no_level(text: str) -> None:
    levels = Outline(text).levels
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_page_is_one_file_under_its_limit(text: str) -> None:
    assert len(text.encode()) < MOST_BYTES
    assert page.POLICY in unescape(text)
    outside = re.findall(
        r"""(?:src|href|action)=["'](?!#|data:,)([^"']*)""", "".join(re.findall(r"<[a-z][^>]*>", text))
    )
    assert outside == []
    assert "url(http" not in text


def test_the_scripts_are_small(text: str) -> None:
    sizes = {name: len((page.ASSETS / name).read_bytes()) for name in page.SCRIPTS}
    assert sum(sizes.values()) <= 32 << 10, sizes
    assert not [
        name for name in page.SCRIPTS if re.search(r"\beval\(|innerHTML|</script", (page.ASSETS / name).read_text())
    ]


def test_every_picture_parses_has_a_title_and_a_table(text: str) -> None:
    figures = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert len(figures) >= 10
    for figure in figures:
        found = ElementTree.fromstring(figure)  # noqa: S314  # our own markup
        picture = found.find(".//{*}svg")
        assert picture is not None
        assert picture.find("{*}title") is not None
        assert picture.find("{*}desc") is not None
        assert found.find(".//tbody") is not None


def test_the_same_run_gives_the_same_bytes(run: Run, text: str) -> None:
    assert page.build(run) == text


def test_what_a_run_says_never_becomes_markup(run: Run, text: str) -> None:
    """Its texts, models and notes are those of whoever asked and answered."""
    rows = [{**row, "question": EVIL, "text": EVIL, "model": EVIL, "task": EVIL} for row in run.rows[:40]]
    spoilt = json.loads(json.dumps(run.report).replace('"facts"', json.dumps(EVIL)))
    spoilt["provenance"]["notes"] = [EVIL]
    spoilt["verdict"]["reasons"] = [EVIL]
    made = page.build(replace(run, report=spoilt, rows=rows, counterfactuals=()))
    assert "<img" not in made
    assert "alert(1)" in made
    scripts = Outline(made).elements["script"]
    assert scripts == Outline(text).elements["script"]


# The verdict


@pytest.mark.parametrize("word", ["migrate", "keep", "split", "undecided"])
def test_the_card_says_the_word_and_what_it_means(run: Run, word: str) -> None:
    made = unescape(re.sub(r"<[^>]*>", "", verdict.section(changed(run, verdict__overall=word))))
    assert f"Verdict: {word}" in made
    assert verdict.MEANS[word] in made


def test_what_is_better_is_said_of_either_side(run: Run) -> None:
    cost = {"estimate": -2e-6, "low": -3e-6, "high": -1e-6}
    tail = {"p99": {"of_quantiles": {"estimate": 0.02, "low": 0.01, "high": 0.03}}}
    made = changed(run, cost__difference_usd=cost, latency__difference=tail, maintenance__direct__lines=2000)
    tiles = list(verdict._tiles(made.report))
    assert [tile.word for tile in tiles] == ["worse", "worse", "worse", "better"]
    assert [tile.change for tile in tiles] == ["+1,037 lines", "-31.3 points", "+20.0 ms", "-$0.0020"]
    assert tiles[2].told[0] == "95 % interval +10.0 ms to +30.0 ms."


def test_a_difference_below_the_floor_is_not_told_apart(run: Run) -> None:
    tail = {"p99": {"of_quantiles": {"estimate": 0.0002, "low": 0.0001, "high": 0.0003}}}
    made = changed(run, latency__difference=tail, latency__floor_p99=0.001)
    assert list(verdict._tiles(made.report))[2].word == "inconclusive"


def test_what_is_not_known_says_so_and_is_no_zero(run: Run) -> None:
    made = changed(
        run, maintenance__legacy__lines=None, latency__legacy__p99=None, cost__vendor_claim=None,
        quality__questions_like_these__difference={"estimate": None, "low": None, "reason": "is not measured"},
    )  # fmt: skip
    tiles = list(verdict._tiles(made.report))
    assert {tile.word for tile in tiles} == {"not known"}
    assert tiles[3].told[0].endswith("direct not known.")
    assert tiles[1].told == ("Quality is not measured.",)


def test_the_flips_are_those_with_the_greatest_effect_and_one_of_the_other_side(run: Run) -> None:
    effects = verdict._effects(run)
    right = run.report["quality"]["right"]
    assert sum(effect < 0 for effect, _ in effects.values()) == right["legacy_only"]
    assert sum(effect > 0 for effect, _ in effects.values()) == right["direct_only"]
    made = "".join(verdict._flips(run))
    shown = [int(number) for number in re.findall(r'href="#request-(\d+)"', made)]
    assert len(shown) == verdict.FLIPS + 1
    least = min(abs(effects[number][0]) for number in shown[: verdict.FLIPS])
    assert all(abs(effect) <= least for number, (effect, _) in effects.items() if number not in shown)
    assert {effects[number][0] > 0 for number in shown} == {True, False}


def test_without_scores_there_are_no_flips(run: Run) -> None:
    assert list(verdict._flips(replace(run, rows=[{**row, "score": None} for row in run.rows]))) == []


# Provenance


def test_provenance_names_every_version_price_and_hardware_row(run: Run) -> None:
    made = provenance.section(run)
    told = run.report["provenance"]
    names = [*told["run"]["packages"].values(), *(row["name"] for row in told["hardware"].values())]
    names += [price["name"] for price in told["prices"].values()] + [
        model["version"] for model in told["models"].values()
    ]
    assert [name for name in names if name not in made] == []


def test_every_standing_of_a_report_has_a_meaning(run: Run) -> None:
    assert set(run.report["standing"].values()) <= set(STANDINGS)


# The command


def test_report_makes_the_page_again(built: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (built / page.NAME).unlink()
    assert cli.main(["report", str(built)]) == 0
    assert capsys.readouterr().out == f"{built / page.NAME}\n"
    assert (built / page.NAME).read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("report", "says"),
    [
        (None, "cannot be read"),
        ("[", "is no JSON"),
        ('{"schema": NaN}', "is no JSON"),
        ("[1]", "`schema` is None"),
        ('{"schema": "crossover-load/1"}', "`schema` is 'crossover-load/1'"),
        ('{"schema": "crossover-report/1"}', "lacks `provenance`"),
    ],
)
def test_a_report_that_is_none_is_named(tmp_path: Path, report: str | None, says: str) -> None:
    if report is not None:
        (tmp_path / "report.json").write_text(report)
    with pytest.raises(BadInput, match=re.escape(says)) as found:
        page.write(tmp_path)
    assert str(tmp_path / "report.json") in str(found.value)
    assert not (tmp_path / page.NAME).exists()


def test_a_report_of_another_making_is_named(built: Path, tmp_path: Path) -> None:
    report = json.loads((built / "report.json").read_text(encoding="utf-8"))
    del report["quality"]["questions_like_these"]
    (tmp_path / "report.json").write_text(json.dumps(report), encoding="utf-8")
    (tmp_path / "requests.jsonl").write_bytes((built / "requests.jsonl").read_bytes())
    with pytest.raises(BadInput, match=r"report\.json lacks 'questions_like_these'; run crossover compare again"):
        page.write(tmp_path)


def test_a_page_does_not_outlive_its_rows(tmp_path: Path) -> None:
    (tmp_path / page.NAME).write_text("of other rows")
    document.write_rows(tmp_path, [row("legacy", 0)])
    assert not (tmp_path / page.NAME).exists()


def test_a_run_without_rows_is_named(tmp_path: Path, built: Path) -> None:
    (tmp_path / "report.json").write_bytes((built / "report.json").read_bytes())
    with pytest.raises(BadInput, match=r"requests\.jsonl is missing"):
        page.write(tmp_path)
