"""`crossover init` writes what runs; `crossover check` finds what is wrong and asks nobody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.init import TEMPLATE
from benchmarks.scenario import ARMS, Arm, load
from benchmarks.targets.builtin import open_classifier
from shared.contract import Identity
from shared.errors import BadInput
from tests.targets.endpoint import write_workload

BLOCKS = re.findall(r"(?:^#kind = .*\n)(?:^#.*\n)*", TEMPLATE.read_text(), re.MULTILINE)


def test_the_file_it_writes_is_the_preset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    assert main(["init", str(file)]) == 0
    assert load(file).model_dump() == load().model_dump()
    assert f"crossover compare {file}" in capsys.readouterr().out
    schema = file.read_text().splitlines()[0].removeprefix("#:schema ")
    assert (tmp_path / schema).resolve().name == "scenario.schema.json"
    assert (tmp_path / schema).is_file()


def test_it_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 3\n")
    assert main(["init", str(file)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert file.read_text() == "seed = 3\n"
    assert main(["init", str(tmp_path / "none" / "mine.toml")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def replaced(text: str, arm: str, block: str) -> str:
    """The file with a block in force under an arm, and the arm's own lines behind `#`, as the file says to do it."""
    head, _, rest = text.partition(f"\n[{arm}]\n")
    own, _, rest = rest.partition("\n\n")
    without = re.sub("^", "#", own, flags=re.MULTILINE)
    return f"{head}\n[{arm}]\n{without}\n{re.sub('^#', '', block, flags=re.MULTILINE)}\n{rest}"


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: "-".join(block.split("\n")[:2]))
def test_each_block_it_shows_can_take_the_place_of_the_one_in_force(arm: Arm, block: str, tmp_path: Path) -> None:
    text = TEMPLATE.read_text()
    kind = block.split('"')[1]
    if kind == "builtin" and arm == "legacy":
        return  # the two built-in pipelines have keys of their own
    if kind == "log":
        text = re.sub("^(workload|repeat_share|zipf)", r"#\1", text, flags=re.MULTILINE)
        text = re.sub(r"^#(\[quality\]|scorer)", r"\1", text, flags=re.MULTILINE)
        text = text.replace('= "recorded:', '= "litellm:')
        text = re.sub(r"^(\w+_)?hardware =.*\n", "", text, flags=re.MULTILINE)
    file = tmp_path / "mine.toml"
    file.write_text(replaced(text, arm, block))
    assert load(file).arms[arm].kind == kind


def test_six_lines_of_the_guide_are_a_file(tmp_path: Path) -> None:
    """A gateway against any model."""
    guide = (Path(__file__).parents[1] / "docs" / "bring-your-own.md").read_text()
    lines = re.findall(
        "^    (.*\n)", guide.partition("these six lines:")[2].partition("\nThe questions")[0], re.MULTILINE
    )
    assert len(lines) == 6
    file = tmp_path / "crossover.toml"
    file.write_text("".join(lines))
    assert [load(file).arms[arm].kind for arm in ARMS] == ["http", "builtin"]


