"""The classifier on the command line: trained, judged, calibrated; what is said where something is missing."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import calibrating, evaluating, rivals
from benchmarks.cli import main
from benchmarks.outcomes import read
from benchmarks.record import header
from benchmarks.targets.builtin import recording_path
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


def outcomes(file: str, rows: int = 240) -> None:
    """Sums of many numbers are for the large model, colours are not; both right now and then where they should not."""
    rng = random.Random(5)  # noqa: S311
    lines = ["prompt,small,large,direct,again,topic,one"]
    for n in range(rows):
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
    assert found["label_noise_ceiling"]["apgr"] > 0.5
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
    assert "single direct model: scores 0." in told


def test_one_question_never_sits_in_two_folds() -> None:
    texts = [f"question {n}" for n in range(50)] * 3
    folds = evaluating.assign(texts, 5)
    assert folds[:50] == folds[50:100] == folds[100:]
    assert sorted(folds.count(fold) for fold in range(5)) == [30] * 5
    outcomes("t.csv", 2)
    Path("t.csv").write_text('prompt,small,large\n"Is it  On?",1,0\nis it on?,0,1\n')
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
    assert main([*swapped, "--cv", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["classifier"]["apgr"], found["oracle"]["cpt50"]) == (None, None)


def scenario(quality: str) -> list[str]:
    return ["classifier", "calibrate", "log.csv", "--quality", quality, "--scenario", "t/scenario.toml"]


def test_calibrate_sets_the_artefact_that_compare_reads(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes("t.csv", 600)
    outcomes("log.csv", 400)
    assert main(["import", "t.csv", "--prompt", "prompt", "--small", "small", "--large", "large"]) == 0
    assert main([*TRAIN, "t"]) == 0
    file = Path("t/artefacts/small+large.json")
    before = json.loads(file.read_bytes())
    assert main(scenario("0.99")) == 1
    assert "out of reach" in capsys.readouterr().out
    assert json.loads(file.read_bytes()) == before
    assert main(scenario("0.7")) == 0
    assert "with 95% confidence (asked for: 0.7)" in capsys.readouterr().out
    after = json.loads(file.read_bytes())
    chosen = after["made"].pop("calibrated")
    assert after == before | {"threshold": after["threshold"]}
    assert (chosen["questions"], chosen["quality"], chosen["log"]) == (400, 0.7, "log.csv")
    assert chosen["score"] > chosen["score_at_least"] >= 0.7
    assert 0.3 < chosen["small_share"] < 0.9
    assert len(chosen["log_sha256"]) == 64


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
        found = calibrating.choose(gains, small, large, range(200), 0.8)
        if found.threshold is not None:
            share = min(max(found.threshold, 0.0), 1.0)
            reached += 1
            broken += 0.9 - 0.6 * share * share / 2 < 0.8
    assert reached > 200
    assert broken / 300 <= 0.05 + 0.025
