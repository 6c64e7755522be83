"""The surface of whole trees: this clone's two pipelines, a scenario's sources, any folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import compare, scenario
from benchmarks.maintenance import closures, surface, surface_text
from benchmarks.maintenance.surface import OPTIONAL, ROOT, lines_of_code
from benchmarks.scenario import ARMS
from legacy_pipeline.settings import Settings
from shared.errors import BadInput


@pytest.fixture(scope="module")
def measured() -> Any:
    return surface.measure_scenario(scenario.load())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three files of source, one of which cannot be read, and a test."""
    files = {
        "src/a.py": "def f(x):\n    return x or 1\n",
        "src/deep/b.py": "import os\nKEY = os.environ['KEY']\n",
        "src/bad.py": "def f(:\n",
        "tests/test_a.py": "def test_f():\n    assert f(1)\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_every_tree_has_the_same_keys_and_is_json(measured: Any, tree: Path) -> None:
    for each in (*measured.values(), surface.of_path(tree)):
        assert set(each) == set(surface.KEYS)
        assert set(each["third_party"]) == set(measured["legacy"]["third_party"])
        json.dumps(each, allow_nan=False)


def test_switched_off_features_are_there_and_weigh_nothing(measured: Any) -> None:
    legacy = measured["legacy"]
    files = sorted((ROOT / "legacy_pipeline").glob("*.py"))
    assert legacy["files"] + legacy["optional"]["files"] == len(files)
    assert legacy["lines"] + legacy["optional"]["lines"] == sum(map(lines_of_code, files))
    assert legacy["optional"]["lines"] == sum(lines_of_code(file) for file in files if file.name in OPTIONAL) > 0
    names = [name.partition(".")[2] for name in (*legacy["settings"], *legacy["optional"]["settings"])]
    assert sorted(names) == sorted(Settings.model_fields)
    assert {"Settings.semantic_tasks", "Settings.abstain"} <= set(legacy["optional"]["settings"])
    assert "Settings.cache_ttl_s" in legacy["settings"]
    tests = [file for file in (ROOT / "tests" / "legacy").glob("*.py") if file.stat().st_size]
    assert legacy["tests"]["files"] + legacy["optional"]["tests"]["files"] == len(tests)


def test_a_setting_is_off_where_its_default_says_so_or_it_hangs_on_one() -> None:
    off = surface._off(Settings())
    semantic = {"semantic", "semantic_tasks", "semantic_threshold"}
    assert off == {"abstain", "escalate_below", "small_first"} | semantic
    on = Settings(semantic=True, semantic_threshold=0.0, abstain=0.05)
    assert surface._off(on) == {"escalate_below", "small_first"}


def test_the_artefact_of_the_default_preset_names_the_data_that_it_depends_on(measured: Any) -> None:
    (name, data) = next(iter(measured["legacy"]["artefacts"].items()))
    held = json.loads((ROOT / "legacy_pipeline" / "artefacts" / name).read_text())
    assert data == [
        f"workload builtin {held['made']['workload_version']}", f"answers of {held['small']}",
        f"answers of {held['large']}",
    ]  # fmt: skip
    places = scenario.load().places
    assert name == f"{places['small'].partition(':')[2]}+{places['large'].partition(':')[2]}.json"
    assert "likeness.json" in measured["legacy"]["optional"]["artefacts"]
    assert measured["direct"]["artefacts"] == {}


def test_legacy_keeps_one_store_however_often_its_file_is_opened(measured: Any) -> None:
    assert measured["legacy"]["stores"] == {"diskcache.Cache": 1}
    assert measured["direct"]["stores"] == {}


def test_a_second_try_and_work_for_later_are_handlers_on_either_side(measured: Any) -> None:
    legacy, direct = (measured[arm]["handled"] for arm in ARMS)
    assert direct == {"types": {"BackendUnavailable": 1}, "handlers": 1, "broad": 0, "bare": 0, "empty": 0}
    assert legacy["types"]["BackendUnavailable"] == 1


def test_a_clone_without_its_tests_does_not_know_them(measured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface, "TESTS", Path("gone"))
    found: Any = surface.measure_scenario(scenario.load())
    nothing = {"files": None, "lines": None}
    assert found["legacy"]["tests"] == found["direct"]["tests"] == {**nothing, "shared": nothing}
    assert found["legacy"]["optional"]["tests"] == nothing
    assert found["legacy"]["optional"]["lines"] == measured["legacy"]["optional"]["lines"]
    tables = surface_text.tables(ARMS, list(found.values()))
    assert ("tests, lines", "not known", "not known", "") in tables[0].rows


def test_both_sides_are_counted_by_the_same_rules(measured: Any) -> None:
    direct = measured["direct"]
    assert direct["external_calls"] == {"model: call": 1}
    assert measured["legacy"]["external_calls"] == {"model: large": 1, "model: small": 1}
    assert direct["tests"]["shared"] == measured["legacy"]["tests"]["shared"]
    assert direct["tests"]["shared"]["lines"] > 0
    for arm in ARMS:
        found = measured[arm]
        assert found["lines"] == sum(
            lines_of_code(file) for file in (ROOT / f"{arm}_pipeline").glob("*.py") if file.name not in OPTIONAL
        )
        assert found["functions"] == sum(found["cyclomatic"]["histogram"].values())
        assert found["functions"] >= sum(found["cognitive"]["histogram"].values())
        assert found["failure_modes"] is None
        assert found["unreadable"] == {}


def test_an_unreadable_file_is_named_and_counts_nowhere(tree: Path) -> None:
    found = surface.of_path(tree)
    assert found["unreadable"] == {"src/bad.py": "SyntaxError: invalid syntax, line 1"}
    assert (found["files"], found["lines"], found["functions"]) == (2, 4, 1)
    assert found["tests"] == {"files": 1, "lines": 2, "shared": None}
    assert found["environment"] == ["KEY"]
    assert found["cyclomatic"]["largest_in"] == "src/a.py: f"
    for key in ("artefacts", "failure_modes", "optional", "imports"):
        assert found[key] is None


def test_a_tree_of_which_nothing_can_be_read_is_no_tree_of_nothing(tree: Path) -> None:
    with pytest.raises(BadInput, match=r"none of 1 Python files .*; bad\.py: SyntaxError"):
        surface.of_path(tree / "src" / "bad.py")
    with pytest.raises(BadInput, match="none of 0 Python files that are no tests"):
        surface.of_path(tree / "tests" / "test_a.py")


def test_calls_of_the_package_around_a_folder_are_not_outside(tmp_path: Path) -> None:
    folder = tmp_path / "litellm" / "no_package" / "router"
    folder.mkdir(parents=True)
    (tmp_path / "litellm" / "__init__.py").touch()
    (folder / "a.py").write_text("import httpx, litellm\nlitellm.completion()\nhttpx.get('u')\n")
    assert surface.of_path(folder)["external_calls"] == {"httpx.get": 1}


# Scenarios

SOURCES = """
[legacy]
kind = "python"
callable = "a.b:c"
source = ["src/**/*.py", "tests/*.py"]
[direct]
kind = "http"
base_url = "http://127.0.0.1:1/v1"
model = "m"
"""


def load(folder: Path, text: str) -> scenario.Scenario:
    file = folder / "crossover.toml"
    file.write_text(text)
    return scenario.load(file)


def test_an_arm_is_measured_by_its_source_or_not_at_all(tree: Path) -> None:
    found = surface.measure_scenario(load(tree, SOURCES))
    assert found["direct"] is None
    legacy = found["legacy"]
    assert legacy is not None
    assert (legacy["files"], legacy["tests"]["files"], list(legacy["unreadable"])) == (2, 1, ["src/bad.py"])


def test_a_built_in_arm_is_measured_in_this_clone(tree: Path, measured: Any) -> None:
    found = surface.measure_scenario(load(tree, SOURCES.partition("[direct]")[0]))
    assert found["direct"] == measured["direct"]


def test_what_a_scenario_switches_on_is_in_its_headline(tree: Path, measured: Any) -> None:
    text = """
    [legacy]
    small = "litellm:openai/gpt-4o-mini"
    large = "litellm:openai/gpt-4o"
    settings = { semantic = true, abstain = 0.05 }
    """
    default, found = measured["legacy"], surface.measure_scenario(load(tree, text))["legacy"]
    assert found is not None
    assert found["optional"]["settings"] == ["Settings.escalate_below", "Settings.small_first"]
    assert (found["optional"]["lines"], found["optional"]["tests"]["lines"]) == (0, 0)
    assert found["lines"] == default["lines"] + default["optional"]["lines"]
    assert found["tests"]["lines"] == default["tests"]["lines"] + default["optional"]["tests"]["lines"]
    assert list(found["artefacts"]) == ["likeness.json"], "no classifier is trained for these two models"
    assert "qwen-0.5b+qwen-1.5b.json" in found["optional"]["artefacts"]
    more = closures.difference(found, default)["pipeline"]["legacy_only"]
    assert {"onnxruntime", "tokenizers"} <= set(more)
    assert "legacy_pipeline.semantic" in found["imports"]["modules"]


def test_the_artefact_is_that_of_the_scenario_s_models(tree: Path) -> None:
    found = surface.measure_scenario(load(tree, 'preset = "between"\n'))["legacy"]
    assert found is not None
    assert list(found["artefacts"]) == ["smollm2-135m+qwen-1.5b.json"]
    one_model = '[legacy]\nsmall = "recorded:qwen-0.5b"\nlarge = "recorded:qwen-0.5b"\n'
    found = surface.measure_scenario(load(tree, one_model))["legacy"]
    assert found is not None
    assert found["artefacts"] == {}


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"made": {}}', b'{"made": 3}', b"\xff"])
def test_an_artefact_that_does_not_say_what_it_was_made_from_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a+b.json"
    file.write_bytes(content)
    with pytest.raises(BadInput, match=r"a\+b\.json does not say what it was made from"):
        surface._data(file)


