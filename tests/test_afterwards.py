"""After both arms: no model is asked a question twice for a cause, money is bounded, what cannot be had says so."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp import web

from benchmarks.compare import compare, dry_run
from benchmarks.report import document
from benchmarks.report.explain import explain
from benchmarks.scenario import Scenario, load
from shared.errors import BadInput
from tests.legacy.test_semantic import HAS_EXTRA
from tests.openai_server import whole
from tests.targets.endpoint import Endpoint, added, serving, write_workload


class Sampled(Endpoint):
    """Models that never answer the same twice; all but `never_wrong` are wrong every second time.

    `status` gives what a model fails with at its so-manieth call; `silent` says of one whether it never answers, and
    then `hangs` is set. `calls` counts them by model and question.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.never_wrong = {"large"}
        self.status: Callable[[str, int], int | None] = lambda _model, _call: None
        self.silent: Callable[[str, int], bool] = lambda _model, _call: False
        self.hangs = threading.Event()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        model, text = body["model"], body["messages"][-1]["content"]
        self.calls[model, text] += 1
        call = self.asked_of(model)
        if self.silent(model, call):
            self.hangs.set()
            await asyncio.Event().wait()
        if status := self.status(model, call):
            return web.json_response({}, status=status)
        number = sum(self.calls.values())
        right = model in self.never_wrong or number % 2 == 0
        return web.json_response(whole(f"Take {number}: {added(text) if right else '-7'}"))

    def asked_of(self, model: str) -> int:
        return sum(count for (name, _), count in self.calls.items() if name == model)


@pytest.fixture
def models() -> Iterator[Sampled]:
    with serving(Sampled()) as endpoint:
        yield endpoint  # type: ignore[misc]


def scenario(folder: Path, models: Sampled, *, direct: str = "direct", legacy: str = "") -> Scenario:
    """Small first, so that everything is routed to the small model; a third of the requests are repeats."""
    place = f"http:{models.url}/v1#"
    file = folder / "crossover.toml"
    cascade = legacy or (
        f'small = "{place}small"\nsmall_price = {{ per_call = 0.01 }}\nlarge = "{place}large"\n'
        "large_price = { per_call = 0.01 }\nsettings.small_first = true\n"
    )
    file.write_text(
        f'[traffic]\nworkload = "{write_workload(folder / "sums", 40)}"\n[legacy]\n{cascade}'
        f'[direct]\nmodel = "{place}{direct}"\nprice = {{ per_call = 0.01 }}\n'
    )
    return load(file)


def read(out: Path) -> tuple[dict[str, Any], list[Any], list[Any]]:
    files = (out / "requests.jsonl", out / "counterfactuals.jsonl")
    rows = [[json.loads(line) for line in file.read_text().splitlines()] if file.exists() else [] for file in files]
    return json.loads((out / "report.json").read_text()), rows[0], rows[1]


def balanced(quality: dict[str, Any]) -> None:
    found = quality["attribution"]
    named = sum(found[name] or 0.0 for name in ("cache", "routing", "backend"))
    assert named + found["unattributed_points"] == pytest.approx(quality["difference"]["estimate"], abs=1e-9)


def test_chance_between_two_answers_of_a_model_is_no_effect(models: Sampled, tmp_path: Path) -> None:
    assert compare(scenario(tmp_path, models), tmp_path / "out") == 0
    report, rows, others = read(tmp_path / "out")
    quality, found = report["quality"], report["quality"]["attribution"]
    balanced(quality)
    assert {models.calls[key] for key in models.calls if key[0] in ("small", "large")} == {1}
    assert models.asked_of("large") == models.asked_of("small") == quality["questions"]
    assert found["cache"] == found["router_first"]["cache"] == 0.0
    assert found["cache_parts"]["harmless_hit"]["requests"] == quality["requests"] - quality["questions"] > 0
    legacy = [row for row in rows if row["arm"] == "legacy"]
    misrouted = [row["request"] for row in legacy if row["score"] == 0]
    assert found["routing_parts"]["misroute"]["requests"] == len(misrouted) > 0
    assert found["routing"] == pytest.approx(len(misrouted) / len(legacy))
    assert report["cost"]["legacy"]["usd_per_answer"] == pytest.approx(0.01 * quality["questions"] / len(legacy))
    schema = json.loads((Path(document.__file__).parent / "request.schema.json").read_text())
    for row in others:
        jsonschema.validate(row, schema)
        assert (row["latency_s"], row["cost_usd"]) == (None, None)
    texts = {(row["request"], row["arm"]): row["text"] for row in (*rows, *others)}
    assert all(texts[row["request"], "no_cache"] == row["text"] for row in legacy)
    assert Counter(row["arm"] for row in others) == dict.fromkeys(
        ("no_cache", "always_large", "large_with_cache"), len(legacy)
    )


