"""The drills' engine: what it counts, what it refuses, and that nothing passes by mistake."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from benchmarks.commands import drills as command
from benchmarks.maintenance import drill_text, drills, hours
from benchmarks.maintenance.drill_play import play
from benchmarks.maintenance.drills import DEPLOYMENT, RECORDED, ROOT
from benchmarks.scenario import ARMS
from benchmarks.table_text import markdown
from shared.errors import BadInput
from tests.maintenance.drilled import CALLED, change, made_up, swapped, written

STEP = 'title = "x"\nfavours = "both"\n[[legacy.steps]]\n'
SETTINGS = "legacy_pipeline/settings.py"


def test_the_drills_are_those_of_the_list() -> None:
    listed = re.findall(r"^\| (\d\d-[a-z-]+) \|", (drills.FOLDER / "README.md").read_text(), re.MULTILINE)
    assert listed == [drill.name for drill in drills.drills()]


def test_what_is_recorded_is_what_the_files_come_to() -> None:
    """And was played with these very files: `crossover drills --json` writes it anew."""
    recorded, counted = json.loads(RECORDED.read_text()), drills.count()
    for drill in counted["drills"].values():
        for arm in ARMS:
            del drill[arm]["diff"]
    assert recorded == counted | hours.figures(counted)
    assert all(drill[arm]["passed"] for drill in recorded["drills"].values() for arm in ARMS)


def test_the_page_holds_the_recorded_tables() -> None:
    held = (
        (ROOT / "docs" / "drills.md").read_text().partition("<!-- tables -->\n")[2].partition("\n<!-- /tables -->")[0]
    )
    wanted = markdown(drill_text.tables(json.loads(RECORDED.read_text())))
    assert held == wanted, "put what `crossover drills --markdown` prints between the marks of docs/drills.md"


def test_counts_of_a_change(tmp_path: Path) -> None:
    knob = swapped(SETTINGS, "    small_first: bool", "    patience: int = 3\n    small_first: bool")
    toml = (
        'title = "made up"\nfavours = "legacy"\n[[legacy.steps]]\nkind = "retrain"\nwhat = "again"\n'
        'artefact = "legacy_pipeline/artefacts/x.json"\n'
    )
    written(tmp_path, legacy=knob + change("legacy"), direct="", toml=toml)
    document = drills.count(folder=tmp_path)
    legacy, direct = (document["drills"][CALLED][arm] for arm in ARMS)
    assert legacy | {"diff": ""} == {
        "files": 2,
        "hunks": 2,
        "lines_added": 2,
        "lines_removed": 1,
        "creates": [],
        "settings": {
            "added": ["legacy_pipeline.Settings.patience"],
            "removed": [],
            "changed": ["deployment.legacy.small"],
        },
        "artefacts": ["legacy_pipeline/artefacts/x.json"],
        "steps": [
            {"kind": "retrain", "what": "again", "run": False},
            {"kind": "redeploy", "what": drills.REDEPLOY.what, "run": False},
        ],
        "passed": None,
        "diff": "",
    }
    assert direct["files"] == direct["hunks"] == direct["lines_added"] == 0
    assert direct["steps"] == []
    assert list(document["summary"]) == ["all"]
    summed = document["summary"]["all"]
    assert (summed["legacy"]["no_change"], summed["direct"]["no_change"]) == (0, 1)
    assert (summed["legacy"]["fewer_lines"], summed["direct"]["fewer_lines"]) == (0, 1)
    assert summed["legacy"]["settings"] == 2
    assert {kind: number for kind, number in summed["legacy"]["steps"].items() if number} == {
        "retrain": 1,
        "redeploy": 1,
    }
    assert (summed["legacy"]["artefacts"], summed["legacy"]["trained_here"]) == (1, 0)


def test_a_removed_setting_is_counted(tmp_path: Path) -> None:
    line = next(line for line in (ROOT / SETTINGS).read_text().splitlines() if "semantic: bool" in line)
    written(tmp_path, legacy=swapped(SETTINGS, f"{line}\n", ""))
    counted = drills.count(folder=tmp_path)["drills"][CALLED]["legacy"]
    assert counted["settings"]["removed"] == ["legacy_pipeline.Settings.semantic"]


def test_other_words_about_a_setting_change_none(tmp_path: Path) -> None:
    words = swapped(SETTINGS, "Bytes on disk; the oldest go first.", "Bytes on disk.")
    bound = swapped(SETTINGS, "ge=1 << 20", "ge=1 << 10")
    for patch, changed in ((words, []), (bound, ["legacy_pipeline.Settings.cache_size_bytes"])):
        written(tmp_path, legacy=patch)
        assert drills.count(folder=tmp_path)["drills"][CALLED]["legacy"]["settings"]["changed"] == changed
        shutil.rmtree(tmp_path / CALLED)


def test_a_new_file_is_counted_as_one(tmp_path: Path) -> None:
    new = "diff --git a/direct_pipeline/x.py b/direct_pipeline/x.py\nnew file mode 100644\n--- /dev/null\n"
    written(tmp_path, direct=new + "+++ b/direct_pipeline/x.py\n@@ -0,0 +1 @@\n+x = 1\n")
    document = drills.count(folder=tmp_path)
    assert document["drills"][CALLED]["direct"]["creates"] == ["direct_pipeline/x.py"]
    assert document["summary"]["both"]["direct"]["creates"] == {"direct_pipeline/x.py": 1}


def test_a_change_to_any_file_of_a_drill_makes_its_record_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, record = written(tmp_path), tmp_path / "recorded.json"
    monkeypatch.setattr(drills, "RECORDED", record)

    def passed() -> list[bool | None]:
        drill = drills.count(folder=tmp_path)["drills"][CALLED]
        return [drill[arm]["passed"] for arm in ARMS]

    (drill,) = drills.drills(folder=tmp_path)
    record.write_text(
        json.dumps({"played": None, "drills": {CALLED: drills.counted(drill, dict.fromkeys(ARMS, True))}})
    )
    assert passed() == [True, True]
    for name in ("legacy.patch", "direct.patch", "test_acceptance.py", "drill.toml"):
        kept = (folder / name).read_text()
        (folder / name).write_text("" if name.endswith("patch") else f"{kept}\n")
        assert passed() == [None, None], name
        (folder / name).write_text(kept)
    assert passed() == [True, True]
    record.write_text("")
    with pytest.raises(BadInput, match=r"recorded\.json is no JSON; write it again"):
        drills.count(folder=tmp_path)


@pytest.mark.parametrize(
    ("test", "legacy", "reason"),
    [
        ("def test_it(side): pass", None, "without the change the test must fail, and it does not (exit code 0)"),
        ("import nowhere", None, "without the change the test must fail, and it does not (exit code 2)"),
        ("x = 1", None, "without the change the test must fail, and it does not (exit code 5)"),
        ("def test_it(side): assert 0", None, "the test fails with the change made (exit code 1)"),
        ("def test_it(side): assert 0", "", "nothing is changed, and the test fails (exit code 1)"),
    ],
    ids=["passes before", "not collected", "no test", "fails after", "fails unchanged"],
)
def test_a_test_that_does_not_judge_is_a_failure(test: str, legacy: str | None, reason: str, tmp_path: Path) -> None:
    drill = made_up(tmp_path, test=test, **({} if legacy is None else {"legacy": legacy}))
    got = asyncio.run(play(drill, "legacy"))
    assert got.reason == reason
    assert "in " in got.output
    assert not got.passed


def test_a_patch_for_other_code_is_a_failure(tmp_path: Path) -> None:
    drill = made_up(tmp_path, legacy=change("legacy").replace("-small", "-tiny"))
    got = asyncio.run(play(drill, "legacy"))
    assert got.reason == f"the patch does not apply: {DEPLOYMENT}: the lines of hunk 1 are not there"
    counted = drills.count(folder=tmp_path)
    assert counted["drills"][CALLED]["legacy"]["settings"] is counted["summary"]["all"]["legacy"]["settings"] is None


@pytest.mark.parametrize(
    ("run", "reason"),
    [('["crossover", "cache", "nonsense"]', "failed (exit code 2)"), ('["crossover", "--help"]', "did not write x")],
)
def test_a_command_that_fails_or_trains_nothing_is_a_failure(run: str, reason: str, tmp_path: Path) -> None:
    step = f'[[legacy.steps]]\nkind = "retrain"\nwhat = "again"\nartefact = "x"\nrun = {run}\n'
    drill = made_up(tmp_path, toml=f'title = "made up"\nfavours = "both"\n{step}')
    assert asyncio.run(play(drill, "legacy")).reason.endswith(reason)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"legacy": change("legacy").replace(DEPLOYMENT, "direct_pipeline/x.py")}, "changes direct_pipeline/x.py"),
        ({"direct": change("direct").replace(DEPLOYMENT, "tests/x.py")}, r"changes tests/x\.py"),
        ({"direct": change("direct").replace(DEPLOYMENT, "shared/../x.py")}, "changes shared/"),
        ({"direct": change("direct").replace(DEPLOYMENT, "shared/run.py")}, "change shared/ differently"),
        ({"toml": 'title = "x"\nfavours = "neither"\n'}, "line 2: key `favours`"),
        ({"toml": 'title = "x"\n'}, "key `favours`: this key is needed"),
        ({"toml": f'{STEP}kind = "redeploy"\nwhat = "x"\n'}, "leave it out"),
        ({"toml": f'{STEP}kind = "retrain"\nwhat = "x"\n'}, "artefact names"),
        ({"toml": f'{STEP}kind = "purge"\nwhat = "x"\nrun = ["rm", "x"]\n'}, "run must be a command line of this repo"),
        ({"test": None}, r"test_acceptance\.py is missing"),
    ],
)
def test_what_is_no_drill_is_refused(parts: dict[str, Any], message: str, tmp_path: Path) -> None:
    written(tmp_path, **parts)
    with pytest.raises(BadInput, match=message):
        drills.drills(folder=tmp_path)


def test_an_unknown_drill_is_named_with_its_neighbour() -> None:
    with pytest.raises(BadInput, match="did you mean `07-roll-a-model-back`"):
        drills.drills(["07-roll-a-model"])


HANGS = """
import os, pathlib, time

