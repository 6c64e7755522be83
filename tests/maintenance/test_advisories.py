"""The snapshot of advisories: what it holds, and that nothing that was not audited passes for clean."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.maintenance import advisories, audit
from benchmarks.maintenance.advisories import Advisory, Release, Snapshot, check, locked, read, touching, update
from shared.errors import BadInput

LOCKED = {"diskcache": "5.6.3", "litellm": "1.110.2", "beta": "2.0"}
KNOWN = Advisory(
    package="diskcache", id="GHSA-1", aliases=("CVE-1",), affected="<=5.6.3", what="Bad.", how_it_touches_us="None"
)  # fmt: skip
OLDER = Advisory(
    package="beta", id="GHSA-5", aliases=("CVE-5",), affected="==1.0", what="Worse.", how_it_touches_us="Not in 2.0."
)  # fmt: skip
STOLEN = Advisory(
    package="litellm", id="PYSEC-6", affected="==1.110.2", fixed_in=("1.111",), what="Stolen.",
    how_it_touches_us="Badly.",
)  # fmt: skip
VULN = {"id": "PYSEC-9", "aliases": ["CVE-1"], "fix_versions": [], "description": "Bad.\nMore."}
FAKE = """
import json, pathlib, sys
lock = pathlib.Path(sys.argv[sys.argv.index("--requirement") + 1]).read_text()
answers = json.loads(pathlib.Path({answers!r}).read_text())
print(json.dumps({{"dependencies": [each for each in answers if each["name"] + "==" in lock], "fixes": []}}))
"""


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of three packages, a snapshot in which none was audited, no uv, and a pip-audit that `says` fills."""
    lock = tmp_path / "requirements-dev.lock"
    lock.write_text("".join(f"{name}=={version} \\\n    --hash=sha256:0\n" for name, version in LOCKED.items()))
    monkeypatch.setattr(advisories, "LOCK", lock)
    monkeypatch.setattr(advisories, "locked", lambda: LOCKED)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip"))
    write(tmp_path)
    return tmp_path


def write(folder: Path, *more: Advisory, day: date | None = None, **fields: Any) -> Path:
    path = folder / "snapshot.json"
    snapshot = Snapshot(
        schema_version=1,
        date=day or datetime.now(UTC).date(),
        tool="pip-audit 0",
        audited=fields.get("audited", {}),
        not_audited=fields.get("not_audited", {}),
        advisories=(KNOWN, *more),
        released={"beta": Release(version="2.0", date="2020-01-01")},
    )
    advisories.write(snapshot, path)
    return path


def says(folder: Path, **answers: list[dict[str, Any]] | None) -> None:
    """A `python -m pip_audit` that knows these advisories of each package, and skips those with None."""
    package, told = folder / "pip_audit", folder / "answers.json"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(FAKE.format(answers=str(told)))
    told.write_text(
        json.dumps(
            [
                {"name": name, "skip_reason": f"Not found: {name} ({LOCKED[name]})"}
                if vulns is None
                else {"name": name, "version": LOCKED[name], "vulns": vulns}
                for name, vulns in answers.items()
            ]
        )
    )


# The file in this repository


def test_it_holds_the_two_incidents_that_the_text_names() -> None:
    by_package = {each.package: each for each in read().advisories}
    disk, lite = by_package["diskcache"], by_package["litellm"]
    assert "CVE-2025-69872" in disk.aliases
    assert disk.fixed_in == ()
    assert disk.holds(locked()["diskcache"])
    assert [lite.holds(each) for each in ("1.82.6", "1.82.7", "1.82.8", "1.83.0")] == [False, True, True, False]
    assert lite.date == "2026-03-24"
    assert not lite.holds(locked()["litellm"])


def test_every_advisory_says_how_it_touches_us_and_where_it_was_read() -> None:
    for each in read().advisories:
        assert each.how_it_touches_us
        assert (each.source or "").startswith("https://")
        assert date.fromisoformat(each.date or "") <= read().date


