"""What a pipeline needs: checked against what Python itself loads, and against distributions made for the purpose."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import importlib_metadata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.maintenance import advisories, closures
from benchmarks.maintenance.closures import OURS, difference, of_tree
from benchmarks.maintenance.surface import OPTIONAL
from benchmarks.scenario import ARMS, Arm

LOADED = "import json, sys; known = set(sys.modules); import {0}; print(json.dumps(sorted(set(sys.modules) - known)))"
CACHES = (closures.installed, closures._owners, closures._next)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder that distributions can be put into, before those of this interpreter."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    for each in CACHES:
        each.cache_clear()
    yield folder
    for each in CACHES:
        each.cache_clear()


def distribution(site: Path, name: str, *requires: str, package: str = "", record: bool = True) -> Path:
    """A distribution with one package of one module of 100 bytes."""
    package = package or name
    folder = site / package
    folder.mkdir()
    (folder / "__init__.py").write_text("#" * 100)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {each}" for each in requires)]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    if record:
        files = f"{package}/__init__.py,sha256=x,100\n{package}/__pycache__/__init__.pyc,,\n../bin/{name},sha256=x,7\n"
        (info / "RECORD").write_text(files + f"{info.name}/RECORD,,\n")
    return folder


def tree(folder: Path, **files: str) -> dict[str, Any]:
    """What a tree of these modules needs."""
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return of_tree(sorted(folder.glob("*.py")), folder)


def of_pipeline(arm: Arm) -> dict[str, Any]:
    """As the default preset uses it."""
    return closures.of_pipeline(arm, OPTIONAL)


def way(found: dict[str, Any], name: str = "imported") -> dict[str, Any]:
    summary: dict[str, Any] = found["third_party"]["ways"][name]
    return summary


# The two pipelines


@pytest.mark.parametrize("arm", ARMS)
def test_a_server_loads_nothing_that_its_closure_does_not_have(arm: Arm) -> None:
    modules = f"{arm}_pipeline.app, shared.serving.app, shared.serving.serve, shared.backends.http, uvicorn"
    out = subprocess.run([sys.executable, "-c", LOADED.format(modules)], capture_output=True, text=True, check=True)
    loaded, found = json.loads(out.stdout), of_pipeline(arm)
    ours = {name for name in loaded if name.partition(".")[0] in OURS}
    backend = {name for name in ours if name.startswith(("shared.backends", "shared.hardware", "shared.pricing"))}
    assert ours - backend <= set(found["imports"]["modules"])
    tops = {name.partition(".")[0] for name in loaded} - OURS - sys.stdlib_module_names
    owners = {name for top in tops for name in closures._owners().get(top, ())}
    assert {"aiohttp", "fastapi", "pydantic"} <= owners
    assert owners - OPPORTUNISTIC <= set(way(found, "http")["names"])


OPPORTUNISTIC = {"sniffio"}
"""Taken by a library where they happen to be installed, though it does not require them."""


def test_the_honest_difference_is_the_cache_and_its_arithmetic() -> None:
    legacy, direct = of_pipeline("legacy"), of_pipeline("direct")
    for name, found in difference(legacy, direct).items():
        assert found["legacy_only"] == ["diskcache", "numpy"], name
        assert found["direct_only"] == []
        assert found["shared"] == way(direct, name)["count"]
        assert found["bytes"] > 0
    assert way(legacy, "litellm")["count"] > 2 * way(legacy, "http")["count"]
    assert json.loads(json.dumps(legacy)) == legacy


def test_retraining_and_what_is_switched_off_are_counted_apart() -> None:
    needs, whole = of_pipeline("legacy")["third_party"], closures.of_pipeline("legacy", ())["third_party"]
    assert {"scikit-learn", "scipy"} <= set(needs["training"]["names"])
    assert not {"scikit-learn", "onnxruntime"} & set(needs["ways"]["litellm"]["names"])
    assert {"onnxruntime", "tokenizers"} <= set(whole["ways"]["pipeline"]["names"])
    assert of_pipeline("direct")["third_party"]["training"]["count"] == 0


def test_the_server_that_serves_a_pipeline_is_needed() -> None:
    for arm in ARMS:
        assert "uvicorn" in way(of_pipeline(arm), "pipeline")["names"]


def test_the_modules_are_those_on_disk_without_what_is_switched_off() -> None:
    modules = of_pipeline("legacy")["imports"]["modules"]
    assert {"legacy_pipeline.cache", "legacy_pipeline.train", "shared.steps"} <= set(modules)
    assert "legacy_pipeline.semantic" not in modules
    direct = of_pipeline("direct")["imports"]
    assert direct["own"] + direct["shared"] == len(direct["modules"])
    assert 0 < direct["lines"] < of_pipeline("legacy")["imports"]["lines"]


# Any tree


def test_a_tree_needs_what_its_imports_lead_to_and_all_that_follows(site: Path, tmp_path: Path) -> None:
    distribution(
        site, "alpha-one", "beta[fast]", "never; python_version < '3'", "extra; extra == 'all'", package="alpha"
    )
    distribution(site, "beta", "gamma; extra == 'fast'", "delta; extra == 'slow'", "Alpha.One")
    distribution(site, "gamma")
    found = tree(tmp_path / "mine", one="import json\nimport alpha.sub\nfrom . import two\n", two="import mine\n")
    assert way(found)["names"] == ["alpha-one", "beta", "gamma"]
    assert (way(found)["count"], way(found)["bytes"]) == (3, 321)
    assert found["third_party"]["distributions"]["beta"] == {"version": "1.0", "bytes": 107, "released": None}
    assert found["advisories"]["imported"]["not_audited"] == 3, "nothing of it is locked"


def test_an_import_that_leads_nowhere_makes_the_closure_unknown(site: Path, tmp_path: Path) -> None:
    distribution(site, "alpha", "missing")
    one = way(tree(tmp_path / "mine", one="import alpha"))
    assert (one["count"], one["bytes"], one["unknown"]) == (None, None, ["missing"])
    assert way(tree(tmp_path / "other", one="import nowhere"))["unknown"] == ["nowhere"]


def test_a_size_that_no_record_tells_is_unknown(site: Path, tmp_path: Path) -> None:
    distribution(site, "alpha", record=False)
    (site / "alpha-1.0.dist-info" / "top_level.txt").write_text("alpha\n")
    distribution(site, "beta", "alpha")
    found = way(tree(tmp_path / "mine", one="import beta"))
    assert (found["count"], found["bytes"]) == (2, None)


def test_an_installed_package_needs_what_it_declares(site: Path) -> None:
    folder = distribution(site, "alpha", "beta")
    distribution(site, "beta")
    (folder / "guarded.py").write_text("try:\n    import nowhere\nexcept ImportError:\n    pass\n")
    found = of_tree(sorted(folder.glob("*.py")), folder)
    assert way(found, "declared")["names"] == ["beta"]
    assert found["imports"] is None


def test_only_what_runs_counts_and_what_lies_beside_is_its_own(site: Path, tmp_path: Path) -> None:
    distribution(site, "alpha")
    distribution(site, "beta")
    (tmp_path / "sibling").mkdir()
    distribution(site, "gamma")
    text = """
