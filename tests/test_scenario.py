"""The scenario: presets, a file over them, flags over both, and errors that name file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scenario import PRESETS, load
from shared.errors import BadInput
from shared.pricing import PRICES


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_whole_and_name_known_prices(preset: str) -> None:
    scenario = load(preset=preset)
    assert {scenario.legacy.small_price, scenario.legacy.large_price, scenario.direct.price} <= set(PRICES)
    assert set(scenario.stand_ins) == set(scenario.places)


def test_a_file_goes_over_the_preset_and_a_flag_over_the_file(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        'preset = "between"\nseed = 3\n[traffic]\nrepeat_share = 0.5\n[legacy]\nlarge = "litellm:gpt-4o"\n'
        "[legacy.settings]\nsmall_first = true\n",
    )
    scenario = load(file, seed=9)
    assert scenario.preset == "between"
    assert (scenario.seed, scenario.traffic.repeat_share, scenario.traffic.zipf) == (9, 0.5, 1.0)
    assert scenario.legacy.large == "litellm:gpt-4o"
    assert scenario.legacy.settings.small_first


def test_another_model_does_not_inherit_the_presets_price_or_stand_in(tmp_path: Path) -> None:
    scenario = load(direct="http:https://chips.example/v1#fast-8b")
    assert scenario.direct.price is None
    assert scenario.legacy.small_price == "llama-3.1-8b@deepinfra-turbo"
    assert set(scenario.stand_ins) == {"small", "large"}, "those two still stand in for others"
    priced = written(tmp_path, '[direct]\nmodel = "litellm:x/y"\nprice = "gpt-4o"\n')
    assert load(priced).direct.price == "gpt-4o"


def test_live_asks_the_models_themselves() -> None:
    scenario = load(live=True)
    assert scenario.legacy.small == "local:qwen-0.5b"
    assert scenario.direct.model == "local:qwen-0.5b-burnt-3-6"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sead = 1", r"mine\.toml: key `sead`: Extra inputs"),
        ('preset = "wishful"', r"mine\.toml: preset 'wishful' is unknown; use one of hardwired, between"),
        ("[traffic]\nzipf = 200", r"mine\.toml: key `traffic\.zipf`"),
        ("[traffic]\nzipf = inf", r"mine\.toml: key `traffic\.zipf`"),
        ("preset = []", r"preset \[\] is unknown"),
        ('[direct]\nmodel = "http:https://me:secret@chips.example/v1#m"', r"holds a user or a password"),
        ("[traffic]\nrepeat_share = 1.0", r"mine\.toml: key `traffic\.repeat_share`"),
        ('[direct]\nmodel = "gpt-4o"', r"key `direct\.model`: .*'gpt-4o' is no model; write recorded:NAME"),
        ('[direct]\nmodel = "http:chips.example#m"', r"needs a URL and a model"),
        ('[direct]\nmodel = "http:https://chips.example/v1"', r"needs a URL and a model"),
        ("[legacy.settings]\nturbo = true", r"key `legacy\.settings\.turbo`"),
        ("legacy = 3", r"key `legacy`"),
        ("seed = ", r"mine\.toml: not TOML"),
    ],
)
def test_a_wrong_scenario_names_file_and_key(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        load(written(tmp_path, text))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.toml is missing"):
        load(tmp_path / "none.toml")


def test_one_key_is_not_sent_to_two_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"small": "http:https://a.example/v1#m", "large": "http:https://b.example/v1#m"}
    monkeypatch.delenv("CROSSOVER_API_KEY", raising=False)
    assert load(**places).legacy.small == places["small"]  # type: ignore[arg-type]
    monkeypatch.setenv("CROSSOVER_API_KEY", "k")
    with pytest.raises(BadInput, match="would be sent to 2 different hosts"):
        load(**places)  # type: ignore[arg-type]


def test_the_password_of_a_refused_url_is_not_repeated() -> None:
    with pytest.raises(BadInput) as caught:
        load(direct="http:https://me:secret@chips.example/v1#m")
    assert "secret" not in str(caught.value)
