"""Every request is in the page whole, can be found by what it is, and none of its text becomes markup."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.maintenance import drills as counted
from benchmarks.report.document import row_document
from benchmarks.report.explain import WORDS
from benchmarks.report.html import rows
from benchmarks.report.html.run import Run
from benchmarks.report.html.sections import code, drills, requests
from benchmarks.rows import Row
from benchmarks.scenario import ARMS
from shared.contract import Completion, Usage
from shared.steps import Step
from tests.report.html.browser import Open
from tests.rows import row

ASSETS = Path(rows.__file__).parent / "assets"
EVIL = "</script><img src=x onerror=alert(1)>&amp;'\""


def report(**parts: Any) -> dict[str, Any]:
    return {
        "provenance": {"scenario": {arm: {"kind": "builtin"} for arm in ARMS}, "prices": {}},
        "standing": {"/latency/legacy": "emulated", "/cost": "assumed", "/latency/direct": "emulated"},
        "quality": {"attribution": None},
        "maintenance": {"legacy": {"optional": {"files": 5}}, "drills": None},
        **parts,
    }


def run(asked: Sequence[Row], others: Sequence[dict[str, Any]] = (), **parts: Any) -> Run:
    return Run(report(**parts), [row_document(each) for each in asked], others, Path())


def step(kind: str, model: str | None = None, **other: Any) -> Step:
    usage = Usage(input_tokens=12, output_tokens=3)
    completion = model and Completion("yes", model, usage, "stop", seconds=0.012, timing="emulated")
    return Step(kind, other.pop("outcome", "ok"), 0.001, 0.0123456789, completion=completion or None, **other)


def pair(number: int, item: str = "a", right: tuple[float, float] = (1.0, 1.0), **other: Any) -> list[Row]:
    steps = {"legacy": (step("cache", outcome="none"), step("large", "big"), step("store", after_answer=True))}
    made = []
    for arm, score in zip(ARMS, right, strict=True):
        mine = steps.get(arm, (step("call", "fast"),))
        made.append(row(arm, number, item, score=score, steps=mine, latency_s=0.0123456, **other))
    return made


def varied(number: int, scores: tuple[float, float, float], **other: Any) -> list[dict[str, Any]]:
    """The counterfactual rows of a request that the small model answers where there is no cache."""
    made = []
    for name, score in zip(WORDS, scores, strict=True):
        kind = "small" if name == "no_cache" else "large"
        document = row_document(row("legacy", number, score=score, steps=(step(kind, kind),), **other))
        made.append({**document, "arm": name, "model": kind})
    return made


def unpacked(data: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(data)))
    return document


# What is packed


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.text(), st.text(), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6))
def test_texts_and_scores_come_out_as_they_went_in(asked: list[tuple[str, str, float, float]]) -> None:
    whole = [
        each
        for number, (item, text, legacy, direct) in enumerate(asked)
        for each in pair(number, f"i{item}", (legacy, direct), text=text)
    ]
    document = unpacked(rows.pack(run(whole)).data)
    assert [each[0] for each in document["requests"]] == list(range(len(asked)))
    for (item, text, *scores), (_, place, *_, legacy, direct, _) in zip(asked, document["requests"], strict=True):
        assert document["items"][place][0] == f"i{item}"
        assert [legacy[0], direct[0]] == [text.encode("utf-8", "replace").decode()] * 2
        assert [legacy[3], direct[3]] == pytest.approx(scores, rel=1e-5)


def test_a_question_asked_again_is_packed_once() -> None:
    document = unpacked(rows.pack(run([*pair(0), *pair(1), *pair(2, "b")])).data)
    assert [each[0] for each in document["items"]] == ["a", "b"]
    assert [each[1] for each in document["requests"]] == [0, 0, 1]


def test_the_same_run_is_the_same_string() -> None:
    assert rows.pack(run(pair(0))).data == rows.pack(run(pair(0))).data


def test_steps_hold_what_each_did_and_what_the_model_was_asked() -> None:
    document = unpacked(rows.pack(run(pair(0))).data)
    _, large, store = document["requests"][0][5][-1]
    words = document["words"]
    assert [words[large[0]], words[large[1]], large[2], large[3], large[5]] == ["large", "ok", 0.001, 0.0123457, 0]
    assert [words[large[6][0]], *large[6][1:3], words[large[6][5]]] == ["big", 12, 3, "emulated"]
    assert (store[5], store[6]) == (1, None)


def test_what_does_not_fit_is_left_out_and_differences_stay() -> None:
    asked = [
        each
        for number in range(400)
        for each in pair(number, f"{number:x}" * 40, (1.0, 0.0) if number % 40 == 39 else (1.0, 1.0))
    ]
    most = len(rows.pack(run(asked)).data) // 4
    packed = rows.pack(run(asked), most)
    numbers = [each[0] for each in unpacked(packed.data)["requests"]]
    assert len(packed.data) <= most
    assert packed.here + packed.left_out == 400
    assert packed.here == len(numbers) > 10
    assert set(range(39, 400, 40)) <= set(numbers)
    assert numbers == sorted(numbers)


def test_a_long_text_is_cut_and_says_so() -> None:
    document = unpacked(rows.pack(run(pair(0, text="x" * (rows.TEXT_CHARACTERS + 1234)))).data)
    assert document["requests"][0][5][0] == "x" * rows.TEXT_CHARACTERS + " [cut here: 1,234 more characters]"


def test_causes_are_those_that_explain_tells() -> None:
    others = [*varied(0, (0.0, 1.0, 1.0)), *varied(1, (1.0, 1.0, 1.0))]
    packed = rows.pack(run([*pair(0, right=(0.0, 0.5)), *pair(1), *pair(2, right=(0.0, 1.0))], others))
    first, second, third = unpacked(packed.data)["requests"]
    assert re.fullmatch(r"misroute: small \(small\) scored 0, .* 1; backend: .* scored 1, .* 0\.5", first[4])
    assert second[4] == "no difference in score"
    assert third[4].startswith("unattributed: ")
    assert packed.causes == ["misroute", "backend", "no difference in score", "unattributed"]
    assert len(first[7]) == len(WORDS)
    assert third[7] == []


def test_what_was_not_measured_is_not_there() -> None:
    packed = rows.pack(run([replace(row("legacy", 0, score=None, text=None), model=None)]))
    [request] = unpacked(packed.data)["requests"]
    legacy, direct = request[5:7]
    assert request[4] == "not known: only legacy was asked"
    assert direct is None
    assert [legacy[place] for place in (0, 1, 3, 5, 7, 11)] == [None] * 6
    assert packed.routes == [("legacy", rows.NOT_TOLD)]


# The words above the list


def test_the_words_count_requests_by_who_was_right() -> None:
    asked = [*pair(0), *pair(1, "b", (1.0, 0.0)), *pair(2, "b", (1.0, 0.5)), *pair(3, "c", (0.0, 1.0))]
    told = requests.words(run(asked))
    assert told.startswith(
        "4 requests with 3 different questions: both right on 1, legacy alone right on 2, direct alone right on 1, "
        "neither right on 0 (right is the full score)."
    )
    assert "legacy's times are emulated, its costs assumed" in told


def test_what_is_left_out_is_said_with_the_way_to_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [each for number in range(300) for each in pair(number, f"{number:x}" * 30)]
    whole = run(asked)
    assert "do not fit" not in requests.section(whole)
    few = rows.pack(whole, 3000)
    monkeypatch.setattr(requests, "pack", lambda _: few)
    said = f"{few.here} requests are on this page, those with different scores first; {few.left_out} more do not fit."
    assert few.left_out > 0
    assert said in requests.section(whole)


# In the browser


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = [each for number in range(120) for each in pair(number, f"item-{number}", text=f"answer {number}")]
    asked += pair(120, "evil", (0.0, 1.0), text=EVIL, task=EVIL)
    asked += pair(121, "evil", (0.0, 0.5), text=EVIL, task=EVIL)
    asked += [row("legacy", 122, "gone", error="deadline exceeded", score=0.0, steps=()), *pair(122, "gone")[1:]]
    whole = run(
        asked,
        varied(121, (0.0, 1.0, 1.0), item="evil", text=EVIL, task=EVIL),
        maintenance={**report()["maintenance"], "drills": counted.count()},
    )
    sections = "".join(each.section(whole) for each in (code, drills, requests))
    style, *scripts = ((ASSETS / name).read_text("utf-8") for name in ("style.css", "theme.js", "requests.js"))
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title><style>{style}</style></head>'
        f'<body><button id="theme" hidden>t</button><main><h1>t</h1>{sections}</main>'
        f"{''.join(f'<script>{script}</script>' for script in scripts)}</body></html>",
        encoding="utf-8",
    )
    return file


@contextmanager
def listed(opened: Open, file: Path, anchor: str = "", **context: Any) -> Iterator[Any]:
    """The page once its requests are listed, or it has said why they are not."""
    with opened(file, anchor=anchor, **context) as page:
        page.wait_for_function("document.getElementById('requests-count').textContent !== ''")
        yield page


def said(page: Any) -> str:
    return str(page.inner_text("#requests-count"))


def shown(page: Any) -> list[str]:
    return [str(each) for each in page.eval_on_selector_all("#requests-list > li", "all => all.map((each) => each.id)")]


def test_fifty_are_shown_and_the_pager_turns(opened: Open, page_file: Path) -> None:
    with listed(opened, page_file) as page:
        assert said(page) == "123 of 123 requests, 1 to 50 shown"
        assert shown(page) == [f"request-{number}" for number in range(50)]
        page.click("#requests-pager button[value=last]")
        assert said(page) == "123 of 123 requests, 101 to 123 shown"
        assert page.is_disabled("#requests-pager button[value=next]")
        page.click("#requests-pager button[value=previous]")
        assert page.inner_text("#requests-page") == "page 2 of 3"


def test_filters_and_words_narrow_together(opened: Open, page_file: Path) -> None:
    with listed(opened, page_file) as page:
        page.select_option("#requests-right", "direct_only")
        assert shown(page) == ["request-120", "request-122"]
        page.select_option("#requests-route", f"legacy:{rows.NO_ANSWER}")
        assert shown(page) == ["request-122"]
        page.click("#requests-clear")
        page.select_option("#requests-cause", "misroute")
        assert shown(page) == ["request-121"]
        page.click("#requests-clear")
        page.select_option("#requests-task", EVIL)
        assert shown(page) == ["request-120", "request-121"]
        page.select_option("#requests-right", "direct_higher")
        assert len(shown(page)) == 2
        page.click("#requests-clear")
        page.fill("#requests-search", "ANSWER item-117")
        page.wait_for_function("document.getElementById('requests-count').textContent.startsWith('1 of')")
        assert shown(page) == ["request-117"]
        page.fill("#requests-search", "nowhere")
        page.press("#requests-search", "Enter")
        assert said(page) == "0 of 123 requests"


def test_a_link_to_a_request_opens_it_whatever_is_filtered(opened: Open, page_file: Path) -> None:
    with listed(opened, page_file, "#request-117") as page:
        assert page.evaluate("document.activeElement.closest('li').id") == "request-117"
        assert "answer 117" in page.inner_text("#request-117 .story")
        page.select_option("#requests-cause", "misroute")
        page.evaluate("location.hash = '#request-3'")
        page.wait_for_selector("#request-3 .story")
        assert said(page) == "123 of 123 requests, 1 to 50 shown"
        page.evaluate("location.hash = '#request-999'")
        page.wait_for_function("document.getElementById('requests-count').textContent.includes('crossover explain')")


def test_arrows_move_and_enter_opens(opened: Open, page_file: Path) -> None:
    with listed(opened, page_file) as page:
        page.focus("#request-0 summary")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        page.wait_for_selector("#request-1 .story")
        page.keyboard.press("End")
        assert page.evaluate("document.activeElement.closest('li').id") == "request-49"
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.closest('li').id") == "request-50"
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("document.activeElement.closest('li').id") == "request-0"


def test_a_request_opened_tells_what_explain_tells(opened: Open, page_file: Path) -> None:
    with listed(opened, page_file, "#request-121") as page:
        page.wait_for_selector("#request-121 .story")
        story = page.inner_text("#request-121 .story")
        assert "misroute: small (small) scored 0, large (large) 1; backend: " in story
        assert "latency 12.3 ms (emulated), cost not known" in story
        assert "big, 12 tokens in, 3 out, 12.0 ms emulated" in story
        assert "always large, with cache" in story
        assert "also asked as\n#120" in story
        page.click("#request-121 .story dl a")
        page.wait_for_selector("#request-120 .story")
        assert "deadline exceeded" in page.inner_text("#request-122 summary")


def test_markup_in_a_question_or_an_answer_stays_text(opened: Open, page_file: Path) -> None:
    with listed(opened, page_file, "#request-121") as page:
        assert EVIL in page.inner_text("#request-121 .story")
        assert page.locator("#requests img").count() == 0
        assert EVIL in page.inner_text("#requests-task")


def test_a_browser_that_cannot_unpack_says_so(opened: Open, page_file: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.html"
    without = "<body><script>delete window.DecompressionStream</script>"
    old.write_text(page_file.read_text(encoding="utf-8").replace("<body>", without), encoding="utf-8")
    with listed(opened, old) as page:
        assert said(page).startswith("This browser cannot unpack the requests")
        assert "crossover explain" in said(page)
        assert page.is_hidden("#requests-form")


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1200), ("light", 375)])
def test_opened_they_are_accessible_and_no_wider_than_the_page(
    opened: Open, page_file: Path, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
    with listed(opened, page_file, "#request-121", width=width, color_scheme=scheme) as page:
        page.wait_for_selector("#request-121 .story")
        page.evaluate("document.querySelector('#drill-01-swap-the-model').open = true")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        parts = ("#requests-form", "#request-121", "#requests-pager", "#drill-01-swap-the-model")
        found = axe.Axe().run(page, context={"include": [[part] for part in parts]}).response["violations"]
        serious = [each for each in found if each["impact"] in {"serious", "critical"}]
        assert serious == [], [(each["id"], [node["html"][:120] for node in each["nodes"][:3]]) for each in serious]