import typing
from typing import TYPE_CHECKING
import sibling.part
if TYPE_CHECKING:
    import nowhere
elif typing.TYPE_CHECKING:
    import nowhere
else:
    import alpha
def work():
    import beta
class Kept:
    import gamma
"""
    assert way(tree(tmp_path / "mine", one=text))["names"] == ["alpha", "beta", "gamma"]


def test_what_is_nested_deeply_is_read_as_well(site: Path, tmp_path: Path) -> None:
    distribution(site, "alpha")
    branches = "".join(f"elif x == {number}:\n    pass\n" for number in range(700))
    found = tree(tmp_path / "mine", one=f"if x{'.y' * 400}:\n    pass\n{branches}else:\n    import alpha\n")
    assert way(found)["names"] == ["alpha"]


def test_a_requirement_that_cannot_be_read_makes_the_closure_unknown(site: Path, tmp_path: Path) -> None:
    distribution(site, "alpha", "pytz (>dev)", "beta; nonsense == '1'")
    found = way(tree(tmp_path / "mine", one="import alpha"))
    assert (found["count"], found["unknown"]) == (None, ["beta; nonsense == '1'", "pytz (>dev)"])


@pytest.mark.parametrize("line", ["alpha/more.py", "alpha/more.py,sha256=x", "alpha/more.py,sha256=x,some"])
def test_a_record_that_is_none_tells_no_size(site: Path, tmp_path: Path, line: str) -> None:
    distribution(site, "alpha")
    with (site / "alpha-1.0.dist-info" / "RECORD").open("a") as record:
        record.write(f"{line}\n")
    found = way(tree(tmp_path / "mine", one="import alpha"))
    assert (found["count"], found["bytes"]) == (1, None)


def test_the_oldest_release_is_known_where_all_dates_are(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dates = {"alpha": "2021-02-03", "beta": "2020-01-02"}
    monkeypatch.setattr(advisories, "released", dates.get)
    distribution(site, "alpha", "beta")
    distribution(site, "beta")
    found = way(tree(tmp_path / "mine", one="import alpha"))
    assert found["oldest"] == {"name": "beta", "released": "2020-01-02"}
    del dates["alpha"]
    assert way(tree(tmp_path / "other", one="import alpha"))["oldest"] is None


def test_what_is_left_of_a_removed_distribution_is_passed_over(site: Path, tmp_path: Path) -> None:
    (site / "gone-1.0.dist-info").mkdir()
    (site / "gone-1.0.dist-info" / "METADATA").write_text("")
    distribution(site, "alpha")
    assert way(tree(tmp_path / "mine", one="import alpha"))["count"] == 1
    backport: Any = importlib_metadata.PathDistribution(site / "gone-1.0.dist-info")
    assert closures._read(backport) is None


def test_a_difference_with_an_unknown_side_is_unknown(site: Path, tmp_path: Path) -> None:
    distribution(site, "alpha")
    known, unknown = tree(tmp_path / "mine", one="import alpha"), tree(tmp_path / "other", one="import nowhere")
    found = difference(known, unknown)["imported"]
    assert (found["legacy_only"], found["direct_only"], found["bytes"]) == (["alpha"], ["nowhere"], None)


NAMES = "abcdefgh"


@given(st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES))), st.sampled_from(NAMES))
def test_a_closure_is_closed_and_no_larger_than_it_must_be(graph: dict[str, set[str]], start: str) -> None:
    known = {
        name: closures.Installed(name, "1", 1, frozenset({name}), tuple(sorted(requires)))
        for name, requires in graph.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closures, "installed", lambda: known)
        closures._next.cache_clear()
        found = closures._walk({start})
        closures._next.cache_clear()
    assert start in found
    assert all(graph.get(name, set()) <= found for name in found)
    assert all(name == start or any(name in graph.get(other, set()) for other in found - {name}) for name in found)