def test_a_direct_model_that_is_the_large_one_has_answered_for_it(
    models: Sampled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The earliest of direct's answers stands for the large model: what its later ones score differently is chance."""
    models.never_wrong.clear()
    assert compare(scenario(tmp_path, models, direct="large"), tmp_path / "out") == 0
    report, rows, others = read(tmp_path / "out")
    direct = [row for row in rows if row["arm"] == "direct"]
    assert models.asked_of("large") == len(direct)
    earliest = {row["item"]: row for row in reversed(direct)}
    large = [row for row in others if row["arm"] == "always_large"]
    assert [row["text"] for row in large] == [earliest[row["item"]]["text"] for row in direct]
    chance = sum(row["score"] - earliest[row["item"]]["score"] for row in direct) / len(direct)
    found = report["quality"]["attribution"]
    assert found["backend"] == pytest.approx(chance) != 0
    assert found["same_model"]
    assert "always large (same model: what differs is chance)" in " ".join(capsys.readouterr().out.split())
    balanced(report["quality"])


def test_the_bound_holds_and_what_it_cuts_off_is_unattributed(
    models: Sampled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = scenario(tmp_path, models)
    assert compare(chosen, tmp_path / "free") == 0
    arms = sum(models.asked_of(model) for model in ("small", "direct"))
    models.calls.clear()
    bound = 0.01 * (arms + 5) + 0.0001
    assert compare(chosen, tmp_path / "out", max_usd=bound) == 0
    report, _, others = read(tmp_path / "out")
    assert models.asked_of("large") == 5
    assert 0.01 * sum(models.calls.values()) <= bound
    found = report["quality"]["attribution"]
    requests, lost = report["quality"]["requests"], found["unattributed"]
    assert lost == requests - len(others) / 3 > 0
    assert set(found["intervals"]["total"].values()) == {None}
    assert "would pass its" in found["reason"]
    assert f"{lost} requests unattributed: {found['reason']}" in report["provenance"]["notes"]
    told = " ".join(capsys.readouterr().out.split())
    assert f"Why, in this traffic, over {requests - lost} of {requests} requests: " in told
    assert f"are unattributed, {lost} requests: {found['reason']}. The effects" in told
    balanced(report["quality"])


@pytest.mark.parametrize(("status", "calls"), [(400, 3), (503, 6)])  # the large model is tried twice
def test_a_model_that_fails_is_not_guessed_and_not_asked_for_ever(
    models: Sampled, tmp_path: Path, status: int, calls: int, capsys: pytest.CaptureFixture[str]
) -> None:
    models.status = lambda model, _: status if model == "large" else None
    assert compare(scenario(tmp_path, models), tmp_path / "out") == 0
    report, rows, others = read(tmp_path / "out")
    found, requests = report["quality"]["attribution"], report["quality"]["requests"]
    assert models.asked_of("large") == calls
    assert others == []
    assert found["unattributed"] == requests
    assert f"answered {status}" in found["reason"]
    assert {found[name] for name in ("cache", "routing", "backend")} == {None}
    assert {each["effect"] for each in (*found["cache_parts"].values(), *found["routing_parts"].values())} == {None}
    for where in (found, found["questions_like_these"]):
        assert {end for each in where["intervals"].values() for end in each.values()} == {None}
    assert report["standing"]["/quality/attribution/cache"] == "unknown"
    jsonschema.validate(report, json.loads((Path(document.__file__).parent / "report.schema.json").read_text()))
    assert found["unattributed_points"] == pytest.approx(report["quality"]["difference"]["estimate"], abs=1e-9)
    told = " ".join(capsys.readouterr().out.split())
    assert f"Why: nothing could be attributed, {requests} requests: large at " in told
    assert "jointly" not in told
    with pytest.raises(BadInput, match=f"so it has no misroute: large at .* answered {status}"):
        explain(tmp_path / "out", "misroute")
    legacy = {row["request"]: row["score"] for row in rows if row["arm"] == "legacy"}
    differs = next(row for row in rows if row["arm"] == "direct" and row["score"] != legacy[row["request"]])
    assert explain(tmp_path / "out", str(differs["request"])) == 0
    assert f"cause: unattributed: {found['reason']}; " in capsys.readouterr().out


def test_a_short_outage_does_not_end_the_asking(models: Sampled, tmp_path: Path) -> None:
    models.status = lambda model, call: 400 if model == "large" and 3 <= call < 8 else None
    assert compare(scenario(tmp_path, models), tmp_path / "out") == 0
    found = read(tmp_path / "out")[0]["quality"]["attribution"]
    assert 0 < found["unattributed"] < found["requests"] / 2
    assert models.asked_of("large") > 10


def test_what_cannot_be_scored_is_not_asked_for(models: Sampled, tmp_path: Path) -> None:
    chosen = scenario(tmp_path, models)
    file = tmp_path / "sums" / "sums.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for scored in (len(lines) // 2, 0):
        file.write_text("".join(json.dumps(line | {"reference": None}) + "\n" for line in lines[scored:]))
        with file.open("a") as more:
            more.writelines(json.dumps(line) + "\n" for line in lines[:scored])
        models.calls.clear()
        assert compare(chosen, tmp_path / "out", repeats=2 if scored == 0 else 1) == 0
        report = read(tmp_path / "out")[0]
        quality = report["quality"]
        assert models.asked_of("large") == quality["scored"] < models.asked_of("small") == quality["questions"]
    assert models.asked_of("direct") == quality["requests"]
    assert quality["attribution"] is quality["noise_floor"] is None
    assert "nobody was asked again: quality is not measured" in " ".join(report["provenance"]["notes"])


def test_another_system_than_the_built_in_one_is_unattributed(
    models: Sampled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    legacy = f'kind = "http"\nbase_url = "{models.url}/v1"\nmodel = "small"\n'
    assert compare(scenario(tmp_path, models, legacy=legacy), tmp_path / "out") == 0
    report, rows, others = read(tmp_path / "out")
    assert report["quality"]["attribution"] is None
    why = "unattributed: legacy is of kind http: its models cannot be asked otherwise"
    assert why in report["provenance"]["notes"]
    assert others == []
    legacy_scores = {row["request"]: row["score"] for row in rows if row["arm"] == "legacy"}
    differs = next(row for row in rows if row["arm"] == "direct" and row["score"] != legacy_scores[row["request"]])
    capsys.readouterr()
    assert explain(tmp_path / "out", str(differs["request"])) == 0
    assert f"cause: {why}; " in capsys.readouterr().out
    assert models.asked_of("large") == 0


def test_what_belongs_to_other_rows_is_deleted(models: Sampled, tmp_path: Path) -> None:
    assert compare(scenario(tmp_path, models), tmp_path / "out") == 0
    assert (tmp_path / "out" / "counterfactuals.jsonl").exists()
    (tmp_path / "again").mkdir()
    legacy = f'kind = "http"\nbase_url = "{models.url}/v1"\nmodel = "small"\n'
    assert compare(scenario(tmp_path / "again", models, legacy=legacy), tmp_path / "out") == 0
    assert not (tmp_path / "out" / "counterfactuals.jsonl").exists()


def test_a_system_run_again_shows_its_noise(models: Sampled, tmp_path: Path) -> None:
    assert compare(scenario(tmp_path, models), tmp_path / "out", repeats=3) == 0
    report, rows, _ = read(tmp_path / "out")
    floor, questions = report["quality"]["noise_floor"], report["quality"]["questions"]
    assert models.asked_of("small") == 3 * questions  # each run begins with an empty cache
    assert models.asked_of("direct") == 3 * report["quality"]["requests"] == 3 * len(rows) / 2
    assert floor["floor"] == max(floor[arm]["difference"] for arm in ("legacy", "direct"))
    assert floor["legacy"]["runs"] == floor["direct"]["runs"] == 3
    assert 0 < floor["direct"]["flipped"] <= 1
    assert report["quality"]["noise_reasons"] == {"legacy": "", "direct": ""}


def test_an_interrupt_during_the_repeats_keeps_the_whole_runs(models: Sampled, tmp_path: Path) -> None:
    """Legacy has been asked again; direct falls silent in the middle of its second run; then Ctrl-C."""
    requests = 29  # of 40 questions, those of the test split and their repeats
    models.silent = lambda model, call: model == "direct" and call > requests + 5
    scenario(tmp_path, models)
    command = [sys.executable, "-m", "benchmarks", "compare", "crossover.toml", "--repeats", "2", "--out", "out"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        try:
            assert models.hangs.wait(60)
            run.send_signal(signal.SIGINT)
            shown, told = run.communicate(timeout=60)
        finally:
            run.kill()
    assert run.returncode == 130, told
    report = read(tmp_path / "out")[0]
    assert report["quality"]["requests"] == requests
    assert report["provenance"]["stopped"].startswith("interrupted during the repeats; ")
    floor = report["quality"]["noise_floor"]
    assert (floor["legacy"]["runs"], floor["direct"]) == (2, None)
    assert report["quality"]["noise_reasons"] == {"legacy": "", "direct": "cut short"}
    assert re.search(r"noise floor \d+\.\d of legacy alone", " ".join(shown.split()))


def test_recordings_and_a_run_that_the_bound_cuts_short_have_no_noise_floor(
    models: Sampled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = load(limit=20)
    assert compare(chosen, tmp_path / "recorded", repeats=2) == 0
    assert read(tmp_path / "recorded")[0]["quality"]["noise_floor"] is None
    assert read(tmp_path / "recorded")[0]["quality"]["noise_reasons"]["direct"] == "recorded answers repeat exactly"
    assert "noise floor not measured" in " ".join(capsys.readouterr().out.split())
    assert compare(scenario(tmp_path, models), tmp_path / "once") == 0
    assert read(tmp_path / "once")[0]["quality"]["noise_reasons"]["direct"] == "asked once, see --repeats"
    assert "noise floor not measured" in " ".join(capsys.readouterr().out.split())
    models.calls.clear()
    assert compare(load(tmp_path / "crossover.toml"), tmp_path / "out", repeats=2, max_usd=0.95) == 0
    report = read(tmp_path / "out")[0]
    assert sum(models.calls.values()) <= 95
    assert any("one of direct was cut short" in note for note in report["provenance"]["notes"])
    assert report["quality"]["noise_floor"]["direct"] is None
    assert report["quality"]["noise_reasons"] == {"legacy": "", "direct": "cut short"}
    assert report["quality"]["noise_floor"]["legacy"]["runs"] == 2


def test_routing_is_measured_where_both_models_answers_are_there_for_free(models: Sampled, tmp_path: Path) -> None:
    assert compare(load(limit=300), tmp_path / "recorded") == 0
    found = read(tmp_path / "recorded")[0]["quality"]["routing"]
    assert 0 <= found["apgr_low"] <= found["apgr"] <= found["apgr_high"] <= 1
    assert 0 < found["cpt50"] <= found["cpt80"] <= 1
    assert compare(scenario(tmp_path, models), tmp_path / "out") == 0
    assert read(tmp_path / "out")[0]["quality"]["routing"] is None


def test_a_dry_run_counts_what_is_asked_again(
    models: Sampled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = scenario(tmp_path, models)
    calls = []
    for repeats in (1, 3):
        assert dry_run(chosen, repeats) == 0
        told = capsys.readouterr().out
        calls.append([int(line.split("<=")[1].split()[0]) for line in told.splitlines() if "<=" in line])
    assert calls[1] == [3 * each for each in calls[0]]
    assert "causes of the difference" in told
    assert models.calls == {}


class Counting(Endpoint):
    """Counts the words of a question, which a paraphrase changes."""

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        text = (await request.json())["messages"][-1]["content"]
        return web.json_response(whole(str(len(text.split()))))


@pytest.mark.skipif(not HAS_EXTRA, reason="needs the extra `semantic`")
def test_a_semantic_hit_on_a_question_with_another_answer_is_a_false_hit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each pair means the same, and the gate says so; the wording decides, so the answers differ all the same."""
    folder = tmp_path / "workload"
    folder.mkdir()
    (folder / "tasks.toml").write_text('[words]\nscorer = "numeric"\ninstruction = "Count the words."\n')
    beside = {"author": "a", "source": "own", "licence": "x"}
    with (folder / "words.jsonl").open("w") as file:
        for place in ("France", "Spain", "Italy", "Norway", "Poland", "Greece", "Japan", "Peru"):
            for n, text in enumerate(
                (f"What is the capital of {place}?", f"Please tell me what the capital of {place} is.")
            ):
                item = {"id": f"{place}{n}", "group": place, "input": text, "reference": len(text.split()), **beside}
                file.write(json.dumps(item) + "\n")
    with serving(Counting()) as server:
        place = f"http:{server.url}/v1#"
        for tasks in ("words", "other"):
            (tmp_path / "crossover.toml").write_text(
                f'[traffic]\nworkload = "workload"\n[legacy]\nsmall = "{place}small"\nlarge = "{place}large"\n'
                f'settings.semantic = true\nsettings.semantic_tasks = ["{tasks}"]\n[direct]\nmodel = "{place}direct"\n'
            )
            assert compare(load(tmp_path / "crossover.toml"), tmp_path / tasks) == 0
    report, rows, others = read(tmp_path / "words")
    found = report["quality"]["attribution"]
    false = found["cache_parts"]["false_hit"]
    assert false["requests"] > 0
    assert false["effect"] == found["cache"] == pytest.approx(report["quality"]["difference"]["estimate"])
    assert false["effect"] > 0
    served = [
        row for row in rows if any(step["kind"] == "similar" and step["outcome"] == "ok" for step in row["steps"])
    ]
    fresh = {row["request"]: row["text"] for row in others if row["arm"] == "no_cache"}
    assert len(served) == false["requests"]
    assert all(row["text"] != fresh[row["request"]] for row in served)
    assert "legacy loses" in (told := " ".join(capsys.readouterr().out.split()))
    assert "by false hits" in told
    note = "the semantic cache matches nothing: semantic_tasks names none of the tasks words"
    assert note not in report["provenance"]["notes"]
    other = read(tmp_path / "other")[0]
    assert note in other["provenance"]["notes"]
    assert other["quality"]["attribution"]["cache_parts"]["false_hit"]["requests"] == 0


def test_an_interrupt_while_causes_are_looked_for_keeps_the_report(models: Sampled, tmp_path: Path) -> None:
    """The large model never answers; then Ctrl-C."""
    scenario(tmp_path, models)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        place = f"http:http://127.0.0.1:{silent.getsockname()[1]}/v1#large"
        command = [sys.executable, "-m", "benchmarks", "compare", "crossover.toml", "--large", place, "--out", "out"]
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
            try:
                connection, _ = silent.accept()
                with connection:
                    run.send_signal(signal.SIGINT)
                    _, told = run.communicate(timeout=60)
            finally:
                run.kill()
    assert run.returncode == 130, told
    report, rows, others = read(tmp_path / "out")
    assert report["provenance"]["stopped"].startswith("interrupted while the causes were looked for; both were asked ")
    assert report["quality"]["attribution"]["unattributed"] == report["quality"]["requests"] == len(rows) / 2
    assert others == []
    balanced(report["quality"])
