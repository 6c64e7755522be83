"""After both arms: no model is asked a question twice for a cause, money is bounded, what cannot be had says so."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp import web

from benchmarks.compare import compare, dry_run
from benchmarks.report import document
from benchmarks.report.explain import explain
from benchmarks.scenario import Scenario, load
from tests.openai_server import whole
from tests.targets.endpoint import Endpoint, added, serving, write_workload


class Sampled(Endpoint):
    """Models that never answer the same twice, one of which is wrong every second time; `broken` models fail.

    `calls` counts them by model and question.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.broken: set[str] = set()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        model, text = body["model"], body["messages"][-1]["content"]
        self.calls[model, text] += 1
        if model in self.broken:
            return web.json_response({}, status=400)
        number = sum(self.calls.values())
        right = model == "large" or number % 2 == 0
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
    named = sum(found[name] for name in ("cache", "routing", "backend"))
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


def test_a_direct_model_that_is_the_large_one_has_answered_for_it(models: Sampled, tmp_path: Path) -> None:
    assert compare(scenario(tmp_path, models, direct="large"), tmp_path / "out") == 0
    report, rows, _ = read(tmp_path / "out")
    assert models.asked_of("large") == sum(row["arm"] == "direct" for row in rows)
    assert report["quality"]["attribution"]["backend"] == 0.0
    balanced(report["quality"])


def test_the_bound_holds_and_what_it_cuts_off_is_unattributed(models: Sampled, tmp_path: Path) -> None:
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
    assert found["unattributed"] == report["quality"]["requests"] - len(others) / 3 > 0
    balanced(report["quality"])


def test_a_model_that_fails_is_not_guessed_and_not_asked_for_ever(
    models: Sampled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models.broken.add("large")
    assert compare(scenario(tmp_path, models), tmp_path / "out") == 0
    report, rows, others = read(tmp_path / "out")
    found = report["quality"]["attribution"]
    assert models.asked_of("large") == 3
    assert others == []
    assert found["unattributed"] == report["quality"]["requests"]
    assert found["unattributed_points"] == pytest.approx(report["quality"]["difference"]["estimate"], abs=1e-9)
    capsys.readouterr()
    legacy = {row["request"]: row["score"] for row in rows if row["arm"] == "legacy"}
    differs = next(row for row in rows if row["arm"] == "direct" and row["score"] != legacy[row["request"]])
    assert explain(tmp_path / "out", str(differs["request"])) == 0
    assert "cause: unattributed: its counterfactual answers could not be had; " in capsys.readouterr().out


def test_a_system_that_exposes_no_steps_is_unattributed(models: Sampled, tmp_path: Path) -> None:
    legacy = f'kind = "http"\nbase_url = "{models.url}/v1"\nmodel = "small"\n'
    assert compare(scenario(tmp_path, models, legacy=legacy), tmp_path / "out") == 0
    report, _, others = read(tmp_path / "out")
    assert report["quality"]["attribution"] is None
    assert "unattributed: the target exposes no steps" in report["provenance"]["notes"]
    assert others == []
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


def test_recordings_and_a_run_that_the_bound_cuts_short_have_no_noise_floor(models: Sampled, tmp_path: Path) -> None:
    chosen = load(limit=20)
    assert compare(chosen, tmp_path / "recorded", repeats=2) == 0
    report = read(tmp_path / "recorded")[0]
    assert report["quality"]["noise_floor"] is None
    for arm in ("legacy", "direct"):
        assert f"noise floor of {arm} not measured: recorded answers repeat exactly" in report["provenance"]["notes"]
    assert compare(scenario(tmp_path, models), tmp_path / "out", repeats=2, max_usd=0.95) == 0
    report = read(tmp_path / "out")[0]
    assert sum(models.calls.values()) <= 95
    assert any("one of direct was cut short" in note for note in report["provenance"]["notes"])
    assert report["quality"]["noise_floor"]["direct"] is None
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
    assert report["provenance"]["stopped"].startswith("interrupted; both were asked ")
    assert report["quality"]["attribution"]["unattributed"] == report["quality"]["requests"] == len(rows) / 2
    assert others == []
    balanced(report["quality"])
