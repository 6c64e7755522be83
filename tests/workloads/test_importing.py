"""Tables of other people: every row is accounted for, and what is written runs."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import scenario
from benchmarks.cli import main
from benchmarks.quality.score import score
from benchmarks.targets.builtin import recording_file
from benchmarks.workloads.from_table import encode, question_frame
from benchmarks.workloads.workload import PARTS, Item, Task, Workload, load
from shared.backends.recorded import read_recording, recording_key

OUTCOMES = ["--prompt", "prompt", "--small", "small", "--large", "large"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(rows: Sequence[Sequence[object]], header: Sequence[str] = ("prompt", "small", "large")) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return text.getvalue()


def questions(count: int) -> list[list[object]]:
    return [[f"How much is {number} and {number % 7}?", number % 2, number % 3 > 0] for number in range(count)]


def rejected(folder: Path = Path("t")) -> list[tuple[int, str]]:
    lines = (folder / "rejected.ndjson").read_text().splitlines()
    return [(entry["line"], entry["reason"]) for entry in map(json.loads, lines)]


def scores(name: str, folder: Path = Path("t")) -> dict[str, float]:
    """The score of every item of the workload, from the recording of that name."""
    workload = load(folder)
    found = {}
    for part, splits in PARTS.items():
        rows = read_recording(recording_file(name, part, folder)).rows
        for item in workload.items:
            if item.split in splits:
                graded = score(rows[recording_key(workload.request(item))].text, item, workload)
                assert graded is not None
                found[item.input] = graded.value
    return found


def test_a_table_of_outcomes_is_compared_without_any_model(capsys: pytest.CaptureFixture[str]) -> None:
    rows = questions(120)
    Path("t.csv").write_text(table(rows))
    assert main(["import", "t.csv", *OUTCOMES]) == 0
    assert "120 rows: 120 items, 0 exact duplicates, 0 rejected" in capsys.readouterr().out
    assert scores("small") == {row[0]: row[1] for row in rows}
    assert scores("large") == {row[0]: float(bool(row[2])) for row in rows}
    assert main(["compare", "t/scenario.toml", "--out", "results"]) == 0
    report = json.loads(Path("results/report.json").read_text())
    judged = [row for row in rows if row[0] in {item.input for item in load(Path("t")).split("test")}]
    shares = {arm: report["quality"]["questions_like_these"][arm]["score"] for arm in ("legacy", "direct")}
    assert shares["direct"] == pytest.approx(sum(float(str(row[1])) for row in judged) / len(judged))
    assert shares["legacy"] == pytest.approx(sum(bool(row[2]) for row in judged) / len(judged))


def test_prices_per_call_make_the_cost_known() -> None:
    Path("t.csv").write_text(table(questions(60)))
    assert main(["import", "t.csv", *OUTCOMES]) == 0
    file = Path("t/scenario.toml")
    file.write_text(file.read_text().replace("# large_price", "large_price").replace("# price", "price"))
    assert main(["compare", "t/scenario.toml", "--out", "results"]) == 0
    for line in Path("results/requests.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["arm"] == "direct":
            assert row["cost_usd"] == pytest.approx(0.0001)


def test_a_classifier_is_trained_on_the_training_split_alone(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[f"{'Hard' if n % 2 else 'Easy'} question number {n} about cats", 1 - n % 2, 1] for n in range(300)]
    Path("t.csv").write_text(table(rows))
    assert main(["import", "t.csv", *OUTCOMES]) == 0
    for part in ("small.test", "large.test"):
        Path(f"t/recordings/{part}.jsonl.gz").rename(f"{part}.gz")
    train = ["classifier", "train", "--workload", "t", "--small", "small", "--large", "large"]
    assert main(train) == 0
    made = json.loads(Path("t/artefacts/small+large.json").read_text())["made"]
    assert made["trained_on"] + made["validated_on"] == len(load(Path("t")).items) - len(load(Path("t")).split("test"))
    for part in ("small.test", "large.test"):
        Path(f"{part}.gz").rename(f"t/recordings/{part}.jsonl.gz")
    capsys.readouterr()
    assert main(["compare", "t/scenario.toml", "--out", "results"]) == 0
    assert "no classifier" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("columns", "legacy", "direct"),
    [
        (("small", "large", "direct"), ("small", "large"), "direct"),
        (("small", "large"), ("small", "large"), "small"),
        (("small", "direct"), ("small", "small"), "direct"),
        (("large", "direct"), ("large", "large"), "direct"),
    ],
)
def test_any_two_models_make_a_scenario(columns: tuple[str, ...], legacy: tuple[str, str], direct: str) -> None:
    rows = [
        [f"question {number}", *(number % (2 + place) > 0 for place in range(len(columns)))] for number in range(40)
    ]
    Path("t.csv").write_text(table(rows, ["prompt", *columns]))
    options = [part for name in columns for part in (f"--{name}", name)]
    assert main(["import", "t.csv", "--prompt", "prompt", *options]) == 0
    assert main(["compare", "t/scenario.toml", "--out", "results", "--limit", "20"]) == 0
    places = {"small": legacy[0], "large": legacy[1], "call": direct}
    chosen = scenario.load(Path("t/scenario.toml"))
    assert chosen.places == {kind: f"recorded:{name}" for kind, name in places.items()}


def test_texts_are_scored_against_the_references() -> None:
    rows = [[f"What is {number} plus 1?", number + 1, f"It is {number + 1}.", str(number)] for number in range(30)]
    Path("t.csv").write_text(table(rows, ["q", "right", "a", "b"]))
    options = [
        "--prompt",
        "q",
        "--reference",
        "right",
        "--scorer",
        "numeric",
        "--small-text",
        "a",
        "--direct-text",
        "b",
    ]
    assert main(["import", "t.csv", *options]) == 0
    assert set(scores("small").values()) == {1.0}
    assert set(scores("direct").values()) == {0.0}


def test_references_alone_make_a_workload_to_be_answered() -> None:
    rows = [[f"Is number {number} even?", "yes" if number % 2 == 0 else "no", "maths"] for number in range(30)]
    Path("t.tsv").write_text(table(rows, ["q", "right", "topic"]).replace(",", "\t"))
    options = ["--prompt", "q", "--reference", "right", "--scorer", "label", "--task", "topic"]
    assert main(["import", "t.tsv", *options]) == 0
    workload = load(Path("t"))
    assert workload.tasks["maths"].labels == ("no", "yes")
    assert workload.tasks["maths"].instruction.endswith("no, yes")
    assert not Path("t/recordings").exists()
    assert "or a million tokens: { input" in Path("t/scenario.toml").read_text()  # they will be counted
    assert all(getattr(score(str(item.reference), item, workload), "value", 0) == 1 for item in workload.items)


def test_nested_fields_and_lists_of_spellings_of_json_lines() -> None:
    rows = [
        {"q": {"text": f"Capital {number}?"}, "a.b": ["Oslo", "Kristiania"], "small": {"ok": number % 2 == 0, "no": 0}}
        for number in range(30)
    ]
    Path("t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["import", "t.jsonl", "--prompt", "q.text", "--reference", "a.b", "--scorer", "short_answer"]) == 0
    assert {str(item.reference) for item in load(Path("t")).items} == {"['Oslo', 'Kristiania']"}
    options = ["--prompt", "q.text", "--small", "small.ok", "--direct", "small.no", "--out", "u"]
    assert main(["import", "t.jsonl", *options]) == 0


def test_parquet_and_json_arrays_give_the_same_items_as_csv() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"prompt": row[0], "small": bool(row[1]), "large": row[2]} for row in questions(30)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), "p.parquet")
    Path("j.json").write_text(json.dumps(rows))
    Path("c.csv").write_text(table([list(row.values()) for row in rows]))
    for file in ("p.parquet", "j.json", "c.csv"):
        assert main(["import", file, *OUTCOMES]) == 0
    assert scores("small", Path("p")) == scores("small", Path("j")) == scores("small", Path("c"))


def test_decimal_numbers_of_parquet_are_numbers() -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [
        {"q": f"question {n}", "right": Decimal(n) / 4, "in": {"a": Decimal("0.25"), "b": [Decimal("1.00")]}}
        for n in range(30)
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), "t.parquet")
    assert main(["import", "t.parquet", "--prompt", "q", "--reference", "right", "--scorer", "numeric"]) == 0
    assert {item.input: item.reference for item in load(Path("t")).items} == {f"question {n}": n / 4 for n in range(30)}
    assert main(["import", "t.parquet", "--prompt", "q", "--small", "in.a", "--direct", "right", "--out", "u"]) == 0
    assert set(scores("small", Path("u")).values()) == {0.25}


def test_labels_of_json_are_texts() -> None:
    right: list[object] = [True, 0, 1, 2.0, "no"]
    rows = [{"q": f"question {n}", "right": right[n % 5], "a": right[n % 5], "b": 2} for n in range(30)]
    Path("t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = ["--prompt", "q", "--reference", "right", "--scorer", "label", "--small-text", "a", "--direct-text", "b"]
    assert main(["import", "t.jsonl", *options]) == 0
    workload = load(Path("t"))
    assert workload.tasks["imported"].labels == ("0", "1", "2", "no", "true")
    assert set(scores("small").values()) == {1.0}
    assert sum(scores("direct").values()) == 6


def test_an_object_is_a_reference_by_its_name() -> None:
    rows = [{"q": f"question {n}", "ref": {"city": "Oslo", "n": n}} for n in range(30)]
    Path("t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["import", "t.jsonl", "--prompt", "q", "--reference", "ref", "--scorer", "json_fields"]) == 0
    assert load(Path("t")).items[0].reference == {"city": "Oslo", "n": 0}
    assert load(Path("t")).items[0].id == "line-1"


def test_messages_are_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"prompt": [{"role": "user", "content": "Why?"}], "small": 1, "large": 0}]
    Path("t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["import", "t.jsonl", *OUTCOMES]) == 2
    assert "messages, no text; import a log with --from, or name a column of texts" in capsys.readouterr().err


def test_an_empty_answer_is_a_wrong_one() -> None:
    rows = [[f"What is {n} plus 1?", n + 1, "" if n % 2 else n + 1, n + 1] for n in range(60)]
    Path("t.csv").write_text(table(rows, ["q", "right", "a", "b"]))
    options = [
        "--prompt",
        "q",
        "--reference",
        "right",
        "--scorer",
        "numeric",
        "--direct-text",
        "a",
        "--large-text",
        "b",
    ]
    assert main(["import", "t.csv", *options]) == 0
    assert not Path("t/rejected.ndjson").exists()
    assert scores("direct") == {row[0]: float(row[2] != "") for row in rows}
    assert main(["compare", "t/scenario.toml", "--out", "results"]) == 0
    judged = [row for row in rows if row[0] in {item.input for item in load(Path("t")).split("test")}]
    shares = json.loads(Path("results/report.json").read_text())["quality"]["questions_like_these"]
    assert shares["legacy"]["score"] == 1.0
    assert shares["direct"]["score"] == pytest.approx(sum(row[2] != "" for row in judged) / len(judged))


def test_an_answer_that_is_not_there_is_a_bad_row() -> None:
    rows = [{"q": f"question {n}", "right": "x", "a": "x", "b": "" if n else None} for n in range(30)]
    Path("t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = ["--prompt", "q", "--reference", "right", "--scorer", "label", "--small-text", "a", "--direct-text", "b"]
    assert main(["import", "t.jsonl", *options]) == 0
    assert rejected() == [(1, "column `b`: no answer")]


def test_the_share_of_repeats_is_that_of_the_file() -> None:
    Path("t.csv").write_text(table([*questions(60), *questions(20)]))
    assert main(["import", "t.csv", *OUTCOMES]) == 0
    assert (
        "repeat_share = 0.25  # how many requests repeat an earlier one: as in your file"
        in Path("t/scenario.toml").read_text()
    )
    assert scenario.load(Path("t/scenario.toml")).traffic.repeat_share == 0.25


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("t.csv", 'Frage;"klein, in Prozent";gross\n{};1;0\n'),
        ("t.tsv", "Frage, kurz\tklein, in Prozent, rund\tgross\n{}\t1\t0\n"),
        ("t.csv", '"Frage; kurz; einfach",klein,gross\n{},1,0\n'),
        ("t.csv", "Frage,klein,gross\r{},1,0\r"),
    ],
)
def test_the_separator_is_the_one_that_makes_most_cells(name: str, lines: str) -> None:
    end = lines[-1]
    head, row = lines.rstrip(end).split(end)
    with Path(name).open("w", newline="") as file:
        file.write(end.join([head, *(row.format(f"question {n}") for n in range(30)), ""]))
    prompt, small, large = next(csv.reader([head], delimiter="\t" if name == "t.tsv" else ";" if ";1" in row else ","))
    assert main(["import", name, "--prompt", prompt, "--small", small, "--large", large]) == 0
    assert [item.input for item in load(Path("t")).items] == [f"question {n}" for n in range(30)]


@pytest.mark.parametrize(
    "arm",
    [
        '[direct]\nmodel = "litellm:a/b"',
        '[direct]\nmodel = "recorded:own"',
        '[direct]\nkind = "http"\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"',
        '[direct]\nkind = "python"\ncallable = "m:f"',
    ],
)
def test_nobody_can_be_asked_what_has_graded_outcomes_only(arm: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text(table(questions(60)))
    assert main(["import", "t.csv", *OUTCOMES]) == 0
    own = gzip.decompress(Path("t/recordings/small.test.jsonl.gz").read_bytes()).replace(b'"imported"', b'"local"', 1)
    Path("t/recordings/own.test.jsonl").write_bytes(own)
    file = Path("t/scenario.toml")
    file.write_text(file.read_text().partition("[direct]")[0] + arm)
    for command in (["compare", "--out", "results"], ["compare", "--dry-run"], ["check"]):
        assert main([*command, str(file)]) == 2
        assert "graded outcomes only, and nobody here can grade a new answer" in capsys.readouterr().err
    assert not Path("results").exists()


def test_no_model_is_recorded_on_what_has_graded_outcomes_only(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text(table(questions(60)))
    assert main(["import", "t.csv", *OUTCOMES]) == 0
    assert main(["record", "--workload", "t", "--model", "http:http://127.0.0.1:1/v1#m"]) == 2
    assert "nobody here can grade a new answer" in capsys.readouterr().err


def test_a_recorded_outcome_that_is_none_is_no_wrong_answer(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text(table(questions(60)))
    assert main(["import", "t.csv", *OUTCOMES]) == 0
    file = Path("t/recordings/small.test.jsonl.gz")
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()).replace(b'"text":"1"', b'"text":"Yes."')))
    assert main(["compare", "t/scenario.toml", "--out", "results"]) == 2
    assert "import the table again" in capsys.readouterr().err


MESSY = (
    b"\xef\xbb\xbfprompt,small,large\r\n"
    + b"".join(b"question %d,%d,1\r\n" % (number, number % 2) for number in range(40))
    + b'"two\r\nlines, ""quoted""",yes,0.35\r\n'  # line 42
    + b"\r\n"
    + b"bad \xff byte,1,0\r\n"  # line 45
    + b" ,1,0\r\n"
    + b"q,maybe,1\r\n"
    + b"q,1.7,1\r\n"
    + b"q,1\r\n"
    + b"q,,1\r\n"
    + b"question 0,0,1\r\n"  # the same as line 2
    + b"question 1,0,1\r\n"  # line 3 says 1
    + b'"q"x,1,1\r\n'
)