def test_it(side):
    pathlib.Path(os.environ["WHERE"]).write_text(str(os.getpid()))
    time.sleep(600)
"""


def test_a_play_that_is_stopped_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drill, where, scratch = made_up(tmp_path, test=HANGS), tmp_path / "pid", tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setenv("WHERE", str(where))

    async def main() -> None:
        running = asyncio.create_task(play(drill, "legacy"))
        while not (where.exists() and where.read_text()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert [each.name[:16] for each in scratch.iterdir()] == ["crossover-drill-"]
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert list(scratch.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(where.read_text()), 0)


def ran(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    args = parser.parse_args(["drills", *arguments])
    return int(args.run(args))


def test_the_command_plays_both_sides_and_prints_what_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drill = made_up(tmp_path)
    monkeypatch.setattr(drills, "drills", lambda *_: [drill])
    assert ran("--json") == 0
    printed, counted = json.loads(capsys.readouterr().out), drills.count()
    for arm in ARMS:
        each = counted["drills"][CALLED][arm]
        assert each.pop("passed") is None
        assert each.pop("diff") == drill.patch(arm).read_text()
        assert printed["drills"][CALLED][arm].pop("passed") is True
    assert set(printed.pop("played")) == {"date", "python"}
    assert printed | {"played": counted["played"]} == counted | hours.figures(counted)


def test_the_command_names_drill_side_and_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drill = made_up(tmp_path, direct=change("direct").replace("-model", "-mode"))
    monkeypatch.setattr(drills, "drills", lambda *_: [drill])
    assert ran() == 1
    printed = capsys.readouterr()
    assert "50-made-up, direct: the patch does not apply: benchmarks" in printed.err
    assert "legacy: " not in printed.err
    row = next(line for line in printed.out.splitlines() if line.startswith(CALLED)).split()
    assert row[-1] == "failed"
    assert row.count("passed") == 1
    assert "not known" in printed.out


def changed_over(document: dict[str, Any]) -> dict[str, Any]:
    """The same drills with what legacy and direct took changed over."""
    found = {
        name: each | {"legacy": each["direct"], "direct": each["legacy"]} for name, each in document["drills"].items()
    }
    counts = {"played": None, "drills": found, "summary": drills.summary(found)}
    return counts | hours.figures(counts)


def test_the_sentences_say_the_same_of_either_pipeline() -> None:
    """With the pipelines changed over, it is the same sentence with the names changed over."""
    counts = drills.count()
    other = drill_text.sentence(changed_over(counts))
    for key in ("no_change", "fewer_lines"):
        legacy, direct = (counts["summary"]["all"][arm][key] for arm in ARMS)
        assert f"for {legacy}, direct for {direct}" in drill_text.sentence(counts)
        assert f"for {direct}, direct for {legacy}" in other
    there, back = hours.ratio(counts), hours.ratio(changed_over(counts))
    for group, ratio in there.items():
        turned = back[group]
        assert ratio
        assert turned
        assert ratio["value"] == pytest.approx(1 / turned["value"])
        assert (ratio["low"], ratio["high"]) == pytest.approx((1 / turned["high"], 1 / turned["low"]))


LITTLE = {
    "lines_added": 1,
    "lines_removed": 0,
    "files": 1,
    "creates": [],
    "artefacts": [],
    "hunks": 1,
    "settings": None,
}
NOTHING = LITTLE | {"lines_added": 0, "files": 0, "hunks": 0, "steps": []}


def counts(*drills_: tuple[str, dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    found = {
        f"{number:02}-x": {"favours": favours, "legacy": legacy, "direct": direct}
        for number, (favours, legacy, direct) in enumerate(drills_)
    }
    return {"drills": found, "summary": drills.summary(found)}


def test_hours_are_lines_files_redeploys_and_other_steps() -> None:
    steps = [{"kind": kind, "run": False} for kind in ("retrain", "redeploy", "purge")]
    much = LITTLE | {"lines_added": 10, "lines_removed": 2, "files": 3, "steps": steps}
    got = hours.per_month(counts(("both", much, NOTHING), ("legacy", NOTHING, NOTHING)))
    value = 12 * 0.15 + 3 * 0.25 + 1 * 0.25 + 2 * 1.0
    assert got["both"]["legacy"]["value"] == pytest.approx(2.0 * value)
    assert got["all"]["legacy"]["value"] == pytest.approx(2.0 * value / 2)
    assert got["both"]["legacy"]["high"] == pytest.approx(2.0 * (12 * 0.5 + 3 * 1.0 + 1 * 1.0 + 2 * 4.0))
    assert got["both"]["legacy"]["low"] == pytest.approx(2.0 * (12 * 0.05 + 1 * 0.1 + 2 * 0.25))
    assert got["all"]["direct"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert hours.per_change(counts(("both", much, NOTHING)))["all"]["legacy"]["value"] == pytest.approx(value)


@pytest.mark.parametrize(
    ("legacy", "direct", "said"),
    [
        ({"lines_added": 1}, {"lines_added": 5}, "5.00 times legacy's hours (5.00 to 5.00: more at any of the rates)"),
        ({"lines_added": 4}, {"lines_added": 1}, "0.25 times legacy's hours (0.25 to 0.25: fewer at any of the rates)"),
        ({"lines_added": 9}, {"files": 5, "lines_added": 1}, "1.04 times legacy's hours (0.11 to 11.22: more or fewer"),
        ({}, {"lines_added": 1}, "hours of which there is no ratio, since legacy takes none"),
    ],
)
def test_the_ratio_says_what_the_rates_leave_open(legacy: dict[str, int], direct: dict[str, int], said: str) -> None:
    document = counts(("both", NOTHING | legacy, NOTHING | direct))
    assert f"direct takes {said}" in drill_text.hours_sentence(document | hours.figures(document))


def test_what_is_made_again_and_again_is_said() -> None:
    built = NOTHING | {"creates": ["direct_pipeline/cache.py"]}
    document = counts(("legacy", NOTHING, built), ("legacy", NOTHING, built))
    told = drill_text.hours_sentence(document | hours.figures(document))
    assert told.endswith("direct makes direct_pipeline/cache.py anew in 2 of them.")