def test_a_source_outside_the_folder_is_named_from_above(tree: Path) -> None:
    (tree / "where").mkdir()
    text = SOURCES.replace('"src/**/*.py", "tests/*.py"', '"../src/*.py"')
    found = surface.measure_scenario(load(tree / "where", text))["legacy"]
    assert found is not None
    assert found["cyclomatic"]["largest_in"] == "src/a.py: f"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('["nope/*.py"]', r"line 5: key `legacy\.source`: 'nope/\*\.py' matches no Python file"),
        ('["src"]', "'src' matches no Python file"),
        ('["/src/*.py"]', r"line 5: key `legacy\.source\.0`: this is no pattern"),
        ('["**src/*.py"]', "this is no pattern"),
        ('["."]', "this is no pattern"),
        ('[""]', "source"),
        ("[3]", "a text in quotes is needed"),
        ("3", r"line 5: key `legacy\.source`: a list is needed"),
    ],
)
def test_a_wrong_source_is_named_by_its_line(tree: Path, written: str, message: str) -> None:
    text = SOURCES.replace('["src/**/*.py", "tests/*.py"]', written)
    with pytest.raises(BadInput, match=message):
        compare.check_arms(load(tree, text))
    with pytest.raises(BadInput, match=message):
        surface.measure_scenario(load(tree, text))


