"""The two programs that are asked about packages: pip-audit for advisories, uv for the dates of releases.

What is made of their answers is in `advisories.py`. Both may be out of reach, which is never an answer.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name

from shared.errors import BadInput

SERVICE_S: Final = 15
"""Seconds that one question to the advisory service or the index may take."""
AUDIT_S: Final = 300


def reason(name: str, answers: Iterable[dict[str, Any]]) -> str:
    """Why pip-audit skipped a package, in its own words, but for the name and the version that it ends with."""
    told: dict[str, str] = {
        canonicalize_name(each["name"]): each["skip_reason"] for each in answers if "skip_reason" in each
    }
    return re.sub(rf": {re.escape(name)} \(.*\)$", "", told[name]) if name in told else "pip-audit does not list it"


def asked(lock: Path) -> list[dict[str, Any]]:
    """What pip-audit prints of each package of a lock file. Raises `BadInput` where it could audit none."""
    answers = _pip_audit(lock)
    if not any("skip_reason" not in each for each in answers):
        raise BadInput(
            f"nothing new could be learnt: pip-audit could audit none of {len(answers)} packages; "
            "try where the package index itself is reached"
        )
    return answers


def _pip_audit(lock: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--require-hashes"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", str(SERVICE_S)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=AUDIT_S, check=False)  # noqa: S603
        answers: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, subprocess.TimeoutExpired):
        raise BadInput(
            f"nothing new could be learnt: pip-audit gave no answer within {AUDIT_S} s or failed; "
            f"see what `python -m pip_audit -r {lock.name} --disable-pip --require-hashes` says"
        ) from None
    return answers


def tool() -> str:
    return f"pip-audit {metadata.version('pip-audit')}"


def released(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """`version` and `date` of the newest release of each that this Python can install.

    Empty where uv or the index is not there.
    """
    uv = shutil.which("uv")
    if uv is None:
        return {}
    command = [uv, "pip", "compile", "--quiet", "--no-deps", "--no-header", "--format", "pylock.toml", "-"]
    try:
        done = subprocess.run(  # noqa: S603
            command, input="\n".join(names), capture_output=True, text=True, timeout=AUDIT_S, check=True
        )
        packages = tomllib.loads(done.stdout)["packages"]
    except (KeyError, ValueError, subprocess.SubprocessError):
        return {}
    found = {}
    for package in packages:
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        if days := [file["upload-time"].date() for file in files if "upload-time" in file]:
            found[package["name"]] = {"version": package["version"], "date": min(days).isoformat()}
    return dict(sorted(found.items()))
