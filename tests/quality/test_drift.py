"""`crossover drift`: every event does what it says, alone; the figures add up; the same seed gives the same bytes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import main
from benchmarks.quality import drift, drift_figures
from benchmarks.quality.drift_table import table
from benchmarks.quality.timeline import plan
from legacy_pipeline.app import build
from legacy_pipeline.pipeline import LegacyPipeline
from tests.quality.drift_workload import played, timeline, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("drift") / "small")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("drift") / "trained", ("training", "test"))


def over_epochs(document: dict[str, Any], *path: str) -> list[Any]:
    """One figure, epoch by epoch."""
    found = []
    for epoch in document["epochs"]:
        node: Any = epoch
        for part in path:
            node = node[part]
        found.append(node)
    return found


def test_nothing_happens_without_events(folder: Path) -> None:
    document = played(folder)
    for arm in drift_figures.ARMS:
        assert over_epochs(document, "quality", arm) == [1.0] * 6
    assert document["events"] == []
    assert over_epochs(document, "hits", "typical", "stale")[1:] == [0.0] * 5


def test_a_mix_changes_what_is_asked(folder: Path) -> None:
    event = '[[events]]\nepoch = 4\nkind = "mix"\nlevels = { easy = 0 }'
    quality = over_epochs(played(folder, event, direct="knows-easy"), "quality", "direct")
    assert all(each > 0 for each in quality[:3])
    assert quality[3:] == [0.0] * 3
    event = '[[events]]\nepoch = 4\nkind = "mix"\ntasks = { late = 0 }'
    quality = over_epochs(played(folder, event, direct="knows-old"), "quality", "direct")
    assert all(each < 1 for each in quality[:3])
    assert quality[3:] == [1.0] * 3


def test_a_topic_is_not_asked_about_before_it_appears(folder: Path) -> None:
    event = '[[events]]\nepoch = 4\nkind = "topic"\ntask = "late"'
    quality = over_epochs(played(folder, event, direct="knows-old"), "quality", "direct")
    assert quality[:3] == [1.0] * 3
    assert all(each < 1 for each in quality[3:])


def test_after_an_upgrade_careful_starts_anew_and_typical_does_not_notice(trained: Path) -> None:
    document = played(trained, '[[events]]\nepoch = 4\nkind = "upgrade"\nsmall = "as-good"', careful_ttl_hours=500)
    careful, typical = (over_epochs(document, "answered_by", preset) for preset in ("careful", "typical"))
    assert [each["small"] for each in careful[:3]] == [0.0] * 3, "the classifier knows that the small model is bad"
    assert careful[3]["small"] > 0, "and that the new one is good"
    assert careful[3]["cache"] < careful[2]["cache"], "no answer of the old models is found under the new keys"
    assert typical[3]["cache"] >= typical[2]["cache"]
    assert document["notes"] == []


def test_after_an_upgrade_typicals_old_classifier_still_decides(trained: Path) -> None:
    event = '[[events]]\nepoch = 4\nkind = "upgrade"\nsmall = "as-good"'
    document = played(trained, event, typical_ttl_hours=1e-9)
    assert [each["large"] for each in over_epochs(document, "answered_by", "typical")] == [1.0] * 6
    errors = document["events"][0]["calibration_error"]
    assert errors["careful"]["after"] < errors["typical"]["after"] == pytest.approx(1.0, abs=0.05)


def test_an_upgrade_leaves_the_former_models_answers_in_typicals_cache(trained: Path) -> None:
    document = played(trained, '[[events]]\nepoch = 4\nkind = "upgrade"\nsmall = "knows-old"', small="as-good")
    assert over_epochs(document, "answered_by", "typical", "small")[0] > 0
    assert over_epochs(document, "hits", "careful", "share", "former_model")[3:] == [0.0] * 3
    assert over_epochs(document, "hits", "typical", "share", "former_model")[3] > 0


def test_a_retired_models_answers_live_on_in_both_caches(folder: Path) -> None:
    event = '[[events]]\nepoch = 4\nkind = "retire"\nrole = "large"\nanswers = "bad"'
    document = played(folder, event, careful_ttl_hours=500)
    for preset in ("careful", "typical"):
        quality, hits = over_epochs(document, "quality", preset), over_epochs(document, "hits", preset)
        stage = over_epochs(document, "answered_by", preset)
        assert quality[:3] == [1.0] * 3
        assert all(each["share"]["former_model"] > 0.5 for each in hits[3:])
        assert quality[3] == pytest.approx(hits[3]["share"]["former_model"] * stage[3]["cache"])
        assert hits[3]["lost"]["former_model"] < 0, "the retired model was the better one"
    assert over_epochs(document, "quality", "direct") == [1.0] * 6


def test_a_retired_model_can_come_back(folder: Path) -> None:
    events = [f'[[events]]\nepoch = {n}\nkind = "retire"\nrole = "direct"\nanswers = "{name}"\n'
              for n, name in ((3, "bad"), (5, "good"))]  # fmt: skip
    assert over_epochs(played(folder, "".join(events)), "quality", "direct") == [1, 1, 0, 0, 1, 1]


def test_a_model_that_comes_back_answers_under_its_own_name(folder: Path) -> None:
    events = [f'[[events]]\nepoch = {n}\nkind = "retire"\nrole = "small"\nanswers = "{name}"\n'
              for n, name in ((3, "good"), (4, "bad"), (6, "knows-old"))]  # fmt: skip
    upgrade = '[[events]]\nepoch = 5\nkind = "upgrade"\nsmall = "as-good"\n'
    assert [turn["events"][0] for turn in played(folder, "".join(events) + upgrade)["events"]] == [
        "good silently answers in the small model's name",
        "bad answers again under its own name",
        "the small model is upgraded to as-good",
        "knows-old silently answers in the small model's name",
    ]


def test_firmware_changes_the_direct_model_and_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event = '[[events]]\nepoch = 4\nkind = "firmware"\ndirect = "bad"'
    without, built = played(folder), list[str]()

    def counted(*args: Any) -> LegacyPipeline:
        built.append("careful")
        return build(*args)

    monkeypatch.setattr(drift, "build", counted)
    document = played(folder, event)
    assert len(built) == 1, "careful is not started again"
    assert over_epochs(document, "quality", "direct") == [1, 1, 1, 0, 0, 0]
    assert over_epochs(document, "hits") == over_epochs(without, "hits")
    assert over_epochs(document, "answered_by") == over_epochs(without, "answered_by")
    assert document["events"][0]["change"]["direct"]["high"] < -0.5


def test_careful_never_serves_a_stale_policy_and_typical_does(folder: Path) -> None:
    document = played(folder, '[[events]]\nepoch = 4\nkind = "policy"', careful_ttl_hours=500, tasks={})
    assert over_epochs(document, "quality", "careful") == [1.0] * 6
    assert over_epochs(document, "hits", "careful", "share", "older_policy")[3:] == [0.0] * 3
    typical = over_epochs(document, "hits", "typical")
    assert [each["share"]["older_policy"] for each in typical[1:3]] == [0.0] * 2
    assert all(each["share"]["older_policy"] > 0 for each in typical[3:])
    for quality, hits in zip(over_epochs(document, "quality", "typical"), typical, strict=True):
        assert 1 - quality == pytest.approx(hits["lost"]["older_policy"])
    versioned = {item.id for item in plan(timeline(folder)).items if item.task == "policy"}
    newer = document["events"][0]["newer"]["policy"]
    assert newer == {"questions": len(versioned) // 2, "share": newer["share"], "weights": {"policy": 1.0}}
    assert 0 < newer["share"] < 1
    told = f"{len(versioned) // 2} questions have a newer version (policy), {100 * newer['share']:.1f} % of requests;"
    assert told in " ".join(table(document).split())


def test_the_causes_of_an_event_have_intervals_that_hold_jointly(folder: Path) -> None:
    turn = played(folder, '[[events]]\nepoch = 4\nkind = "policy"', tasks={})["events"][0]
    causes = turn["causes"]
    assert set(causes) == {"backend", "careful_cache", "careful_routing", "typical_cache", "typical_routing"}
    assert all(each["low"] < each["estimate"] < each["high"] for each in causes.values())
    cache = causes["typical_cache"]
    assert cache["estimate"] == pytest.approx(turn["discipline"]["estimate"]), "nothing else differs here"
    pointwise = turn["discipline"]["high"] - turn["discipline"]["low"]
    assert cache["high"] - cache["low"] > pointwise, "five at once are wider than one alone"


def test_a_question_alone_is_answered_with_anothers_answer(folder: Path) -> None:
    """No event says that the policies are versions of each other, so both are in force, as for two tenants."""
    document = played(folder, tasks={})
    assert document["overall"]["hits"]["careful"]["share"]["other_question"] == 0.0
    share = document["overall"]["hits"]["typical"]["share"]
    assert share["other_question"] > 0
    assert "of hits were answers given to another question (of another conversation or tenant), costing" in " ".join(
        table(document).split()
    )
    assert share["older_policy"] == 0.0
    assert document["overall"]["quality"]["typical"] < 1 == document["overall"]["quality"]["careful"]


def test_answers_age_while_nobody_asks(folder: Path) -> None:
    event = '[[events]]\nepoch = 4\nkind = "idle"\nhours = 100'
    keys: dict[str, Any] = {"careful_ttl_hours": 96, "typical_ttl_hours": 720}
    with_idle, without = played(folder, event, **keys), played(folder, **keys)
    hits = [over_epochs(each, "answered_by", "careful", "cache")[3] for each in (with_idle, without)]
    assert hits[0] < hits[1]
    hits = [over_epochs(each, "answered_by", "typical", "cache")[3] for each in (with_idle, without)]
    assert hits[0] == hits[1]


def test_typical_renews_what_is_asked_for_and_careful_does_not(folder: Path) -> None:
    document = played(folder, careful_ttl_hours=30, typical_ttl_hours=30, zipf=2.0)
    greatest = {preset: max(filter(None, over_epochs(document, "hits", preset, "greatest_age_hours")))
                for preset in ("careful", "typical")}  # fmt: skip
    assert greatest["careful"] < 30
    assert greatest["typical"] > 100


def test_causes_add_up_in_every_epoch_and_losses_by_kind_are_the_caches(trained: Path) -> None:
    events = (
        '[[events]]\nepoch = 3\nkind = "policy"\n[[events]]\nepoch = 4\nkind = "upgrade"\nsmall = "knows-old"\n'
        '[[events]]\nepoch = 5\nkind = "retire"\nrole = "large"\nanswers = "knows-easy"\n'
    )
    document = played(trained, events, small="knows-easy", direct="knows-old", tasks={})
    for epoch in document["epochs"]:
        for preset in ("careful", "typical"):
            causes = epoch["attribution"][preset]
            assert sum(causes.values()) == pytest.approx(epoch["difference"][preset]["estimate"], abs=3e-9)
            assert sum(epoch["hits"][preset]["lost"].values()) == pytest.approx(causes["cache"], abs=3e-9)
            assert epoch["hits"][preset]["lost"]["same"] == 0.0


def test_what_would_be_without_the_cache_is_what_is_without_it(trained: Path) -> None:
    """An answer that ages out at once is no answer: then the real pipeline is the counterfactual one."""
    document = played(trained, small="at-times-blank", large="knows-old", careful_ttl_hours=1e-9)
    assert over_epochs(document, "answered_by", "careful", "cache") == [0.0] * 6
    stages = document["overall"]["answered_by"]["careful"]
    assert stages["small"] > 0.5
    assert stages["large"] > 0.1, "blank drafts, which the large model answers instead"
    assert over_epochs(document, "attribution", "careful", "cache") == [0.0] * 6


def test_without_training_recordings_all_goes_to_the_large_model(folder: Path) -> None:
    document = played(folder)
    assert over_epochs(document, "answered_by", "careful", "small") == [0.0] * 6
    assert over_epochs(document, "calibration_error", "careful") == [None] * 6
    assert document["epochs"][-1]["inputs"]["predicted_gain"] is None
    assert document["epochs"][-1]["inputs"]["prompt_length"]["psi"] is not None
    assert "every question goes to the large model" in document["notes"][0]


def test_a_seed_gives_the_same_bytes(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(timeline(folder, '[[events]]\nepoch = 4\nkind = "policy"', tasks={}))
    texts = []
    for number, seed in enumerate(("3", "3", "4")):
        assert main(["drift", file, "--seed", seed, "--json", "--out", str(tmp_path / str(number))]) == 0
        texts.append(capsys.readouterr().out)
        assert (tmp_path / str(number) / "drift.json").read_text() == texts[-1]
    assert texts[0] == texts[1] != texts[2]
    standing = json.loads(texts[2])["standing"]
    assert (standing[""], standing["/timeline"]) == ("emulated", "assumed"), "texts are recorded, traffic is played"
    assert json.loads(texts[2])["timeline"]["seed"] == 4


def _without_the_detector(lines: list[str]) -> list[str]:
    """All but what begins with the detector's name, and the lines that such a paragraph goes on with."""
    kept, dropping = list[str](), False
    for line in lines:
        starts = line.startswith(("  ADWIN", "  detector", "ADWIN"))
        ends = not line or line.startswith("epoch") or (line.startswith("  ") and not line.startswith("    "))
        dropping = starts or (dropping and not ends and not line.startswith("Note"))
        if not dropping:
            kept.append(line)
    return kept


def test_without_the_detector_all_else_is_there(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    file = str(timeline(folder, '[[events]]\nepoch = 4\nkind = "firmware"\ndirect = "bad"'))
    assert main(["drift", file]) == 0
    with_river = capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "river", None)
    assert main(["drift", file]) == 0
    without = capsys.readouterr().out
    assert "detector: not measured; needs the extra drift" in without
    assert "ADWIN" not in without
    assert "not measured; needs" not in with_river
    assert "direct loses 100.0 points" in " ".join(without.split())
    kept = [_without_the_detector(each.splitlines()) for each in (with_river, without)]
    assert kept[0] == kept[1]
    assert len(kept[0]) > 20