def test_a_built_in_arm_has_no_source_of_its_own(tree: Path) -> None:
    with pytest.raises(BadInput, match=r"line 3: key `direct\.source`"):
        load(tree, '[direct]\nkind = "builtin"\nsource = ["src/*.py"]\n')


# As text


def test_what_is_not_known_is_said_and_never_subtracted(tree: Path) -> None:
    table, behind = surface_text.tables(["one", "two"], [surface.of_path(tree), None])
    for row in table.rows:
        assert row[2] == "not known"
        assert row[3] == ""
    assert {row[2] for row in behind.rows} == {"not known"}
    assert ("files", "2", "not known", "") in table.rows


def test_the_tables_say_what_was_measured(measured: Any) -> None:
    table, behind = surface_text.tables(ARMS, [measured[arm] for arm in ARMS])
    rows = {row[0]: row[1:] for row in table.rows}
    lines = [measured[arm]["lines"] for arm in ARMS]
    assert rows["source lines"] == (f"{lines[0]:,}", f"{lines[1]:,}", f"{lines[1] - lines[0]:+,}")
    assert rows["failure modes"] == ("not known", "not known", "")
    ways = measured["legacy"]["third_party"]["ways"], measured["direct"]["third_party"]["ways"]
    for way, difference in closures.difference(*(measured[arm] for arm in ARMS)).items():
        counts = [each[way]["count"] for each in ways]
        assert rows[f"distributions, {way}"][2] == f"{counts[1] - counts[0]:+,}"
        assert len(difference["legacy_only"]) - len(difference["direct_only"]) == counts[0] - counts[1]
    names = {row[0]: row[1:] for row in behind.rows}
    assert names["settings"] == (", ".join(measured["legacy"]["settings"]), "none")
    assert "diskcache" in names["distributions that only it needs"][0]
    released = [row for row in table.rows if row[0] == "  oldest last release"]
    assert len(released) == len(ways[0])
    for row, each in zip(released, ways[0].values(), strict=True):
        assert row[1] == f"{each['oldest']['released']}, {each['oldest']['name']}"


def test_failure_modes_are_shown_by_outcome(measured: Any) -> None:
    known = {**measured["legacy"], "failure_modes": {"degraded": 3, "failed": 2}}
    table, behind = surface_text.tables(ARMS, [known, measured["direct"]])
    assert ("failure modes", "5", "not known", "") in table.rows
    assert ("failure modes by outcome", "degraded 3, failed 2", "not known") in behind.rows


def test_rows_of_this_clone_only_are_left_out_of_other_trees(tree: Path) -> None:
    found = surface.of_path(tree)
    table, _ = surface_text.tables(["one", "two"], [found, found])
    names = {row[0] for row in table.rows}
    assert "switched off: settings" not in names
    assert {"trained artefacts", "failure modes", "distributions, imported"} <= names
