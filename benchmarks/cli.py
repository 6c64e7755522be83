"""The `crossover` command. Only what a sub-command needs is imported, when it runs: `--help` answers at once.

Exit codes: 0 done, 1 a check failed, 2 the input is wrong or it could not be measured, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.commands import NAMES, count, seed
from benchmarks.commands.examples import Parser

MODEL_HELP = "recorded:NAME, local:NAME, litellm:NAME or http:URL#MODEL"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command and return its exit code."""
    args = _parser().parse_args(arguments)
    from shared.errors import CrossoverError

    try:
        code: int = args.run(args)
    except CrossoverError as error:
        print(f"crossover: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("crossover: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
        prog="crossover", description="Two LLM inference pipelines behind one contract, compared on the same requests."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    compare = commands.add_parser("compare", help="answer the same requests with both systems and report")
    _scenario_arguments(compare)
    compare.add_argument("--live", action="store_true", help="answer with the real local models, not their recordings")
    compare.add_argument("--limit", type=count, metavar="N", help="answer only the first N requests")
    compare.add_argument("--seed", type=seed, metavar="N", help="seed of the traffic")
    compare.add_argument("--out", type=Path, default=Path("results"), metavar="DIR", help="where the report goes")
    compare.add_argument(
        "--repeats",
        type=count,
        default=1,
        metavar="N",
        help="ask each system everything N times, for its noise floor",
    )
    compare.add_argument("--dry-run", action="store_true", help="estimate calls, tokens and dollars; ask nobody")
    compare.add_argument("--max-usd", type=_dollars, metavar="USD", help="stop before more than this is spent")
    compare.set_defaults(run=_compare)

    explain = commands.add_parser("explain", help="tell one request's whole story from a report")
    explain.add_argument("directory", type=Path, metavar="DIR", help="a directory that compare wrote")
    explain.add_argument("request", metavar="ID", help="a request's number, an item's id, or a kind such as misroute")
    explain.set_defaults(run=_explain)

    serve = commands.add_parser("serve", help="serve a pipeline over an OpenAI-compatible API")
    serve.add_argument("arm", choices=("legacy", "direct"))
    _scenario_arguments(serve)
    serve.add_argument("--live", action="store_true", help="answer with the real local models, not their recordings")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    serve.add_argument("--port", type=int, default=8000, help="port to listen on; 0 takes any free one")
    serve.add_argument("--token-env", metavar="NAME", help="environment variable with the token that clients must send")
    serve.add_argument("--cache", type=Path, metavar="DIR", help="where legacy keeps answers beyond the server's life")
    serve.set_defaults(run=_serve)

    init = commands.add_parser("init", help="write a scenario file to begin with")
    init.add_argument("file", nargs="?", type=Path, default=Path("crossover.toml"), metavar="FILE")
    init.set_defaults(run=_init)

    check = commands.add_parser("check", help="check a scenario without asking anybody")
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default: crossover.toml, or the preset")
    check.set_defaults(run=_check)

    models = commands.add_parser("models", help="list, fetch, check and burn the local models")
    kinds = models.add_subparsers(metavar="ACTION", required=True)
    kinds.add_parser("list", help="what is known, and what is here").set_defaults(run=_models_list)
    for name, run, text in (
        ("pull", _models_pull, "fetch models into the user cache directory and verify them"),
        ("verify", _models_verify, "check the SHA-256 of the models that are here"),
    ):
        action = kinds.add_parser(name, help=text)
        action.add_argument("names", nargs="*", metavar="NAME", help="models (default: all)")
        action.set_defaults(run=run)
    burn = kinds.add_parser("burn", help="round a model's weights to what hard-wired silicon holds")
    burn.add_argument("name", metavar="NAME")
    burn.add_argument("--ffn-bits", type=count, default=3, metavar="B", help="bits of the feed-forward weights")
    burn.add_argument("--rest-bits", type=count, default=6, metavar="B", help="bits of all other weights")
    burn.add_argument("--out", type=Path, metavar="FILE", help="where to write it (default: beside the model)")
    burn.set_defaults(run=_models_burn)

    record = commands.add_parser("record", help="record a model's answers to a workload")
    record.add_argument(
        "--model", required=True, metavar="M", help="local:NAME (or NAME), litellm:NAME or http:URL#MODEL"
    )
    record.add_argument("--workload", type=Path, metavar="DIR", help="a workload folder, or builtin (default)")
    record.add_argument("--part", choices=("training", "test"), help="which items (default: both, one after the other)")
    record.add_argument("--task", action="append", default=[], metavar="T", help="only items of this task (repeatable)")
    record.add_argument("--samples", type=count, metavar="N", help="N sampled answers a question, at temperature 0.7")
    record.add_argument("--parallel", type=count, default=1, metavar="N", help="ask N copies of the model at once")
    record.add_argument("--alone", action="store_true", help="keep only answers given while nothing else was running")
    record.add_argument(
        "--verify", type=count, metavar="N", help="ask N recorded questions again and compare the texts"
    )
    record.add_argument("--seed", type=seed, default=7, metavar="N", help="seed that chooses what --verify asks")
    record.set_defaults(run=_record)

    classifier = commands.add_parser("classifier", help="train the legacy pipeline's complexity classifier")
    actions = classifier.add_subparsers(metavar="ACTION", required=True)
    train = actions.add_parser("train", help="make the artefact again from two recordings")
    train.add_argument("--small", required=True, metavar="NAME", help="recording of the small model")
    train.add_argument("--large", required=True, metavar="NAME", help="recording of the large model")
    train.add_argument("--quality-loss", type=float, default=0.02, metavar="Q", help="score that routing may lose")
    train.add_argument("--workload", type=Path, metavar="DIR", help="a workload folder (default: the built-in one)")
    train.set_defaults(run=_classifier_train)
    evaluate = actions.add_parser("evaluate", help="judge it on a table of two models' outcomes, beside other routers")
    evaluate.add_argument("file", type=Path, metavar="FILE", help="CSV, JSON Lines, JSON or Parquet, by its ending")
    for name, text in (
        ("prompt", "column of the questions"),
        ("small", "column of the small model's outcomes: true, false, 0..1"),
        ("large", "column of the large model's outcomes"),
    ):
        evaluate.add_argument(f"--{name}", required=True, metavar="COL", help=text)
    evaluate.add_argument("--group", metavar="COL", help="topics or tasks: only to report, nothing is trained on them")
    evaluate.add_argument("--direct", metavar="COL", help="outcomes of one model that could answer alone")
    evaluate.add_argument("--small-again", metavar="COL", help="outcomes of a second run of the small model")
    evaluate.add_argument("--large-again", metavar="COL", help="outcomes of a second run of the large model")
    evaluate.add_argument("--cv", type=count, default=5, metavar="K", help="folds (default: 5)")
    evaluate.add_argument("--json", action="store_true", help="print the figures as JSON")
    evaluate.set_defaults(run=_classifier_evaluate)
    calibrate = actions.add_parser("calibrate", help="choose the threshold on your own traffic for a stated quality")
    calibrate.add_argument("log", type=Path, metavar="LOG", help="a table of questions and both models' outcomes")
    calibrate.add_argument("--quality", type=float, required=True, metavar="Q", help="mean score to keep, 0..1")
    for name in ("prompt", "small", "large"):
        calibrate.add_argument(f"--{name}", default=name, metavar="COL", help=f"column (default: {name})")
    calibrate.add_argument("--group", metavar="COL", help="rows alike here are right or wrong together (a user)")
    calibrate.add_argument(
        "--scenario", type=Path, metavar="FILE", help="whose classifier is set (default: crossover.toml)"
    )
    calibrate.set_defaults(run=_classifier_calibrate)

    importing = commands.add_parser("import", help="make a workload, or a log, out of a table or a gateway's log")
    importing.add_argument("file", type=Path, metavar="FILE", help="CSV, JSON Lines, JSON or Parquet, by its ending")
    importing.add_argument("--out", type=Path, metavar="DIR", help="the folder to make (default: FILE's name, here)")
    importing.add_argument("--prompt", metavar="COL", help="column of the questions; a.b for b within a")
    importing.add_argument("--reference", metavar="COL", help="column of the right answers")
    importing.add_argument("--scorer", metavar="S", help="label, numeric, short_answer, json_fields or grammar")
    for name in ("small", "large", "direct"):
        importing.add_argument(f"--{name}", metavar="COL", help=f"outcomes of the {name} model: true, false, 0..1")
        importing.add_argument(f"--{name}-text", metavar="COL", help=f"answers of the {name} model, to be scored")
    importing.add_argument("--group", metavar="COL", help="rows alike here are never split up (paraphrases, a user)")
    importing.add_argument("--task", metavar="COL", help="column of the tasks, or topics, to report one by one")
    importing.add_argument("--from", dest="source", choices=("litellm", "langfuse"), help="a log of this gateway")
    importing.add_argument("--strict", action="store_true", help="refuse the file if any row cannot be used")
    importing.set_defaults(run=_import)

    drift = commands.add_parser("drift", help="play a timeline of changes to traffic, models and policies")
    drift.add_argument("timeline", nargs="?", type=Path, metavar="TIMELINE", help="a TOML file (default: one of ours)")
    drift.add_argument("--seed", type=seed, metavar="N", help="seed of the traffic")
    drift.add_argument("--json", action="store_true", help="print the figures as JSON")
    drift.add_argument("--out", type=Path, metavar="DIR", help="write drift.json there")
    drift.set_defaults(run=_drift)

    label = commands.add_parser("label", help="compare the answers that differ, blind, where no reference tells")
    label.add_argument("directory", type=Path, metavar="RUN", help="a directory that compare wrote")
    label.add_argument("--sample", type=count, metavar="N", help="how many differing pairs to draw (default: 200)")
    label.add_argument("--page", action="store_true", help="label in the browser, on a page of this machine alone")
    label.add_argument("--judge", metavar="M", help=f"have a model compare every differing pair: {MODEL_HELP}")
    label.add_argument("--max-usd", type=_dollars, metavar="USD", help="stop the judge before more than this is spent")
    label.add_argument("--status", action="store_true", help="print what the labels say; reading it ends blindness")
    label.add_argument("--json", action="store_true", help="with --status: print the figures as JSON")
    label.set_defaults(run=_label)

    cache = commands.add_parser("cache", help="judge the semantic cache on pairs of requests")
    steps = cache.add_subparsers(metavar="ACTION", required=True)
    evaluate = steps.add_parser("evaluate", help="hits and false hits, with the second gate and without")
    evaluate.add_argument("--pairs", type=Path, metavar="FILE", help="CSV with columns a,b,same (default: built-in)")
    evaluate.add_argument("--max-false", type=float, default=0.01, metavar="S", help="share of false hits allowed")
    evaluate.add_argument("--json", action="store_true", help="print the report as JSON")
    evaluate.set_defaults(run=_cache_evaluate)
    train = steps.add_parser("train", help="make the weights of the second gate again")
    train.add_argument("--pairs", type=Path, metavar="FILE", help="CSV with columns a,b,same (default: built-in)")
    train.set_defaults(run=_cache_train)

    workload = commands.add_parser("workload", help="look into a workload")
    steps = workload.add_subparsers(metavar="ACTION", required=True)
    check = steps.add_parser("check", help="find what is wrong with a workload, and where it is alike or too easy")
    check.add_argument(
        "path", nargs="?", type=Path, metavar="FILE", help="a workload folder, or one of its *.jsonl (default: builtin)"
    )
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.add_argument("--show", action="store_true", help="show the texts of items that are alike")
    check.set_defaults(run=_workload_check)
    tables = steps.add_parser("tables", help="what the recorded models get right, as Markdown")
    tables.add_argument("path", nargs="?", type=Path, metavar="DIR", help="a workload folder (default: builtin)")
    tables.set_defaults(run=_workload_tables)

    for name in NAMES:
        import_module(f"benchmarks.commands.{name}").add(commands)
    return parser


def _scenario_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scenario", nargs="?", type=Path, metavar="SCENARIO", help="a TOML file (default: crossover.toml or the preset)"
    )
    parser.add_argument("--preset", metavar="P", help="hardwired (default) or between")
    parser.add_argument("--small", metavar="M", help=f"the cascade's small model: {MODEL_HELP}")
    parser.add_argument("--direct", metavar="M", help="the direct pipeline's model")
    parser.add_argument("--large", metavar="M", help="the cascade's large model")


