"""The page's cost of a decision is the Python's, its sliders act, and no text of a run becomes markup."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import upkeep
from benchmarks.cost import break_even
from benchmarks.cost import measure as costs
from benchmarks.cost.ledger import Ledger, Rates
from benchmarks.cost.per_decision import PARTS, spending
from benchmarks.cost.rates import Rate, rate_of
from benchmarks.cost.uncertain import Draws
from benchmarks.cost_settings import CostSettings, Range
from benchmarks.report import kept_cost
from benchmarks.report.document import row_document
from benchmarks.report.html import cost_inputs
from benchmarks.report.html.run import Run
from benchmarks.report.html.sections import assumptions
from benchmarks.scenario import ARMS, Arm
from shared.contract import Completion, Usage
from shared.hardware.catalogue import Figure, find
from shared.pricing import UNKNOWN, Price
from shared.steps import Step
from tests.report.html.browser import Open
from tests.rows import row

ASSETS = Path(assumptions.__file__).parent.parent / "assets"
SCRIPT = (ASSETS / "sliders.js").read_text(encoding="utf-8")
TASKS = ("a", "b.c")
CASES = 250
Show = Callable[[Run], AbstractContextManager[Any]]


# The formulas


class Case:
    """A run with random totals and prices; and the same with every number moved to another place."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311  # a seeded case, no secret
        self.ledger = self._ledger()
        self.drills = {arm: self._usd() for arm in ARMS} if self.rng.random() < 0.6 else None
        by_task = self.rng.random() < 0.4
        self.settings = CostSettings(wrong_answer_usd=dict.fromkeys(TASKS, 1.0) if by_task else 1.0)
        kinds: dict[tuple[str, str], str] = {
            ("legacy", kind): self.rng.choice(("token", "call", "rent", "none")) for kind in ("small", "large")
        } | {("direct", "call"): self.rng.choice(("token", "token", "call", "rent", "none"))}
        self.rates: Rates = {place: self._rate(by) for place, by in kinds.items()}
        self.inputs = cost_inputs.inputs(self.ledger, self.rates, self.settings, self.drills)
        empty = self.rng.choice((0.0, 0.1, 0.5))
        self.values = {name: self._moved(name, empty) for name in self.inputs["values"]}

    def python(self) -> dict[str, Any]:
        """What the Python says at the values, as the page's script has it."""
        moved = self._settings()
        rates = {place: self._at(*place, rate, moved) for place, rate in self.rates.items()}
        draws = Draws(1)
        totals = self.ledger.totals(draws)
        spent = spending(self.ledger, totals, rates, moved, draws)
        even = {
            "price": break_even.price(spent, self.ledger),
            "hit_rate": break_even.hit_rate(spent, self.ledger, totals, moved, draws),
            "volume": break_even.volume(spent, self.ledger, moved, draws),
            "engineering_rate": break_even.engineering_rate(spent, moved, draws),
        }
        all_draws = {arm: spent[arm].per_decision for arm in ARMS}
        each = {arm: None if drawn is None else float(drawn[0]) for arm, drawn in all_draws.items()}
        legacy, direct = each["legacy"], each["direct"]
        return {
            "each": each,
            "parts": {
                arm: {name: float(spent[arm].parts[name][0]) if name in spent[arm].parts else None for name in PARTS}
                for arm in ARMS
            },
            "unknown": {arm: bool(spent[arm].unknown) for arm in ARMS},
            "ratio": direct / legacy if legacy and direct is not None and math.isfinite(legacy + direct) else None,
            "even": {name: [found.state, found.value, found.wins, found.now] for name, found in even.items()},
        }

    def _ledger(self) -> Ledger:
        count, columns = self.rng.randint, dict[tuple[str, ...], list[float]]()
        untold = {arm: "not told" if self.rng.random() < 0.05 else "" for arm in ARMS}
        told = {arm: self.rng.random() < 0.9 for arm in ARMS}
        for arm in ARMS:
            requests = [float(count(1, 500)) for _ in TASKS]
            hits = [float(count(0, int(each))) * (arm == "legacy" and told[arm]) for each in requests]
            good = [float(count(0, int(each))) for each in requests]
            if self.rng.random() < 0.05:
                good = [0.0, 0.0]
            good_hits = [float(count(0, int(min(pair)))) for pair in zip(good, hits, strict=True)]
            columns |= {(arm, "requests"): requests, (arm, "acceptable"): good}
            columns |= {(arm, "hits"): hits, (arm, "acceptable hits"): good_hits}
            for number, task in enumerate(TASKS):
                columns[arm, "wrong", task] = [0.0, 0.0]
                columns[arm, "wrong", task][number] = requests[number] - good[number]
                columns[arm, "wrong hits", task] = [0.0, 0.0]
                columns[arm, "wrong hits", task][number] = hits[number] - good_hits[number]
            if self.rng.random() < 0.3:
                columns[arm, "reported"] = [self._usd(), self._usd()]
                columns[arm, "reported hits"] = [each / 10 for each in columns[arm, "reported"]]
            for use in ("used", "spare"):
                for kind in ("small", "large") if arm == "legacy" else ("call",):
                    for what in ("prompt", "output", "call"):
                        columns[arm, use, kind, what] = [float(count(0, 10_000)) for _ in TASKS]
            columns[arm, "tokens"] = [float(count(1, 100_000)) for _ in TASKS]
        clusters = [(task, f"group {task}") for task in TASKS]
        return Ledger(columns, clusters, "", untold, told, {arm: self.rng.random() < 0.9 for arm in ARMS})

    def _usd(self) -> float:
        return 10 ** self.rng.uniform(-4, 1)

    def _rate(self, by: str) -> Rate:
        if by == "none":
            return Rate(missing="no price is known")
        if by == "call":
            return Rate(price=replace(UNKNOWN, per_call_usd=self._usd()))
        if by == "token":
            return Rate(price=replace(UNKNOWN, input_usd=self._usd(), output_usd=self._usd()))
        known = {"rent_usd_per_hour": self._usd(), "throughput_tok_s": 5000.0, "prompt_token_s": 1e-4}
        known["watts"] = self.rng.choice((700.0, 0.0))  # 0 stands for unknown
        hardware = find("h100-8b")
        changed = {name: Figure(value or None, "assumed" if value else "unknown") for name, value in known.items()}
        return Rate(hardware=replace(hardware, figures={**hardware.figures, **changed}))

    def _moved(self, name: str, empty: float) -> float | None:
        if (name in cost_inputs.OPTIONAL or name.endswith("mtok")) and self.rng.random() < empty:
            return None
        if name == "utilisation":
            return self.rng.uniform(0.01, 1)
        if name.startswith(cost_inputs.WRONG) and self.rng.random() < 0.3:
            return 0.0
        return self._usd() * (1e5 if name == "requests_per_month" else 1)

    def _settings(self) -> CostSettings:
        given: dict[str, Any] = {name: self.values[name] for name in cost_inputs.PLAIN}
        wrong = {task: self.values.get(f"{cost_inputs.WRONG}.{task}") for task in TASKS}
        given[cost_inputs.WRONG] = self.values.get(cost_inputs.WRONG, wrong)
        if self.drills is None:
            return CostSettings(**given)
        hours = {arm: {"value": each, "low": each, "high": each} for arm, each in self.drills.items()}
        return upkeep.with_hours(CostSettings(**given), {"hours_per_month": {"all": hours}})

    def _at(self, arm: str, kind: str, rate: Rate, moved: CostSettings) -> Rate:
        at = f"{arm}.{kind}."
        if rate.hardware is not None:
            rent = Figure(self.values[f"{at}rent_usd_per_hour"], "assumed")
            figures = {**rate.hardware.figures, "rent_usd_per_hour": rent}
            return rate_of(None, replace(rate.hardware, figures=figures), moved)
        if rate.price.per_call_usd is not None:
            return rate_of(replace(rate.price, per_call_usd=self.values[f"{at}per_call_usd"]), None, moved)
        ends = {f"{end}_usd": self.values[f"{at}{end}_usd_per_mtok"] for end in ("input", "output")}
        return rate_of(replace(UNKNOWN, **ends), None, moved)  # type: ignore[arg-type]