def test_only_the_legacy_pipeline_has_the_open_one() -> None:
    found = advisories.document()["pipelines"]
    assert [known["open"] for known in found["legacy"].values()] == [["CVE-2025-69872"]] * 3
    assert [known["open"] for known in found["direct"].values()] == [[]] * 3
    assert found["direct"]["litellm"]["past"] == ["PYSEC-2026-2"]


def test_the_lock_is_read_with_its_markers() -> None:
    versions = locked()
    assert versions["diskcache"] == "5.6.3"
    assert ("colorama" in versions) == (sys.platform == "win32")


# What is known of packages


def test_what_is_not_locked_or_was_audited_in_another_version_is_not_audited(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = read(write(clone, audited={"diskcache": "5.6.3", "beta": "1.9"}))
    monkeypatch.setattr(advisories, "_snapshot", lambda: snapshot)
    found = touching({"diskcache", "beta", "gamma"})
    assert (found["audited"], found["not_audited"]) == (1, 2)
    assert (found["open"], found["past"]) == (["CVE-1"], [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "the file: Invalid JSON"),
        ('{"schema_version": 1}', "date: Field required"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_snapshot_is_named(text: str | None, told: str, tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadInput, match=told) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_an_affected_that_names_no_versions_is_refused() -> None:
    with pytest.raises(ValueError, match="Invalid specifier"):
        Advisory(package="beta", id="1", affected="==1.0 or 2.0", what="")


def test_a_clone_without_its_lock_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisories, "LOCK", tmp_path / "gone.lock")
    with pytest.raises(BadInput, match=r"gone\.lock cannot be read .* restore it"):
        locked.__wrapped__()


# The gate


def test_a_locked_version_with_an_advisory_and_a_fix_fails_even_offline(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says(clone, diskcache=None, litellm=None, beta=None)
    path = write(clone, STOLEN)
    assert check(path) == 1
    assert "litellm 1.110.2: PYSEC-6 holds it and is fixed in 1.111: lock that" in capsys.readouterr().out
    assert check(write(clone, STOLEN.model_copy(update={"affected": "==1.82.8"}))) == 0


def test_a_fix_that_pip_audit_has_just_learnt_fails(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    says(clone, diskcache=[{**VULN, "fix_versions": ["6.0"]}], litellm=[], beta=[])
    path = clone / "snapshot.json"
    assert check(path) == 1
    assert "CVE-1 holds it and is fixed in 6.0" in capsys.readouterr().out
    update(path)
    assert read(path).advisories == (KNOWN.model_copy(update={"fixed_in": ("6.0",)}),)


def test_a_known_advisory_that_turns_out_to_hold_the_locked_version_is_answered_again(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vuln = {"id": "GHSA-5", "aliases": ["CVE-5"], "fix_versions": [], "description": "Worse."}
    says(clone, diskcache=[VULN], litellm=[], beta=[vuln])
    path = write(clone, OLDER)
    assert check(path) == 1
    assert "beta 2.0: CVE-5 does not say how it touches us" in capsys.readouterr().out
    assert update(path) == 0
    found = read(path).advisories[1]
    assert (found.affected, found.how_it_touches_us) == ("==1.0 or ==2.0", None)
    assert [found.holds(version) for version in ("1.0", "1.5", "2.0")] == [True, False, True]
    assert "0 new advisories" in capsys.readouterr().out
    says(clone, diskcache=None, litellm=None, beta=None)
    assert check(path) == 1, "nobody has written anew how it touches us"
    assert check(write(clone, found.model_copy(update={"how_it_touches_us": "As follows."}))) == 0


def test_one_skipped_package_does_not_hide_what_is_known_of_others(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says(clone, diskcache=None, litellm=[], beta=[{**VULN, "id": "CVE-3", "aliases": []}])
    assert check(clone / "snapshot.json") == 1
    assert "beta 2.0: CVE-3" in capsys.readouterr().out


def test_it_passes_without_the_service_and_says_so(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    says(clone, diskcache=None, litellm=None, beta=None)
    assert check(clone / "snapshot.json") == 0
    told = capsys.readouterr().out
    assert "pip-audit: nothing new could be learnt" in told
    assert "Not audited: 3 of 3 locked packages. That is not known, not clean." in told


def test_an_advisory_that_does_not_say_how_it_touches_us_fails(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    says(clone, diskcache=None)
    path = write(clone, Advisory(package="beta", id="CVE-2", affected="==2.0", what="Worse."))
    assert check(path) == 1
    assert "beta 2.0: CVE-2 does not say how it touches us: Worse." in capsys.readouterr().out


def test_one_that_pip_audit_has_just_learnt_fails(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    says(clone, diskcache=[VULN], litellm=[], beta=[{**VULN, "id": "CVE-3", "aliases": []}])
    assert check(clone / "snapshot.json") == 1
    told = capsys.readouterr().out
    assert "beta 2.0: CVE-3" in told
    assert "PYSEC-9" not in told, "known by another name"


def test_a_stale_snapshot_is_said(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    says(clone, diskcache=None)
    assert check(write(clone, day=date(2020, 1, 1), audited={"beta": "2.0"})) == 0
    assert "days old; run crossover maintenance advisories --update" in capsys.readouterr().out


def test_a_snapshot_for_which_nothing_was_audited_is_stale(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    says(clone, diskcache=None)
    path, today = write(clone), datetime.now(UTC).date()
    assert check(path) == 0
    assert f"Nothing was audited on {today}; run" in capsys.readouterr().out
    assert advisories._stale(read(path))
    assert not advisories._stale(read(write(clone, audited={"beta": "2.0"})))


# Asking again


def test_what_was_skipped_is_not_audited_and_what_a_person_wrote_stays(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = {"id": "GHSA-4", "aliases": ["CVE-4"], "fix_versions": ["2.1"], "description": "Worse."}
    says(clone, diskcache=[VULN], litellm=None, beta=[new, {**new, "id": "PYSEC-4"}])
    path = clone / "snapshot.json"
    assert update(path) == 0
    found = read(path)
    assert found.audited == {"beta": "2.0", "diskcache": "5.6.3"}
    assert found.not_audited == {"litellm": "Not found"}
    assert found.advisories[0] == KNOWN
    assert [(each.label, each.affected, each.fixed_in) for each in found.advisories[1:]] == [
        ("CVE-4", "==2.0", ("2.1",))
    ]
    assert found.released["beta"].date == "2020-01-01", "without uv the dates stay"
    assert "2 of 3 packages audited, 1 new" in capsys.readouterr().out
    assert check(path) == 1, "nobody has written how it touches us"


def test_where_nothing_is_learnt_the_file_stays_as_it_was(clone: Path) -> None:
    path = clone / "snapshot.json"
    before = path.read_bytes()
    says(clone, diskcache=None, litellm=None, beta=None)
    with pytest.raises(BadInput, match="could audit none of 3 packages"):
        update(path)
    (clone / "pip_audit" / "__main__.py").write_text("print('No known vulnerabilities found')")
    with pytest.raises(BadInput, match="gave no answer"):
        update(path)
    assert path.read_bytes() == before


def test_the_real_tool_out_of_reach_is_no_clean_bill(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(BadInput, match="gave no answer"):
        audit.asked(advisories.LOCK)


def test_release_dates_come_from_the_first_file_of_the_newest_release(clone: Path) -> None:
    uv = clone / "uv"
    wheels = ["2026-05-02T01:00:00Z", "2026-05-01T01:00:00Z"]
    listed = ", ".join(f"{{ upload-time = {each} }}" for each in wheels)
    uv.write_text(f'#!/bin/sh\necho \'[[packages]]\nname = "beta"\nversion = "2.1"\nwheels = [{listed}]\'\n')
    uv.chmod(0o755)
    assert audit.released(["beta"]) == {"beta": {"version": "2.1", "date": "2026-05-01"}}
    says(clone, diskcache=[VULN], litellm=[], beta=[])
    update(clone / "snapshot.json")
    assert read(clone / "snapshot.json").released == {"beta": Release(version="2.1", date="2026-05-01")}
    uv.write_text("#!/bin/sh\nexit 1\n")
    assert audit.released(["beta"]) == {}
