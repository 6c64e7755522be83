"""The classifier on the command line: trained, judged, calibrated; what is said where something is missing."""

from __future__ import annotations

import gzip
import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import calibrating, evaluating, evaluation_text, rivals
from benchmarks.cli import main
from benchmarks.outcomes import read
from benchmarks.record import header
from benchmarks.targets import builtin
from benchmarks.targets.builtin import recording_path
from benchmarks.workloads.workload import load
from shared.backends.recorded import RecordingWriter
from tests.fakes import ScriptedBackend
from tests.targets.endpoint import write_workload

TRAIN = ["classifier", "train", "--small", "small", "--large", "large", "--workload"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def imported(rows: int = 120) -> None:
    """Four in five are short questions, which the small model alone gets right; it gets no other right."""
    lines = [
        f"{'short' if n % 5 else 'long and hard'} question {n},{min(n % 5, 1)},{int(n % 5 == 0)}" for n in range(rows)
    ]
    Path("t.csv").write_text("\n".join(["prompt,small,large", *lines]))
    assert main(["import", "t.csv", "--prompt", "prompt", "--small", "small", "--large", "large"]) == 0


def test_a_folder_that_is_no_workload_is_told_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TRAIN, "gone"]) == 2
    assert "gone does not exist; name a workload folder" in capsys.readouterr().err


def test_an_imported_answer_that_is_missing_is_imported_again(capsys: pytest.CaptureFixture[str]) -> None:
    imported()
    file = Path("t/recordings/large.training.jsonl.gz")
    file.write_bytes(gzip.compress(b"".join(gzip.decompress(file.read_bytes()).splitlines(keepends=True)[:-1])))
    assert main([*TRAIN, "t"]) == 2
    told = capsys.readouterr().err
    assert "large has no answer to item line-" in told
    assert told.endswith("; import the table again\n")


def test_an_answer_that_is_missing_is_recorded_for_its_workload(capsys: pytest.CaptureFixture[str]) -> None:
    write_workload(Path("sums"))
    for name in ("small", "large"):
        file = recording_path(Path("sums"), name, "training")
        RecordingWriter(file, header(ScriptedBackend(), "sums", sampling={})).close()
    assert main([*TRAIN, "sums"]) == 2
    assert "run: crossover record --model scripted --part training --workload sums" in capsys.readouterr().err


def test_a_gain_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    imported()
    capsys.readouterr()
    assert main([*TRAIN, "t"]) == 0
    assert "go to small, which gains 0." in capsys.readouterr().out


def outcomes(file: str, rows: int = 240, start: int = 0) -> None:
    """Sums of many numbers are for the large model, colours are not; both right now and then where they should not."""
    rng = random.Random(5)  # noqa: S311
    lines = ["prompt,small,large,direct,again,topic,one"]
    for n in range(start, start + rows):
        hard = n % 2 == 0
        text = f"What is {n} + {n * 7} + {n * 3}?" if hard else f"Which colour has the leaf of plant {n}?"
        small, large, direct, again = (
            int(rng.random() < each) for each in ((0.1, 0.9, 0.5, 0.9) if hard else (0.8,) * 4)
        )
        lines.append(f"{text},{small},{large},{direct},{again},{'sums' if hard else 'colours'},1")
    Path(file).write_text("\n".join(lines))


EVALUATE = ["classifier", "evaluate", "t.csv", "--prompt", "prompt", "--small", "small", "--large", "large"]