def same(theirs: float | None, ours: float | None) -> bool:
    return theirs is ours is None or (None not in (theirs, ours) and theirs == pytest.approx(ours, rel=1e-9))


def test_the_page_and_the_python_agree_on_random_runs(chromium: Any) -> None:
    cases = [Case(seed) for seed in range(CASES)]
    page = chromium.new_page()
    page.set_content(f"<script>{SCRIPT}</script>")
    found = page.evaluate(
        "cases => cases.map(([inputs, values]) => crossoverCost.measure(inputs, values))",
        [[case.inputs, case.values] for case in cases],
    )
    page.close()
    states: set[str] = set()
    for seed, (case, theirs) in enumerate(zip(cases, found, strict=True)):
        ours = case.python()
        for arm in ARMS:
            spent = theirs["spent"][arm]
            assert bool(spent["unknown"]) == ours["unknown"][arm], seed
            assert same(spent["each"], ours["each"][arm]), seed
            assert all(same(spent["parts"][name], ours["parts"][arm][name]) for name in PARTS), seed
        assert ours["ratio"] is None or same(theirs["ratio"], ours["ratio"]), seed
        for name, (state, value, wins, now) in ours["even"].items():
            even = theirs["break_even"][name]
            assert (even["state"], even["wins"]) == (state, wins), (seed, name)
            assert same(even["value"], value), (seed, name)
            assert same(even["now"], now), (seed, name)
            states.add(f"{name} {state}")
    assert states >= {f"{name} unknown input" for name in assumptions.EVEN}
    assert states >= {f"{name} {state}" for name in ("hit_rate", "volume") for state in ("at", "already past", "never")}