def test_bad_rows_are_told_by_line_and_set_aside_and_the_others_imported(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_bytes(MESSY)
    assert main(["import", "t.csv", *OUTCOMES]) == 0
    told = capsys.readouterr()
    assert "50 rows: 41 items, 1 exact duplicates, 8 rejected, see t/rejected.ndjson" in told.out
    reasons = rejected()
    assert [number for number, _ in reasons] == [45, 46, 47, 48, 49, 50, 52, 53]
    for (_, reason), part in zip(
        reasons,
        ["not UTF-8", "empty prompt", "no outcome", "no outcome", "2 columns", "no outcome", "line 3 again", "a quote"],
        strict=True,
    ):
        assert part in reason
    assert told.err.splitlines() == [f"line {number}: {reason}" for number, reason in reasons]
    last = json.loads(Path("t/rejected.ndjson").read_text().splitlines()[-1])
    assert last["row"] == '"q"x,1,1\r\n'
    assert scores("large")['two\r\nlines, "quoted"'] == 0.35


def test_only_the_first_bad_rows_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text(table([*questions(40), *([f"q{number}", "?", 1] for number in range(25))]))
    assert main(["import", "t.csv", *OUTCOMES]) == 0
    assert len(capsys.readouterr().err.splitlines()) == 11
    assert len(rejected()) == 25


def test_strict_refuses_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_bytes(MESSY)
    assert main(["import", "t.csv", "--strict", *OUTCOMES]) == 2
    assert "8 of 50 rows cannot be used; nothing was written" in capsys.readouterr().err
    assert [each.name for each in Path().iterdir()] == ["t.csv"]


def test_bad_lines_of_json() -> None:
    good = [{"prompt": f"question {number}", "small": 1, "large": 0, "topic": "x"} for number in range(40)]
    lines = [json.dumps(each).encode() for each in good]
    deep = b'{"a":' * 100_000
    odd = {"prompt": "ok", "small": 1, "large": 0, "topic": "x"}
    lines += [
        b"{",
        b"[1]",
        b'{"prompt": "\xff"}',
        b'{"prompt": NaN}',
        deep,
        b'{"prompt": "\\ud800", "small": 1, "large": 1, "topic": "x"}',
    ]
    lines += [json.dumps({**odd, "prompt": prompt}).encode() for prompt in (None, 5, ["x"], "")]
    lines += [json.dumps({**odd, "topic": "\ud800"}).encode(), b'{"prompt": ' + b'{"a":' * 900 + b"1" + b"}" * 901]
    Path("t.jsonl").write_bytes(b"\n".join(lines))
    assert main(["import", "t.jsonl", *OUTCOMES, "--task", "topic"]) == 0
    reasons = rejected()
    assert [number for number, _ in reasons] == list(range(41, 53))
    for (_, reason), part in zip(
        reasons,
        ["not JSON", "a JSON object is needed, this is list", "not UTF-8", "not JSON", "not JSON", "surrogate", "empty",
         "int", "list", "empty", "surrogate", "dict"],
        strict=True,
    ):  # fmt: skip
        assert part in reason


@pytest.mark.parametrize(
    ("scorer", "bad"),
    [
        ("numeric", ["many", "1,234", "nan", "1e5", "", "0x10", "1" * 400, "1" * 5000]),
        ("label", ["", " "]),
        ("json_fields", ["{}", "[1]", "{", "", '{"a": NaN}']),
        ("short_answer", [""]),
    ],
)
def test_references_that_their_scorer_rejects_are_bad_rows(scorer: str, bad: list[str]) -> None:
    right = {"numeric": "7", "label": "ok", "json_fields": '{"a": 1}', "short_answer": "Oslo"}[scorer]
    rows = [[f"question {number}", right] for number in range(40)] + [[f"bad {cell}", cell] for cell in bad]
    Path("t.csv").write_text(table(rows, ["prompt", "right"]))
    assert main(["import", "t.csv", "--prompt", "prompt", "--reference", "right", "--scorer", scorer]) == 0
    assert [number for number, _ in rejected()] == list(range(42, 42 + len(bad)))


def test_what_a_cell_says_is_never_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text(table([*questions(40), ["q", "the secret", 1], ["r", "", "the secret"]]))
    assert main(["import", "t.csv", *OUTCOMES]) == 0
    told = capsys.readouterr()
    assert "secret" not in told.out + told.err


def test_groups_stay_whole_and_few_of_them_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text(
        table([[*row, f"user {n % 10}"] for n, row in enumerate(questions(60))], ["prompt", "small", "large", "user"])
    )
    assert main(["import", "t.csv", *OUTCOMES, "--group", "user"]) == 0
    assert "split by 10 groups; few" in capsys.readouterr().out
    splits: dict[str, set[str]] = {}
    for item in load(Path("t")).items:
        splits.setdefault(item.group, set()).add(item.split)
    assert all(len(each) == 1 for each in splits.values())


def test_spellings_of_one_question_share_a_group() -> None:
    rows = questions(30)
    Path("t.csv").write_text(table([*rows, *([str(row[0]).upper().replace(" ", "  "), *row[1:]] for row in rows)]))
    assert main(["import", "t.csv", *OUTCOMES]) == 0
    assert len({item.group for item in load(Path("t")).items}) == 30


@pytest.mark.parametrize(
    ("name", "content", "options", "says"),
    [
        ("t.csv", "", OUTCOMES, "t.csv is empty"),
        ("t.csv", "\n\n", OUTCOMES, "no column names"),
        ("t.csv", "prompt,small,large\n", OUTCOMES, "t.csv holds no rows"),
        ("t.csv", "prompt,small,large\na,maybe,0\n", OUTCOMES, "none of its 1 rows can be used"),
        ("t.csv", "prompt,small\na,1\n", ["--prompt", "prompt", "--small", "small", "--large", "small"], "given twice"),
        ("t.csv", "p\0r\0,\0\na,1\n", OUTCOMES, "not UTF-8; save it as UTF-8, e.g. iconv -f utf-16le -t utf-8 t.csv"),
        ("t.csv", "prompt,small,small\na,1,0\n", OUTCOMES, "2 columns are called 'small'"),
        ("t.csv", "promt,small,large\na,1,0\n", OUTCOMES, "'prompt' (did you mean 'promt'?); it has the columns promt"),
        ("t.csv", "prompt,small,large\na,1,0\n", ["--prompt", "prompt"], "give --reference COL and --scorer NAME"),
        ("t.csv", "prompt,small,large\nwhy?,1,0\n", [], "--prompt COL; t.csv has the columns prompt, small, large"),
        ("t.csv", "prompt,small,large\na,1,0\n", ["--prompt", "prompt", "--small", "small"], "compares nothing"),
        ("t.csv", "prompt,small,large\na,1,0\n", [*OUTCOMES, "--scorer", "label"], "leave out --reference"),
        ("t.csv", "q,r\na,1\n", ["--prompt", "q", "--reference", "r", "--scorer", "best"], "one of label, numeric"),
        ("t.csv", "prompt,small,large\na,1,0\n", [*OUTCOMES, "--from", "litellm"], "leave out --from"),
        ("t.csv", 'prompt,small,large\n"a,1,0\nb,1,0\n', OUTCOMES, "line 2: a cell that starts here"),
        ("t.csv", ",".join(map(str, range(1_000_000))), OUTCOMES, "has 1,000,000 columns"),
        ("t.csv", 'prompt,small,large\n"' + "x" * (17 << 20), OUTCOMES, "line 2 is longer than 16 MiB"),
        ("t.txt", "prompt", OUTCOMES, "the ending '.txt' is unknown"),
        ("t.json", '{"a": 1}', OUTCOMES, "no array of rows"),
        ("t.json", "[", OUTCOMES, "not JSON in UTF-8"),
        ("t.jsonl", "{}\n", OUTCOMES, "has no column 'prompt'"),
        ("t.parquet", "PAR1", OUTCOMES, "no Parquet file"),
        ("t.csv", "PAR1", OUTCOMES, "give it the ending .parquet"),
        ("t.csv", "TIMESTAMP,Tokens\n2023-11-16 18:17:03.9799600,48\n", [], "times only (TIMESTAMP, Tokens)"),
        ("t.jsonl", '{"id": 1, "input": "a", "output": "b", "latency_ms": 3}', [], 'write kind = "log"'),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_says_why(
    name: str, content: str, options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_text(content)
    assert main(["import", name, *options]) == 2
    assert says in capsys.readouterr().err
    assert [each.name for each in Path().iterdir()] == [name]


def test_utf_16_a_directory_and_nothing_there(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text("prompt,small,large\na,1,0\n", encoding="utf-16")
    Path("d.csv").mkdir()
    for name, says in (("t.csv", "UTF-16; save it as UTF-8"), ("d.csv", "a directory"), ("no.csv", "missing")):
        assert main(["import", name, *OUTCOMES]) == 2
        assert says in capsys.readouterr().err


def test_a_header_in_another_encoding_says_how_to_save_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_bytes("pr\xfcfung,small,large\na,1,0\n".encode("latin1"))
    assert main(["import", "t.csv", *OUTCOMES]) == 2
    assert "iconv -f latin1 -t utf-8 t.csv" in capsys.readouterr().err


def test_strict_names_the_rows_before_anything_is_said_of_the_splits(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_bytes(table(questions(1)).encode() + b"bad \xff,1,0\r\n")
    assert main(["import", "t.csv", "--strict", *OUTCOMES]) == 2
    told = capsys.readouterr().err
    assert "line 3: bytes that are not UTF-8; save the file as UTF-8" in told
    assert "1 of 2 rows cannot be used" in told


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file whose reading fails")
def test_a_file_that_cannot_be_read_is_not_taken_for_one_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("t.csv").symlink_to("/proc/self/mem")
    assert main(["import", "t.csv", *OUTCOMES]) == 2
    assert "t.csv cannot be read (Input/output error)" in capsys.readouterr().err


def test_a_row_that_cannot_be_read_is_not_taken_for_one_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [{"prompt": f"question {n}", "small": 1, "large": 0} for n in range(3000)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), "t.parquet", row_group_size=1000, compression="none")
    content = bytearray(Path("t.parquet").read_bytes())
    last = parquet.ParquetFile("t.parquet").metadata.row_group(2).column(0).dictionary_page_offset
    content[last : last + 40] = b"\xff" * 40
    Path("t.parquet").write_bytes(content)
    assert main(["import", "t.parquet", *OUTCOMES]) == 2
    told = capsys.readouterr().err
    assert "t.parquet" in told
    assert "cannot be read" in told


def test_nothing_is_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text(table(questions(30)))
    Path("t").mkdir()
    assert main(["import", "t.csv", *OUTCOMES]) == 0  # an empty folder may be filled
    assert main(["import", "t.csv", *OUTCOMES]) == 2
    assert "--out" in capsys.readouterr().err
    assert main(["import", "t.csv", "--out", "no/such", *OUTCOMES]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_items_that_all_fall_into_training_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    item = Item(id="", group="a", task="", input="", reference=None, author="", source="", licence="")
    group = next(str(n) for n in range(100) if item.model_copy(update={"group": str(n)}).split == "train")
    Path("t.csv").write_text(table([[*row, group] for row in questions(20)], ["prompt", "small", "large", "g"]))
    assert main(["import", "t.csv", *OUTCOMES, "--group", "g"]) == 2
    assert "none is left to compare on; give more rows, or leave out --group g" in capsys.readouterr().err


def test_twenty_thousand_rows_are_all_there() -> None:
    with Path("t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["prompt", "small", "large"], *questions(20_000)])
    assert main(["import", "t.csv", *OUTCOMES]) == 0
    recorded = [len(gzip.decompress(file.read_bytes()).splitlines()) - 1 for file in Path("t/recordings").iterdir()]
    assert len(recorded) == 4
    assert sum(recorded) == 40_000
    assert len(Path("t/items.jsonl").read_bytes().splitlines()) == 20_000


@given(prompt=st.text(), task=st.builds(Task, instruction=st.text(max_size=9), scorer=st.just("outcome")))
def test_the_key_is_that_of_the_request(prompt: str, task: Task) -> None:
    item = Item(id="i", group="g", task="t", input=prompt, reference=None, author="a", source="s", licence="l")
    before, after = question_frame(task)
    key = hashlib.sha256(before + encode(prompt).encode() + after).hexdigest()
    assert key == recording_key(Workload("w", {"t": task}, (item,), "v").request(item))


CELL = st.sampled_from(
    ["1", "0", "maybe", "", "0.5", "a", "b", "ä", "c,d", 'e"f', "g\nh", "\r", "\ufeff", "\x00", "x" * 50]
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(CELL, min_size=1, max_size=4).filter(any), max_size=30), st.booleans())
def test_no_row_is_lost(rows: list[list[str]], as_json: bool) -> None:
    items: dict[str, list[str]] = {}
    bad = repeats = 0
    for row in rows:
        right_width = len(row) == 3 or (as_json and len(row) == 4)
        if not (right_width and row[0].strip() and {"1", "0", "0.5"}.issuperset(row[1:3])):
            bad += 1
        elif row[0] not in items:
            items[row[0]] = row[1:3]
        elif items[row[0]] == row[1:3]:
            repeats += 1
        else:
            bad += 1
    anchors = [[f"anchor {number}", "1", "0"] for number in range(30)]
    told = io.StringIO()
    with tempfile.TemporaryDirectory() as name, redirect_stdout(told):
        folder = Path(name)
        file = folder / ("t.jsonl" if as_json else "t.csv")
        if as_json:
            keys = ("prompt", "small", "large", "more")
            lines = [json.dumps(dict(zip(keys, row, strict=False))) for row in [*anchors, *rows]]
            file.write_text("\n".join(lines))
        else:
            with file.open("w", newline="", encoding="utf-8") as out:
                csv.writer(out).writerows([["prompt", "small", "large"], *anchors, *rows])
        assert main(["import", str(file), "--out", str(folder / "t"), *OUTCOMES]) == 0
        assert {item.input for item in load(folder / "t").items} == {*items, *(row[0] for row in anchors)}
    total = len(rows) + 30
    assert f"{total} rows: {len(items) + 30} items, {repeats} exact duplicates, {bad} rejected" in told.getvalue()