def test_evaluate_stands_beside_other_routers(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes("t.csv")
    again = ["--small-again", "direct", "--large-again", "again"]
    assert main([*EVALUATE, "--group", "topic", *again, "--cv", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["classifier"]["apgr"] > 0.65
    assert found["classifier"]["apgr_low"] < found["classifier"]["apgr"] < found["classifier"]["apgr_high"]
    assert found["random"]["apgr"] == pytest.approx(0.5)
    assert found["oracle"]["apgr"] > found["classifier"]["apgr"]
    assert found["group_mean"]["within_group_apgr"] == pytest.approx(0.5)
    sums = evaluating.assign([str(row) for row in range(240)], 3)[::2]
    ceiling = found["label_noise_ceiling"]
    assert 0.5 < found["second_run"]["apgr"] < ceiling["apgr"]
    assert ceiling["apgr_low"] < ceiling["apgr"] < ceiling["apgr_high"]
    for name in ("calibration_error", "within_group_apgr"):
        assert found["classifier"][f"{name}_low"] <= found["classifier"][name] <= found["classifier"][f"{name}_high"]
    assert found["table"]["smallest_cell"] == min(sums.count(fold) for fold in range(3))
    assert found["direct"] is None
    assert found["table"]["rows"] == 240
    assert 0 < found["classifier"]["ms_per_prompt_p50"] < found["classifier"]["ms_per_prompt_p99"]
    assert found["classifier"]["cpt80_low"] <= found["classifier"]["cpt80"] <= found["classifier"]["cpt80_high"]
    assert found["abstention"]["abstained_share"] < 0.1
    low, high = found["length"]["classifier_is_above_by"]
    assert low < found["classifier"]["apgr"] - found["length"]["apgr"] < high


def test_evaluate_says_what_was_not_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ImportError

    monkeypatch.setattr(rivals, "heuristic", broken)
    outcomes("t.csv")
    assert main([*EVALUATE, "--direct", "direct", "--cv", "2"]) == 0
    told = capsys.readouterr().out
    assert "litellm heuristic              not measured" in told
    assert "group mean alone               not measured" in told
    assert re.search(r"single direct model: scores 0\.\d+ \[0\.\d+, 0\.\d+\], -?\d\.\d+ \[", told)
    assert "ceiling that label noise sets: not measured (--small-again COL --large-again COL)" in told
    assert "on few questions it is biased upwards" in told


def test_one_question_never_sits_in_two_folds() -> None:
    texts = [f"question {n}" for n in range(50)] * 3
    folds = evaluating.assign(texts, 5)
    assert folds[:50] == folds[50:100] == folds[100:]
    assert sorted(folds.count(fold) for fold in range(5)) == [30] * 5
    Path("t.csv").write_text('prompt,small,large\n"Is the cafe\u0301  On?",1,0\nis the caf\u00e9 on?,0,1\n')
    assert len(set(read(Path("t.csv"), "prompt", {"small": "small", "large": "large"}, None).same)) == 1


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        (lambda rows: rows, ["--group", "topc"], "no column 'topc' (did you mean 'topic'?)"),
        (lambda rows: rows, ["--group", "small"], "column 'small' is given twice"),
        (lambda rows: rows, ["--small-again", "direct"], "give both --small-again and --large-again"),
        (lambda rows: rows, ["--cv", "1"], "two folds are needed"),
        (lambda rows: rows[:41], [], "holds 40 different questions; 100 are needed"),
        (lambda rows: [rows[0], rows[1], *rows[1:60] * 9], [], "holds 59 different questions"),
        (lambda rows: [*rows, "Why?,nan,1,1,1,sums,1"], [], "line 242: column 'small' is no outcome"),
        (lambda rows: [*rows, "Why?,,1,1,1,sums,1"], [], "line 242: column 'small' is empty"),
        (lambda rows: [*rows, "Why?,1.5,1,1,1,sums,1"], [], "line 242: column 'small' is no outcome"),
        (lambda rows: [*rows, " ,1,1,1,1,sums,1"], [], "line 242: column 'prompt' holds no question"),
        (lambda rows: [*rows, "Why?,1,1,1,1,,1"], ["--group", "topic"], "line 242: column 'topic' names no group"),
        (lambda rows: [*rows, "Why?,1"], [], "line 242: 2 columns, the header has 7"),
    ],
)
def test_evaluate_refuses_what_it_cannot_judge(
    change: Callable[[list[str]], list[str]], options: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes("t.csv")
    Path("t.csv").write_text("\n".join(change(Path("t.csv").read_text().splitlines())))
    assert main([*EVALUATE, *options]) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("scores", ["1,1", "0,1", "0.5,0.5"])
def test_models_that_are_equally_far_apart_leave_nothing_to_choose(
    scores: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"question {n},{scores}" for n in range(200)]
    Path("t.csv").write_text("\n".join(["prompt,small,large", *rows]))
    assert main(EVALUATE) == 2
    assert "nothing to choose between" in capsys.readouterr().err


def test_a_large_model_that_is_worse_has_no_apgr(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes("t.csv")
    swapped = [*EVALUATE[:-3], "large", "--large", "small"]
    assert main([*swapped, "--cv", "2", "--direct", "direct", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["classifier"]["apgr"], found["oracle"]["cpt50"]) == (None, None)
    assert (found["direct"]["recovered"], found["direct"]["classifier_needs_large_share"]) == (None, None)
    told = "\n".join(evaluation_text.lines(found))
    assert "what it recovers is not defined: the large model is not better" in told
    assert "APGR and CPT are not defined" in told


def scenario(quality: str) -> list[str]:
    return ["classifier", "calibrate", "log.csv", "--quality", quality, "--scenario", "t/scenario.toml"]


@pytest.fixture(scope="module")
def trained_on_sums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, its workload and the artefact trained on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder := tmp_path_factory.mktemp("sums"))
        outcomes("t.csv", 600)
        assert main(["import", "t.csv", "--prompt", "prompt", "--small", "small", "--large", "large"]) == 0
        assert main([*TRAIN, "t"]) == 0
    return folder


@pytest.fixture
def artefact(trained_on_sums: Path) -> Path:
    shutil.copytree(trained_on_sums, ".", dirs_exist_ok=True)
    return Path("t/artefacts/small+large.json")


def test_calibrate_sets_the_artefact_that_compare_reads(artefact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes("log.csv", 400, start=600)
    file = artefact
    before = json.loads(file.read_bytes())
    assert main(scenario("0.99")) == 1
    assert "out of reach" in capsys.readouterr().out
    assert json.loads(file.read_bytes()) == before
    assert main(scenario("0.7")) == 0
    assert "with 95% confidence (asked for: 0.7)" in capsys.readouterr().out
    after = json.loads(file.read_bytes())
    chosen = after["made"].pop("calibrated")
    assert after == before | {"threshold": after["threshold"]}
    assert (chosen["questions"], chosen["left_out"], chosen["quality"]) == (400, 0, 0.7)
    assert chosen["log"] == "log.csv"
    assert chosen["score"] > chosen["score_at_least"] >= 0.7
    assert 0.3 < chosen["small_share"] < 0.9
    assert len(chosen["log_sha256"]) == 64


def test_questions_that_the_classifier_was_made_on_do_not_count(
    artefact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes("log.csv", 400, start=400)  # 200 of them are the workload's, of which some are its test split's
    text = Path("log.csv").read_text().replace("Which colour", "WHICH  colour")
    Path("log.csv").write_text(text)
    made_on = {item.input for item in load(Path("t")).items if item.split != "test"}
    known = sum(line.replace("WHICH  c", "Which c").split(",")[0] in made_on for line in text.splitlines())
    assert 100 < known < 200
    assert main(scenario("0.6")) == 0
    assert f"{known} rows left out: the classifier was made on their questions" in capsys.readouterr().out
    chosen = json.loads(artefact.read_bytes())["made"]["calibrated"]
    assert (chosen["questions"], chosen["left_out"]) == (400 - known, known)
    outcomes("log.csv", 60)
    before = artefact.read_bytes()
    assert main(scenario("0.6")) == 2
    assert "log.csv, without what the classifier was made on, holds " in capsys.readouterr().err
    assert artefact.read_bytes() == before


def test_the_built_in_artefact_is_not_written_to(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes("log.csv", 400)
    before = {file: file.read_bytes() for file in builtin.ARTEFACTS.iterdir()}
    assert main(["classifier", "calibrate", "log.csv", "--quality", "0.6"]) == 2
    assert "name your scenario, on a workload of your own: --scenario FILE" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in builtin.ARTEFACTS.iterdir()} == before


def test_a_few_groups_are_too_few(artefact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes("log.csv", 400, start=600)
    before = artefact.read_bytes()
    assert main([*scenario("0.6"), "--group", "topic"]) == 2
    assert "by column 'topic' the rows count for 2.0 groups of equal size; 20 are needed" in capsys.readouterr().err
    assert artefact.read_bytes() == before


def test_where_the_small_model_alone_is_enough_it_is_chosen(artefact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for better, worse in (("1", "0"), ("1", "1")):
        rows = [f"What is {n} + {n} + {n}?,{better},{worse}" for n in range(1000, 1200)]
        Path("log.csv").write_text("\n".join(["prompt,small,large", *rows]))
        assert main(scenario("0.9")) == 0
        assert "100.0% of 200 questions go to small" in capsys.readouterr().out
        assert json.loads(artefact.read_bytes())["made"]["calibrated"]["small_share"] == 1.0


def test_the_wider_of_two_clusterings_counts() -> None:
    """40 questions asked ten times each, by 400 users: by user alone the rows would pass for 400 questions."""
    rng = random.Random(2)  # noqa: S311
    scores = [float(rng.random() < 0.9) for _ in range(40)] * 10
    users, questions = range(400), [*range(40)] * 10
    by_question, both, by_user = (
        calibrating.choose([0.0] * 400, scores, scores, *each, quality=0.99).at_least
        for each in ([questions], [questions, users], [users])
    )
    assert by_question == both < by_user - 0.02


def test_a_quality_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for quality in ("0", "1.5", "nan"):
        assert main(scenario(quality)) == 2
        assert "must lie between 0 and 1" in capsys.readouterr().err


def test_the_quality_asked_for_is_kept_on_further_questions() -> None:
    """300 logs of 200 questions: the true score at the threshold chosen is below Q in at most 5 % of logs."""
    rng, broken, reached = random.Random(11), 0, 0  # noqa: S311
    for _ in range(300):
        gains = [rng.random() for _ in range(200)]
        small, large = ([float(rng.random() < 0.9 - gain * drop) for gain in gains] for drop in (0.6, 0.0))
        found = calibrating.choose(gains, small, large, range(200), quality=0.8)
        if found.threshold is not None:
            share = min(max(found.threshold, 0.0), 1.0)
            reached += 1
            broken += 0.9 - 0.6 * share * share / 2 < 0.8
    assert reached > 200
    assert broken / 300 <= 0.05 + 0.025