def _dollars(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be a finite number above 0")
    return number


def _compare(args: argparse.Namespace) -> int:
    from benchmarks import compare, scenario

    file = scenario.default_file(args.scenario)
    chosen = scenario.load(
        file, preset=args.preset, small=args.small, direct=args.direct, large=args.large, live=args.live,
        limit=args.limit, seed=args.seed,
    )  # fmt: skip
    if args.dry_run:
        return compare.dry_run(chosen, args.repeats)
    return compare.compare(chosen, args.out, max_usd=args.max_usd, repeats=args.repeats)


def _explain(args: argparse.Namespace) -> int:
    from benchmarks.report import explain

    return explain.explain(args.directory, args.request)


def _serve(args: argparse.Namespace) -> int:
    from benchmarks import scenario, serving

    file = scenario.default_file(args.scenario)
    chosen = scenario.load(
        file, preset=args.preset, small=args.small, direct=args.direct, large=args.large, live=args.live
    )
    return serving.serve_arm(args.arm, chosen, args.host, args.port, cache=args.cache, token_env=args.token_env)


def _init(args: argparse.Namespace) -> int:
    from benchmarks import init

    return init.init(args.file)


def _check(args: argparse.Namespace) -> int:
    from benchmarks import init

    return init.check(args.file)


def _models_list(_: argparse.Namespace) -> int:
    from shared.models import commands

    return commands.list_models()


def _models_pull(args: argparse.Namespace) -> int:
    from shared.models import commands

    return commands.pull_models(args.names)


def _models_verify(args: argparse.Namespace) -> int:
    from shared.models import commands

    return commands.verify_models(args.names)


def _models_burn(args: argparse.Namespace) -> int:
    from shared.models import commands

    return commands.burn_model(args.name, args.ffn_bits, args.rest_bits, args.out)


def _record(args: argparse.Namespace) -> int:
    from benchmarks import recording

    return recording.run(
        args.model, args.workload, args.part, samples=args.samples, tasks=args.task, parallel=args.parallel,
        alone=args.alone, verify=args.verify, seed=args.seed,
    )  # fmt: skip


def _classifier_train(args: argparse.Namespace) -> int:
    from benchmarks import training

    return training.train(args.small, args.large, args.quality_loss, args.workload)


def _classifier_evaluate(args: argparse.Namespace) -> int:
    from benchmarks import evaluating

    columns = evaluating.Columns(
        args.prompt, args.small, args.large, args.group, args.direct, args.small_again, args.large_again
    )
    return evaluating.evaluate(args.file, columns, args.cv, as_json=args.json)


def _classifier_calibrate(args: argparse.Namespace) -> int:
    from benchmarks import calibrating

    return calibrating.calibrate(
        args.log, args.quality, prompt=args.prompt, small=args.small, large=args.large, group=args.group,
        scenario=args.scenario,
    )  # fmt: skip


def _import(args: argparse.Namespace) -> int:
    from benchmarks.workloads import importing
    from benchmarks.workloads.from_table import NAMES, Columns

    given = vars(args)
    columns = Columns(
        prompt=args.prompt,
        reference=args.reference,
        scorer=args.scorer,
        outcomes={name: given[name] for name in NAMES if given[name]},
        texts={name: given[f"{name}_text"] for name in NAMES if given[f"{name}_text"]},
        group=args.group,
        task=args.task,
    )
    return importing.run(args.file, args.out, columns, args.source, strict=args.strict)


def _drift(args: argparse.Namespace) -> int:
    from benchmarks.quality import drift

    return drift.run(args.timeline, seed=args.seed, as_json=args.json, out=args.out)


def _label(args: argparse.Namespace) -> int:
    from benchmarks.labelling import command

    return command.run(
        args.directory, sample=args.sample, page=args.page, judge=args.judge, max_usd=args.max_usd, show=args.status,
        as_json=args.json,
    )  # fmt: skip


def _cache_evaluate(args: argparse.Namespace) -> int:
    from benchmarks.quality import cache_evaluating

    return cache_evaluating.run(args.pairs, max_false=args.max_false, as_json=args.json)


def _cache_train(args: argparse.Namespace) -> int:
    from benchmarks.quality import cache_training

    return cache_training.run(args.pairs)


def _workload_tables(args: argparse.Namespace) -> int:
    from benchmarks.workloads import tables, workload

    print(tables.tables(args.path or workload.BUILTIN))
    return 0


def _workload_check(args: argparse.Namespace) -> int:
    from benchmarks.workloads import checking

    return checking.run(args.path, as_json=args.json, show=args.show)


if __name__ == "__main__":
    sys.exit(main())