def test_a_half_edited_file_is_told_all_that_remains(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    http = 'kind = "http"\nbase_url = "https://a.example/v1"\nmodel = "m"'
    file.write_text(TEMPLATE.read_text().replace('kind = "builtin"', http, 1))
    keys = "small, small_price, large, large_price, settings, small_hardware, large_hardware"
    with pytest.raises(
        BadInput, match=f'the keys {keys} belong to kind = "builtin", and this table is of kind = "http"'
    ):
        load(file)
    log = 'kind = "log"\npath = "a"\n'
    file.write_text(replaced(replaced(TEMPLATE.read_text(), "legacy", log), "direct", log))
    with pytest.raises(BadInput, match="leave out repeat_share, workload, zipf"):
        load(file)


def test_all_kinds_are_shown() -> None:
    assert {block.split('"')[1] for block in BLOCKS} == {"builtin", "http", "python", "log"}


def checked(folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    file = folder / "mine.toml"
    file.write_text(text)
    code = main(["check", str(file)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_check_says_what_each_arm_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workload(tmp_path / "sums")
    (tmp_path / "mine.py").write_text("def answer(text): return text")
    monkeypatch.setenv("GATEWAY_KEY", "k")
    code, out, _ = checked(
        tmp_path,
        '[traffic]\nworkload = "sums"\n[direct]\nkind = "python"\ncallable = "mine:answer"\n[legacy]\nkind = "http"\n'
        'base_url = "http://127.0.0.1:1/v1"\nmodel = "m"\napi_key_env = "GATEWAY_KEY"\nprice = "gpt-4o"\n',
        capsys,
    )
    assert code == 0
    assert "questions of sums" in out
    assert "legacy: http\n  call asks m at http://127.0.0.1:1/v1, price gpt-4o" in out
    assert "direct: python\n  call asks mine:answer, price not known" in out


def test_check_finds_the_classifier_of_models_whose_names_hold_a_colon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_workload(tmp_path / "sums")
    (tmp_path / "sums" / "artefacts").mkdir()
    (tmp_path / "sums" / "artefacts" / "ollama--qwen2.5:0.5b+a--b:7b.json").write_text("{}")
    code, out, _ = checked(
        tmp_path,
        '[traffic]\nworkload = "sums"\n[legacy]\nsmall = "litellm:ollama/qwen2.5:0.5b"\n'
        'large = "http:http://127.0.0.1:1/v1#a/b:7b"\n[direct]\nmodel = "litellm:ollama/qwen2.5:0.5b"\n',
        capsys,
    )
    assert code == 0
    assert "classifier trained" in out


def test_the_note_of_a_missing_classifier_holds_a_command_that_runs_from_here(tmp_path: Path) -> None:
    _, (note,) = open_classifier(Identity("local", "s"), Identity("local", "l"), tmp_path / "sums")
    assert note.endswith(f"crossover classifier train --small s --large l --workload {tmp_path / 'sums'}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[traffic]\nworkload = "none"\n[legacy]\nsmall = "litellm:x"\nlarge = "litellm:y"',
         "none"),
        ('[traffic]\nworkload = "sums"', "no test recording of 'qwen-0.5b' in "),
        ('[legacy]\nkind = "log"\npath = "a.jsonl"\n[direct]\nkind = "log"\npath = "b.jsonl"', "no id in common"),
        ('[quality]\nscorer = "outcome"\n[legacy]\nkind = "log"\npath = "a.jsonl"\n[direct]\nkind = "log"\n'
         'path = "a.jsonl"', "mine.toml line 2: key `quality.scorer`: outcome is for imported tables"),
        ('[legacy]\nkind = "log"\npath = "c.jsonl"\n[direct]\nkind = "log"\npath = "b.jsonl"', "c.jsonl cannot"),
        ('[traffic]\nworkload = "sums"\n[direct]\nkind = "python"\ncallable = "gone:f"\n[legacy]\nkind = "http"\n'
         'base_url = "http://a.example/v1"\nmodel = "m"', "gone"),
        ('[traffic]\nworkload = "sums"\n[direct]\nmodel = "litellm:x/y"\n[legacy]\nkind = "http"\n'
         'api_key_env = "UNSET_"\nbase_url = "http://a.example/v1"\nmodel = "m"',
         "mine.toml line 7: key `legacy.api_key_env`: the environment variable UNSET_ is not set"),
        ('[traffic]\nworkload = "sums"\n[direct]\nmodel = "litellm:groq/m"\n[legacy]\nsmall = "litellm:ollama/m"\n'
         'large = "litellm:x/y"', "line 4: key `direct.model`: the environment variable GROQ_API_KEY is not set"),
    ],
)  # fmt: skip
def test_check_finds_what_is_wrong(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    write_workload(tmp_path / "sums")
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n')
    (tmp_path / "b.jsonl").write_text('{"id": 2}\n')
    code, out, err = checked(tmp_path, text, capsys)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
