"""Markup that always parses, axes whose ticks are round, and no text of a run that becomes markup."""

from __future__ import annotations

import math
import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.report.html import svg
from benchmarks.table_text import Table

STYLE = (Path(svg.__file__).parent / "assets" / "style.css").read_text(encoding="utf-8")
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=40)
FINITE = st.floats(-1e9, 1e9)


def parsed(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup)  # noqa: S314  # our own markup


# Elements


@given(TEXTS, TEXTS)
def test_what_is_said_comes_back_whole(content: str, label: str) -> None:
    found = parsed(svg.text(1.5, 2, content, class_="t-muted", aria_label=label))
    assert ("".join(found.itertext()), found.get("aria-label")) == (content, label)
    assert (found.get("x"), found.get("class")) == ("1.5", "t-muted")


def test_attributes_that_are_not_there_are_left_out() -> None:
    assert svg.element("details", open=True, hidden=False, id=None) == '<details open="open"></details>'


def test_what_holds_nothing_is_closed_at_once_and_all_else_by_its_own_tag() -> None:
    assert svg.element("line", x1=1) == '<line x1="1"/>'
    assert svg.element("p") == "<p></p>"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_without_a_place_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="no place"):
        svg.element("rect", x=value)


# Axes


@given(FINITE, FINITE, st.booleans())
def test_the_ends_of_an_axis_lie_where_it_begins_and_ends(one: float, other: float, turned: bool) -> None:
    low, high = sorted((one, other))
    if high - low < 1e-6:
        return
    start, end = (400.0, 0.0) if turned else (0.0, 400.0)
    scale = svg.Scale((low, high), (start, end))
    assert (scale(low), scale(high)) == pytest.approx((start, end))
    assert scale((low + high) / 2) == pytest.approx(200)
    ticks = [value for value, _ in scale.ticks()]
    assert 2 <= len(ticks) <= 8
    assert ticks == sorted(ticks)
    assert all(-1e-6 <= scale(value) <= 400 + 1e-6 for value in ticks)


@given(st.floats(1e-6, 1e3), st.floats(1.01, 1e6))
def test_a_logarithmic_axis_gives_each_decade_the_same_room(low: float, times: float) -> None:
    scale = svg.Scale((low, low * times), (0, 100), log=True)
    middle = low * math.sqrt(times)
    assert scale(middle) == pytest.approx(50)
    assert len(scale.ticks()) >= 2


@pytest.mark.parametrize(("domain", "log"), [((0, 1), True), ((-1, 1), True), ((0, math.inf), False)])
def test_an_axis_that_cannot_be_is_refused(domain: tuple[float, float], log: bool) -> None:
    with pytest.raises(ValueError, match="cannot go from"):
        svg.Scale(domain, (0, 1), log=log)


def test_an_axis_of_one_value_has_it_in_the_middle() -> None:
    scale = svg.Scale((3, 3), (0, 10))
    assert (scale(3), scale.ticks()) == (5, [(3, "3")])


def test_ticks_are_shown_as_asked_for() -> None:
    scale = svg.Scale((0, 0.4), (0, 1))
    assert [label for _, label in scale.ticks("{:.0%}".format)] == ["0%", "10%", "20%", "30%", "40%"]


# Marks


def test_every_word_has_a_shape_of_its_own() -> None:
    words = ("better", "worse", "equivalent", "inconclusive", "not known")
    assert len({re.sub(r"class=\S+", "", svg.mark(word, 8, 8)) for word in words}) == len(words)


def test_every_class_of_the_marks_is_coloured_by_the_style() -> None:
    drawn = "".join(svg.mark(word, 8, 8) for word in ("better", "worse", "equal", "inconclusive", "not known"))
    drawn += svg.gate(1, 2, 3, "p99") + svg.axis(svg.Scale((0, 1), (0, 1)), 0, 1, "share")
    for names in re.findall(r'class="([^"]+)"', drawn):
        for name in names.split():
            assert f".{name}{{" in STYLE, name


def test_light_and_dark_have_every_colour() -> None:
    colours = re.findall(r"--[a-z]+:([^;}]+)", STYLE.partition("}")[0])
    assert len(colours) > 15
    assert all(each.startswith(("light-dark(#", "var(--")) for each in colours)


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 has it."""

    def light(colour: str) -> float:
        full = colour if len(colour) == 6 else "".join(2 * digit for digit in colour)
        parts = [int(full[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dim, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_told_from_the_paper_and_words_on_them_be_read(scheme: int) -> None:
    found = dict(re.findall(r"--([a-z]+):light-dark\(#(\w+,#\w+)\)", STYLE))
    colours = {name: pair.split(",#")[scheme] for name, pair in found.items()}
    fills = ("legacy", "direct", "good", "bad", "neutral", "cache", "small", "large", "other")
    for name in (*fills, "ink", "muted", "link"):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
        assert name in fills or contrast(colours[name], colours["raised"]) >= 4.5, name
    for name in fills:
        assert contrast(colours[name], colours["on"]) >= 4.5, name


# Figures and tables


@given(TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=3))
def test_a_figure_has_a_title_what_it_shows_in_words_and_the_table(said: str, rows: list[tuple[str, str]]) -> None:
    body = svg.element("rect", fill=svg.hatch("shape"))
    found = parsed(svg.figure("shape", said, said, body, 640, 100, Table(said, said, ("what", said), rows)))
    picture = found.find(".//{http://www.w3.org/2000/svg}svg")
    assert picture is not None
    labels = str(picture.get("aria-labelledby")).split()
    assert ["".join(each.itertext()) for each in picture if each.get("id") in labels] == [said, said]
    assert picture.get("viewBox") == "0 0 640 100"
    assert [each.get("id") for each in found.iter("{http://www.w3.org/2000/svg}pattern")] == ["shape-hatch"]
    cells = [["".join(cell.itertext()) for cell in line] for line in found.iterfind(".//tbody/tr")]
    assert cells == [list(row) for row in rows]


def test_a_pattern_that_is_not_used_is_not_there() -> None:
    assert "pattern" not in svg.figure("a", "t", "d", "", 1, 1, Table("t", "", ("a",), ()))


def test_columns_of_figures_are_told_from_words() -> None:
    made = svg.table_of(Table("t", "", ("what", "s", "why"), (("a", "-1.5", "so"), ("b", "not known", "so"))))
    assert re.findall(r'<t[dh][^>]*class="figure"[^>]*>([^<]*)', made) == ["s", "-1.5", "not known"]


def test_a_section_leaves_out_what_is_not_there() -> None:
    made = svg.section("cost", "Cost & more", None, svg.paragraph("a < b"), svg.paragraph(""))
    assert unescape("".join(parsed(made).itertext())) == "Cost & morea < b"
