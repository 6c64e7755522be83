"""The page of the built-in run in a real Chromium: it opens from disk, asks for nothing, and is for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.report.html import page
from tests.report.html.browser import Open

if TYPE_CHECKING:
    from playwright.sync_api import Page

SERIOUS = {"serious", "critical"}
NARROW = 375


@pytest.fixture
def file(built: Path) -> Path:
    return built / page.NAME


def paper(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (NARROW, "dark")])
def test_nobody_is_kept_out(file: Path, opened: Open, width: int, scheme: str) -> None:
    """axe-core finds nothing serious, with every table and file unfolded."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
    with opened(file, width=width, color_scheme=scheme) as page:
        page.wait_for_selector("#requests-list > *")
        page.evaluate("document.querySelectorAll('figure details, #provenance details').forEach(d => d.open = true)")
        page.wait_for_timeout(100)
        found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    serious = [(each["id"], each["nodes"][0]["html"][:200]) for each in found if each["impact"] in SERIOUS]
    assert serious == []


def test_a_narrow_page_scrolls_in_its_boxes_and_not_as_a_whole(file: Path, opened: Open) -> None:
    with opened(file, width=NARROW) as page:
        page.wait_for_selector("#requests-list > *")
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == NARROW
        boxes = page.evaluate(
            "[...document.querySelectorAll('.scroll')].filter(b => b.scrollWidth > b.clientWidth).map(b => b.tabIndex)"
        )
        assert boxes
        assert set(boxes) == {0}, "a box that scrolls can be reached by keyboard"


def test_no_label_of_a_picture_is_cut(file: Path, opened: Open) -> None:
    with opened(file) as page:
        cut = page.evaluate(
            """[...document.querySelectorAll('figure svg text')].filter(text => {
                 const inner = text.getBoundingClientRect(), outer = text.ownerSVGElement.getBoundingClientRect();
                 return inner.left < outer.left - 1 || inner.right > outer.right + 1
                   || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
               }).map(text => text.closest('figure').id + ': ' + text.textContent)"""
        )
    assert cut == []


def test_no_label_of_a_picture_lies_on_another(file: Path, opened: Open) -> None:
    with opened(file) as page:
        over = page.evaluate(
            """[...document.querySelectorAll('figure svg')].flatMap(svg => {
                 const found = [], all = [...svg.querySelectorAll('text')].map(t => [t, t.getBoundingClientRect()]);
                 all.forEach(([one, a], at) => all.slice(at + 1).forEach(([other, b]) => {
                   const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                   const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                   if (wide > 2 && high > 5) found.push(one.textContent + ' | ' + other.textContent);
                 }));
                 return found;
               })"""
        )
    assert over == []


def test_the_theme_follows_the_system_until_it_is_chosen(file: Path, opened: Open) -> None:
    with opened(file, color_scheme="dark") as page:
        dark = paper(page)
        button = page.get_by_role("button", name="Light page")
        button.click()
        assert paper(page) == "rgb(255, 255, 255)" != dark
        page.reload()
        assert paper(page) == "rgb(255, 255, 255)", "the choice is kept"
        page.get_by_role("button", name="Dark page").click()
        assert paper(page) == dark


def test_the_keyboard_comes_first_to_the_way_past_the_navigation(file: Path, opened: Open) -> None:
    with opened(file) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
        assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
        page.keyboard.press("Enter")
        assert page.url.endswith("#verdict")


def test_a_flip_leads_to_its_request(file: Path, opened: Open) -> None:
    with opened(file) as page:
        link = page.locator("#verdict tbody a").first
        name = str(link.get_attribute("href"))
        link.click()
        page.wait_for_selector(name)
        assert page.locator(name).is_visible()


def test_paper_shows_the_tables_and_no_navigation(file: Path, opened: Open, tmp_path: Path) -> None:
    with opened(file, color_scheme="dark") as page:
        target = tmp_path / "report.pdf"
        page.pdf(path=target, format="A4")
        assert target.read_bytes().startswith(b"%PDF")
        assert page.evaluate("document.querySelectorAll('figure details[open]').length") == 0, "as it was"
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("nav.page").is_hidden()
        assert page.evaluate("document.querySelectorAll('figure details:not([open])').length") == 0
        assert paper(page) == "rgb(255, 255, 255)"


def test_without_scripts_the_page_is_still_there(file: Path, opened: Open) -> None:
    with opened(file, java_script_enabled=False) as page:
        assert page.locator("h2").first.inner_text().startswith("Verdict: ")
        assert page.locator("#theme").is_hidden()
