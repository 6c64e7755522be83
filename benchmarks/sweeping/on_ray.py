"""The same playings on a Ray cluster: one that RAY_ADDRESS names, or else one of this machine, which ends with the run.

Ray's usage statistics and its dashboard are off. What a cluster of this machine writes goes to a folder that is removed
afterwards. The nodes of another cluster need this clone installed where their Python finds it.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Generator, Sequence
from importlib.util import find_spec

from benchmarks.rows import Row
from benchmarks.sweeping.playing import Playing
from shared.errors import BadInput

OFF = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DEDUP_LOGS": "0"}


def check() -> None:
    """Raises `BadInput` where Ray is not installed."""
    if find_spec("ray") is None:
        raise BadInput("--engine ray needs Ray; run: pip install -e '.[ray]' (or use --engine local)")


def run(playings: Sequence[Playing], processes: int) -> Generator[list[Row], None, None]:
    """The rows of each playing in turn, `processes` at a time on this machine, or as many as the cluster takes.

    Raises `BadInput` where there is no cluster.
    """
    os.environ.update(OFF)  # Ray reads them when it is imported
    import ray

    address = os.environ.get("RAY_ADDRESS")
    scratch = None if address else tempfile.mkdtemp(prefix="ray-")
    try:
        try:
            if scratch is None:
                ray.init(log_to_driver=False, logging_level=logging.ERROR)
            else:
                ray.init(
                    num_cpus=processes, _temp_dir=scratch, include_dashboard=False, log_to_driver=False,
                    logging_level=logging.ERROR,
                )  # fmt: skip
        except (OSError, RuntimeError, ValueError) as error:  # nobody there, or a path too long for a socket
            where = address or f"this machine with its files in {scratch}, where TMPDIR leads"
            raise BadInput(f"no Ray cluster at {where} ({error}); or use --engine local") from None
        play = ray.remote(Playing.__call__)
        waiting = [play.remote(each) for each in playings]
        while waiting:
            yield ray.get(waiting.pop(0))
    finally:
        ray.shutdown()
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