# A run in the page

PRICES = {
    "legacy.small": Price("s", 0.02, 0.04, "a list", "assumed"),
    "legacy.large": Price("l", 0.1, 0.3, "a list", "assumed"),
    "direct.call": Price("d", None, None, "nobody has published one", "unknown"),
}


def step(kind: str, tokens: int = 100) -> Step:
    return Step(kind, "ok", 0.0, 0.1, completion=Completion("x", "m", Usage(tokens, 10)))


def a_run(*, task: str = "t", prices: Mapping[str, Price] = PRICES, steps: bool = True, **cost: Any) -> Run:
    """Forty requests to each arm, of which legacy answers thirty right and direct twenty."""
    settings = CostSettings(**cost)
    arms: dict[Arm, list[Any]] = {arm: [] for arm in ARMS}
    for n in range(40):
        kind = "small" if n % 4 else "large"
        hit = n % 5 == 0
        legacy = (Step("cache", "ok" if hit else "none", 0.0, 0.0), *(() if hit else (step(kind),)))
        arms["legacy"].append(row("legacy", n, f"i{n}", score=float(n < 30), task=task, steps=legacy))
        direct: dict[str, Any] = {"steps": (step("call"),)} if steps else {"usage": Usage(100, 10)}
        arms["direct"].append(row("direct", n, f"i{n}", score=float(n < 20), task=task, **direct))
    known: dict[Arm, dict[str, Price]] = {arm: {} for arm in ARMS}
    for place, price in prices.items():
        known["legacy" if place.startswith("legacy") else "direct"][place.partition(".")[2]] = price
    quality = {"estimate": -0.25, "low": -0.4, "high": -0.1, "word": "worse", "not_worse": False}
    measured = costs.measure(arms, prices=known, hardware={arm: {} for arm in ARMS}, settings=settings)
    report = {
        "provenance": {
            "scenario": {"cost": settings.model_dump(mode="json")},
            "prices": {name: asdict(each) for name, each in prices.items()},
            "hardware": {},
        },
        "maintenance": {"drills": None},
        "quality": {"questions_like_these": {"difference": quality}},
        "cost": measured,
    }  # fmt: skip
    rows = [json.loads(json.dumps(row_document(each))) for arm in ARMS for each in arms[arm]]
    return Run(report, rows, (), Path())


def test_the_totals_of_the_kept_rows_cost_what_the_run_says() -> None:
    run = a_run(wrong_answer_usd=0.01)
    settings = kept_cost.settings_of(run.report)
    rates = kept_cost.rates_of(run.report, settings)
    ledger = kept_cost.ledger_of(run.rows, rates, settings)
    spent = spending(ledger, ledger.totals(Draws()), rates, settings, Draws())
    assert spent["legacy"].per_decision[0] == pytest.approx(run.report["cost"]["legacy"]["per_decision_usd"])  # type: ignore[index]
    assert spent["direct"].unknown


def test_a_system_without_steps_has_its_tokens_counted_so_that_a_price_can_be_tried() -> None:
    text = assumptions.section(a_run(steps=False))
    data = json.loads(re.findall(r'id="cost-inputs">(.*?)</script>', text)[0])
    (call,) = data["arms"]["direct"]["calls"]
    assert call["used"] == [4000.0, 400.0, 40.0]
    assert data["values"]["direct.call.input_usd_per_mtok"] is None


def test_a_range_gives_the_ends_and_a_plain_number_a_tenth_and_ten_times() -> None:
    month = {"value": 1e6, "low": 5e5, "high": 3e6, "why": "a <guess>"}
    run = a_run(requests_per_month=month, engineering_usd_per_hour=90)
    text = assumptions.section(run)
    boxes = dict(re.findall(r'data-name="([^"]+)" (data-low="[^"]+" data-high="[^"]+")', text))
    assert boxes["requests_per_month"] == 'data-low="500000.0" data-high="3000000.0"'
    assert boxes["engineering_usd_per_hour"] == 'data-low="9.0" data-high="900.0"'
    assert "a &lt;guess&gt;; ends: the assumed range" in text
    assert "utilisation" not in boxes  # nothing is rented


