"""The same map from a Ray cluster, in a process of its own: starting one takes seconds and leaves things behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import scenario, sweep
from benchmarks.sweeping import axes, on_ray
from shared.errors import BadInput

SCENARIO = '[traffic]\nlimit = 60\n[direct]\nmodel = "recorded:qwen-1.5b"\nhardware = "hc1"\n'
AXES = ("speedup=1:100:log:2", "price=0.01:1:log:2")
ON_RAY = """
import sys
from pathlib import Path
from benchmarks import scenario, sweep
from benchmarks.sweeping import axes
x, y = (axes.parse(each, "--x") for each in sys.argv[3:])
sweep.sweep(scenario.load(Path(sys.argv[1])), x, y, Path(sys.argv[2]), engine="ray", processes=2)
"""


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra: ray")
def test_a_ray_cluster_makes_the_same_map_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "crossover.toml"
    file.write_text(SCENARIO)
    with tempfile.TemporaryDirectory() as scratch:  # short: sockets lie below it
        environment = {**os.environ, "TMPDIR": scratch, "PYTHONPATH": str(Path(__file__).parents[1])}
        environment.pop("RAY_ADDRESS", None)
        subprocess.run(
            [sys.executable, "-c", ON_RAY, str(file), str(tmp_path / "ray"), *AXES],
            check=True, env=environment, timeout=120, cwd=tmp_path,
        )  # fmt: skip
        assert not list(Path(scratch).iterdir())
    x, y = (axes.parse(each, "--x") for each in AXES)
    sweep.sweep(scenario.load(file), x, y, tmp_path / "local")
    for name in ("points.jsonl", "map.json", "map.svg"):
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra: ray")
def test_a_cluster_that_is_not_there_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    playing = on_ray.run([], 1)
    with pytest.raises(BadInput, match="TMPDIR"):
        next(playing)
    assert not list(deep.iterdir())
