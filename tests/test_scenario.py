"""The scenario: presets, a file over them, flags over both, and errors that name file and key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.init import SCHEMA
from benchmarks.scenario import PRESETS, Scenario, default_file, json_schema, load
from benchmarks.systems import Direct, Http, Legacy, OwnPrice, own_price
from shared.contract import Usage
from shared.errors import BadInput
from shared.pricing import PRICES


def legacy(scenario: Scenario) -> Legacy:
    assert isinstance(scenario.legacy, Legacy)
    return scenario.legacy


def direct(scenario: Scenario) -> Direct:
    assert isinstance(scenario.direct, Direct)
    return scenario.direct


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_whole_and_name_known_prices(preset: str) -> None:
    scenario = load(preset=preset)
    assert {call.price for call in scenario.calls.values()} <= set(PRICES)
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
    assert legacy(scenario).large == "litellm:gpt-4o"
    assert legacy(scenario).settings.small_first


def test_another_model_does_not_inherit_the_presets_price_or_stand_in(tmp_path: Path) -> None:
    scenario = load(direct="http:https://chips.example/v1#fast-8b")
    assert direct(scenario).price is None
    assert legacy(scenario).small_price == "deepinfra-8b"
    assert set(scenario.stand_ins) == {"small", "large"}, "those two still stand in for others"
    priced = written(tmp_path, '[direct]\nmodel = "litellm:x/y"\nprice = "gpt-4o"\n')
    assert direct(load(priced)).price == "gpt-4o"


def test_live_asks_the_models_themselves() -> None:
    scenario = load(live=True)
    assert legacy(scenario).small == "local:qwen-0.5b"
    assert direct(scenario).model == "local:qwen-0.5b-burnt-3-6"


HOME_MADE = """[direct]
kind = "http"
url = "https://a.example/"
body = { q = "{{input}}" }
[direct.response]
text = "a"
"""


API = '[direct]\nkind = "http"\nbase_url = "{}"\nmodel = "m"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sead = 1", r"mine\.toml line 1: key `sead`: this key is unknown; did you mean `seed`\?"),
        (
            'preset = "wishful"',
            r"mine\.toml line 1: key `preset`: preset 'wishful' is unknown; use one of hardwired, between",
        ),
        ("[traffic]\nzipf = 200", r"mine\.toml line 2: key `traffic\.zipf`"),
        ("[traffic]\nzipf = inf", r"mine\.toml line 2: key `traffic\.zipf`"),
        ("preset = []", r"preset \[\] is unknown"),
        ('[direct]\nmodel = "http:https://me:secret@chips.example/v1#m"', r"holds a user or a password"),
        ("[traffic]\nrepeat_share = 1.0", r"mine\.toml line 2: key `traffic\.repeat_share`"),
        ('[direct]\nmodel = "recorded:openai/gpt-4o"', r"line 2: key `direct\.model`: .*recorded:openai--gpt-4o"),
        ('[direct]\nmodel = "http:https://chips.example/v1?k=s#m"', r"line 2: .*without a query or fragment"),
        ('[direct]\nmodel = "http:https://chips.example:x/v1#m"', r"line 2: .*must be like https://host/v1"),
        (API.format("https://a.example/v1?key=s"), r"line 3: key `direct\.base_url`: .*without a query or fragment"),
        (API.format("https://a.example/v1#x"), r"line 3: key `direct\.base_url`: .*without a query or fragment"),
        (API.format("https://a.example:99999/v1"), r"line 3: key `direct\.base_url`: .*must be like https://host/v1"),
        (API.format("https://me:secret@a.example/v1"), r"line 3: key `direct\.base_url`: .*a user or a password"),
        (HOME_MADE.replace("a.example/", "a.example:x/"), r"line 3: key `direct\.url`: .*port of this URL is wrong"),
        (HOME_MADE.replace("a.example/", "/"), r"line 3: key `direct\.url`: this is no URL"),
        (
            HOME_MADE.replace("body", 'headers = { "X Y" = "a" }\nbody'),
            r"line 4: key `direct\.headers\.X Y`: .*no name",
        ),
        (
            HOME_MADE.replace("body", 'headers = { X = "a\\nb" }\nbody'),
            r"line 4: key `direct\.headers\.X`: .*line break",
        ),
        ('[direct]\nmodel = "gpt-4o"', r"key `direct\.model`: .*'gpt-4o' is no model; write recorded:NAME"),
        ('[direct]\nmodel = "http:chips.example#m"', r"needs a URL and a model"),
        ('[direct]\nmodel = "http:https://chips.example/v1"', r"needs a URL and a model"),
        ("[legacy.settings]\nturbo = true", r"key `legacy\.settings\.turbo`"),
        ("legacy = 3", r"mine\.toml line 1: key `legacy`"),
        (
            '[direct]\nkind = "htpp"',
            r"line 2: key `direct\.kind`: kind 'htpp' is unknown; use one of builtin, http, python",
        ),
        ('[direct]\nbase_url = "https://a.example/v1"', r"`direct\.base_url`: this key belongs to kind = \"http\""),
        (
            '[direct]\nkind = "http"\nbase_url = "https://a.example/v1"',
            r"line 1: key `direct`: .*needs base_url and model",
        ),
        ('[direct]\nkind = "http"\nurl = "https://a.example/"\nmodel = "m"', r"leave out the ones or the others"),
        ('[direct]\nkind = "http"\nurl = "https://a.example/"\n[direct.response]\ntxt = "a"', r"line 5: .*mean `text`"),
        (
            HOME_MADE.replace("{{input}}", "{{inputt}}"),
            r"line 4: key `direct\.body`: placeholder \{\{inputt\}\} is unknown; did you mean `input`",
        ),
        (HOME_MADE.replace("{{input}}", "hello"), r"every request would be the same"),
        (HOME_MADE.replace("{{input}}", "so: {{messages}}"), r"key `direct\.body`: \{\{messages\}\} becomes a list"),
        (
            HOME_MADE.replace('{ q = "{{input}}" }', "'{\"q\": {{input}}}'"),
            r"line 4: key `direct\.body`: body is no JSON",
        ),
        (HOME_MADE.replace('{ q = "{{input}}" }', "'{\"n\": NaN}'"), r"line 4: key `direct\.body`: body is no JSON"),
        ('[direct]\nkind = "python"\ncallable = "answer"', r"line 3: key `direct\.callable`"),
        ('[direct]\nmodel = "litellm:x/y"\nprice = { input = 1 }', r"line 3: key `direct\.price`: write either"),
        ('[direct]\nmodel = "litellm:x/y"\nprice = { input = 1, output = 1, per_call = 1 }', r"write either"),
        ('[direct]\nmodel = "litellm:x/y"\nprice = "gpt4o"', r"line 3: key `direct\.price`: price 'gpt4o' is unknown"),
        ('[quality]\nscorer = "numeric"', r"line 2: key `quality\.scorer`: a scorer is for logs"),
        (
            '[legacy]\nkind = "log"\npath = "x"',
            r"key `direct\.model`: recorded:.* has no answers to the questions of a log",
        ),
        (
            '[legacy]\nkind = "log"\npath = "x"\n[traffic]\nzipf = 1.0',
            r"line 5: key `traffic\.zipf`: a log is the traffic",
        ),
        ("seed = ", r"mine\.toml: not TOML"),
    ],
)
def test_a_wrong_scenario_names_file_and_key(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        load(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[legacy]\nsettings = 3", "line 2: key `legacy.settings`: a table is needed"),
        ('seed = "x"', "line 1: key `seed`: a whole number is needed"),
        ("seed = 1.5", "line 1: key `seed`: a whole number is needed"),
        ("[traffic]\nzipf = []", "line 2: key `traffic.zipf`: a number is needed"),
        ("[traffic]\nzipf = 200", "line 2: key `traffic.zipf`: this must be less than or equal to 10"),
        ('[traffic]\nworkload = ""', "line 2: key `traffic.workload`: this must have at least 1 character"),
        ("[direct]\nmodel = 3", "line 2: key `direct.model`: a text in quotes is needed"),
        ('[legacy.settings]\nsmall_first = "x"', "line 2: key `legacy.settings.small_first`: true or false is needed"),
        ("[legacy.settings]\nsemantic_tasks = 1", "line 2: key `legacy.settings.semantic_tasks`: a list is needed"),
        ('[quality]\nscorer = "x"', "line 2: key `quality.scorer`: this must be 'label'"),
        (HOME_MADE + "[direct.headers]\nA = 3", "line 8: key `direct.headers.A`: a text in quotes is needed"),
        (
            HOME_MADE.replace("{ q", "{ d = 2026-01-01, q"),
            "line 4: key `direct.body.d`: a text, a number, true or false",
        ),
    ],
)
def test_a_wrong_value_is_told_what_is_needed(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load(written(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'mine.toml'} {said}")


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = written(tmp_path, "\ufeffseed = 3\nzip = 1\n")
    with pytest.raises(BadInput, match=r"line 2: key `zip`"):
        load(file)
    assert load(written(tmp_path, "\ufeffseed = 3\n")).seed == 3


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.toml is missing"):
        load(tmp_path / "none.toml")


def test_one_key_is_not_sent_to_two_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"small": "http:https://a.example/v1#m", "large": "http:https://b.example/v1#m"}
    monkeypatch.delenv("CROSSOVER_API_KEY", raising=False)
    assert legacy(load(**places)).small == places["small"]  # type: ignore[arg-type]
    monkeypatch.setenv("CROSSOVER_API_KEY", "k")
    with pytest.raises(BadInput, match="would be sent to 2 different hosts"):
        load(**places)  # type: ignore[arg-type]


def test_the_password_of_a_refused_url_is_not_repeated() -> None:
    with pytest.raises(BadInput) as caught:
        load(direct="http:https://me:secret@chips.example/v1#m")
    assert "secret" not in str(caught.value)


def test_a_flag_for_a_model_needs_the_built_in_pipeline(tmp_path: Path) -> None:
    file = written(tmp_path, '[direct]\nkind = "http"\nbase_url = "https://a.example/v1"\nmodel = "m"\n')
    with pytest.raises(
        BadInput, match=r"mine\.toml line 2: key `direct\.kind`: --direct names a model of the built-in"
    ):
        load(file, direct="litellm:x/y")
    assert set(load(file).stand_ins) == {"small", "large"}, "nothing stands in for another system"


def test_a_price_of_ones_own_is_of_tokens_or_calls(tmp_path: Path) -> None:
    text = '[direct]\nmodel = "litellm:x/y"\nprice = {{ {} }}\n'
    tokens = own_price(direct(load(written(tmp_path, text.format("input = 0.15, output = 0.60")))).price)
    assert (tokens.input_usd, tokens.output_usd, tokens.per_call_usd) == (0.15, 0.60, None)
    assert (tokens.standing, tokens.source) == ("assumed", "given in the scenario file")
    assert own_price(OwnPrice(per_call=0.5)).cost(Usage()) == 0.5


def test_what_may_be_secret_is_not_in_the_report(tmp_path: Path) -> None:
    text = HOME_MADE.replace("a.example/", "a.example/?key=s3cret")
    text = text.replace("body", 'headers = { A = "s3cret", B = "Bearer ${TOKEN}", C = "${TOKEN} s3cret" }\nbody')
    text = text.replace("{ q", '{ a = "s3cret", b = ["s3cret ${TOKEN}"], c = "s3cret {{task}} s3cret", n = 7, q')
    scenario = load(written(tmp_path, text))
    assert isinstance(scenario.direct, Http)
    assert "s3cret" in str(scenario.direct.url)
    dumped = scenario.model_dump_json()
    assert "s3cret" not in dumped
    system = json.loads(dumped)["direct"]
    assert system["headers"] == {"A": "(not shown)", "B": "(not shown)${TOKEN}", "C": "${TOKEN}(not shown)"}
    assert system["body"] == {
        "a": "(not shown)",
        "b": ["(not shown)${TOKEN}"],
        "c": "(not shown){{task}}(not shown)",
        "n": 7,
        "q": "{{input}}",
    }
    as_text = HOME_MADE.replace('{ q = "{{input}}" }', '\'{"q": "{{input}}", "k": "s3cret"}\'')
    assert "s3cret" not in load(written(tmp_path, as_text)).model_dump_json()


def test_without_a_name_the_file_of_this_folder_is_taken_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_file(None) is None
    assert capsys.readouterr().err == ""
    (tmp_path / "crossover.toml").write_text("seed = 3\n")
    assert load(default_file(None)).seed == 3
    assert capsys.readouterr().err == "crossover: scenario crossover.toml\n"
    assert default_file(Path("other.toml")) == Path("other.toml")


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    scenario = load(written(tmp_path, '[traffic]\nworkload = "mine"\n'))
    assert scenario.workload_folder == tmp_path / "mine"
    assert str(tmp_path) not in scenario.model_dump_json()


def test_the_published_schema_is_that_of_the_models() -> None:
    text = json.dumps(json_schema(), indent=1) + "\n"
    assert SCHEMA.read_text() == text, "write json_schema() to benchmarks/scenario.schema.json"