def test_the_drills_hours_are_the_ends_of_the_hours() -> None:
    hours: dict[Arm, Range] = {arm: Range(value=10.0, low=4.0, high=20.0) for arm in ARMS}
    settings = CostSettings()
    data = {"values": dict.fromkeys(cost_inputs.PLAIN), "arms": {"legacy": {"steps_told": True}}}
    groups = assumptions.sliders({}, data, settings, hours)
    found = {each.name: each for each in groups["Each month"]}["legacy_engineering_hours_per_month"]
    assert (found.low, found.high, found.value) == (4.0, 20.0, None)
    assert "the 10 by the drills" in found.note


def test_a_run_whose_answers_cannot_be_judged_has_nothing_to_move() -> None:
    run = a_run()
    silent = [{**each, "score": None} for each in run.rows]
    text = assumptions.section(replace(run, rows=silent))
    assert "Nothing to move: no request is scored in both arms." in text
    assert "<form" not in text


@pytest.fixture
def show(opened: Open, tmp_path: Path) -> Show:
    """`with show(run) as page`: the section alone, on a narrow screen."""

    def show_(run: Run) -> AbstractContextManager[Any]:
        file = tmp_path / "page.html"
        body = f"{assumptions.section(run)}<script>{SCRIPT}</script>"
        file.write_text(f'<!doctype html><html lang="en"><meta charset="utf-8"><body>{body}</body></html>', "utf-8")
        return opened(file, width=375)

    return show_


def cell(page: Any, name: str) -> str:
    return str(page.locator(f'[data-cell="{name}"]').inner_text())


def test_a_slider_moves_by_key_and_what_was_not_known_becomes_known(show: Show) -> None:
    run = a_run()
    with show(run) as page:
        assert cell(page, "direct sum") == "not known"
        assert cell(page, "price wins").startswith("below $")
        assert "keep whatever the cost, since direct is worse in quality" in page.locator("#cost-said").inner_text()
        slide = page.locator('[data-name="direct.call.input_usd_per_mtok"] [type=range]')
        assert slide.get_attribute("aria-valuetext") == "not known"
        slide.focus()
        page.keyboard.press("ArrowRight")
        assert float(slide.get_attribute("aria-valuetext")) > 0.001
        assert cell(page, "direct sum") == "not known"  # the output price still is
        page.get_by_label("Direct's model, output price").last.fill("0.04")
        assert cell(page, "direct sum").startswith("$")
        assert "direct is the cheaper" in page.locator("#cost-said").inner_text()
        page.click("#cost-reset")
        assert cell(page, "direct sum") == "not known"
        legacy = run.report["cost"]["legacy"]["per_decision_usd"]
        assert float(cell(page, "legacy sum").removeprefix("$")) == pytest.approx(1000 * legacy, rel=1e-3)


def test_an_empty_field_is_not_known_and_an_impossible_number_changes_nothing(show: Show) -> None:
    with show(a_run()) as page:
        number = page.locator('[data-name="legacy.large.output_usd_per_mtok"] [type=number]')
        before = cell(page, "legacy sum")
        number.fill("-1")
        assert (number.get_attribute("aria-invalid"), cell(page, "legacy sum")) == ("true", before)
        number.fill("3")
        assert cell(page, "legacy sum") != before
        number.fill("")
        assert (number.get_attribute("aria-invalid"), cell(page, "legacy sum")) == ("false", "not known")
        harm = page.locator('[data-name="wrong_answer_usd"] [type=number]')
        harm.fill("")
        assert harm.get_attribute("aria-invalid") == "true"


def test_the_ends_of_a_slider_are_its_ends_and_zero_where_zero_was(show: Show) -> None:
    with show(a_run()) as page:
        harm = page.locator('[data-name="wrong_answer_usd"]')
        harm.locator("[type=range]").focus()
        page.keyboard.press("End")
        assert harm.locator("[type=number]").input_value() == "1"
        page.keyboard.press("Home")
        assert harm.locator("[type=number]").input_value() == "0"
        assert harm.locator("output").inner_text() == "as in the run"


def test_a_text_of_the_run_never_becomes_markup(show: Show) -> None:
    task = "</script><script>boom()</script>"
    with show(a_run(task=task, wrong_answer_usd={task: 0.5})) as page:
        assert page.locator("label", has_text=task).count() == 1
        assert cell(page, "legacy wrong_answers").startswith("$")
