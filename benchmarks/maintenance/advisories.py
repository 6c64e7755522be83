"""What is publicly known against the locked packages, in a dated snapshot that works offline.

`advisories.snapshot.json` beside this file says of each locked package whether pip-audit could audit it, and when. A
package that it skipped is "not audited", never clean: behind a mirror pip-audit skips everything and still prints that
nothing was found. Advisories and incidents stay in the file once they are in it; each must say how it touches this
repository, which a person writes, and writes anew where it turns out to hold a version that it did not hold before.
`released` is each package's newest release, asked of the index through uv.

`show` prints it, `update` asks again, `check` is the gate in `make lint`. Which packages a pipeline needs is in
`closures.py`.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from benchmarks.maintenance import audit
from shared.errors import BadInput
from shared.files import replacing

ROOT: Final = Path(__file__).parents[2]
LOCK: Final = ROOT / "requirements-dev.lock"
"""The lock of everything; `requirements.lock` is part of it."""
SNAPSHOT: Final = Path(__file__).with_name("advisories.snapshot.json")
STALE_DAYS: Final = 90
WIDTH: Final = 100
OR: Final = " or "


def _versions(affected: str) -> str:
    for each in affected.split(OR):
        SpecifierSet(each)
    return affected


class Advisory(BaseModel):
    """One advisory or incident.

    `affected` is a version specifier, or several with " or " between; `date` is the day on which it became public.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str
    id: str
    aliases: tuple[str, ...] = ()
    affected: Annotated[str, AfterValidator(_versions)]
    fixed_in: tuple[str, ...] = ()
    what: str
    how_it_touches_us: str | None = None
    source: str | None = None
    date: str | None = None

    def names(self) -> set[str]:
        return {self.id, *self.aliases}

    @property
    def label(self) -> str:
        """Its CVE number where it has one."""
        return min((name for name in self.names() if name.startswith("CVE-")), default=self.id)

    def holds(self, version: str | None) -> bool:
        return version is not None and any(
            SpecifierSet(each).contains(version, prereleases=True) for each in self.affected.split(OR)
        )


class Release(BaseModel):
    """The newest release of a package, and the day of its first file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    date: str


class Snapshot(BaseModel):
    """The file. `audited` has the version that was audited, `not_audited` why a package was not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int
    date: date
    tool: str
    audited: dict[str, str]
    not_audited: dict[str, str]
    advisories: tuple[Advisory, ...]
    released: dict[str, Release]


def read(path: Path = SNAPSHOT) -> Snapshot:
    """The snapshot. Raises `BadInput` naming the file where it is missing or no snapshot."""
    try:
        return Snapshot.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); restore it from the repository") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise BadInput(f"{path}: {where}: {first['msg']}; mend it or restore it from the repository") from None


@cache
def _snapshot() -> Snapshot:
    return read()


@cache
def locked() -> dict[str, str]:
    """The version of each package that the lock gives this interpreter. Raises `BadInput` where it is missing."""
    found: dict[str, str] = {}
    try:
        lines = LOCK.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadInput(f"{LOCK} cannot be read ({error.strerror}); restore it from the repository") from None
    for line in lines:
        if line[:1].isalnum():
            requirement = Requirement(line.removesuffix("\\"))
            if requirement.marker is None or requirement.marker.evaluate():
                found[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return found


def released(name: str) -> str | None:
    """The day of a package's newest release as of the snapshot, or None where the snapshot does not have it."""
    release = _snapshot().released.get(name)
    return release.date if release else None


def touching(names: Collection[str]) -> dict[str, Any]:
    """What the snapshot knows of these packages in their locked versions.

    `open` affect the locked version, `past` are about another one. A package that is not locked counts as not audited.
    """
    snapshot, versions = _snapshot(), locked()
    about = [each for each in snapshot.advisories if each.package in names]
    opened = [each.label for each in about if each.holds(versions.get(each.package))]
    audited = sum(_audited(name, snapshot, versions) for name in names)
    return {
        "date": snapshot.date.isoformat(),
        "open": opened,
        "past": [each.label for each in about if each.label not in opened],
        "audited": audited,
        "not_audited": len(names) - audited,
    }


def _audited(name: str, snapshot: Snapshot, versions: dict[str, str]) -> bool:
    return name in versions and snapshot.audited.get(name) == versions[name]


def show(*, as_json: bool = False) -> int:
    """Print what the snapshot knows of the locked packages. Exit code 0: `check` is the gate."""
    print(json.dumps(document(), indent=1) if as_json else text())
    return 0


def document() -> dict[str, Any]:
    """The snapshot, with what it says of the versions that are locked now and of what each pipeline needs."""
    from benchmarks.maintenance.closures import of_pipeline
    from benchmarks.maintenance.surface import OPTIONAL
    from benchmarks.scenario import ARMS

    snapshot, versions = read(), locked()
    return {
        "locked": versions,
        "age_days": _age_days(snapshot),
        "stale": _stale(snapshot),
        "not_audited": _reasons(snapshot, versions),
        "unexplained": [each.label for each in _unexplained(snapshot.advisories)],
        "pipelines": {arm: of_pipeline(arm, OPTIONAL)["advisories"] for arm in ARMS},
        "snapshot": snapshot.model_dump(mode="json"),
    }


def text() -> str:
    """The same for a terminal."""
    from benchmarks.table_text import Table, columns

    found = document()
    snapshot, versions = Snapshot.model_validate(found["snapshot"]), found["locked"]
    rows = [
        (
            each.package,
            each.label,
            each.affected,
            f"{versions.get(each.package, 'not locked')}: {'affected' if _open(each, versions) else 'not affected'}",
            ", ".join(each.fixed_in) or "none",
        )
        for each in snapshot.advisories
    ]
    note = f"Snapshot of {snapshot.date}, {snapshot.tool}; {len(versions)} packages are locked."
    table = Table("Advisories", note, ("package", "advisory", "affects", "locked", "fixed in"), rows)
    ways = Table(
        "By pipeline",
        "Open advisories, and packages not audited, of what each needs with each way of reaching its model.",
        ("pipeline", "way", "open", "not audited"),
        [
            (
                arm,
                way,
                ", ".join(known["open"]) or "none",
                f"{known['not_audited']} of {known['audited'] + known['not_audited']}",
            )
            for arm, by_way in found["pipelines"].items()
            for way, known in by_way.items()
        ],
    )
    told = [
        f"{_wrapped(f'{each.package} {each.label}: {each.what}')}\n{_wrapped(f'How it touches us: {_note(each)}')}"
        for each in snapshot.advisories
    ]
    return "\n\n".join([columns([table, ways]), *told, "\n".join(_remarks(snapshot, versions))])


def _wrapped(line: str) -> str:
    return textwrap.fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def check(path: Path = SNAPSHOT) -> int:
    """The gate: 1 where an advisory does not say how it touches us, or holds a locked version that has a fix.

    Both are asked of the snapshot and of pip-audit, which may be out of reach: that is said, and fails nothing.
    """
    snapshot, versions = read(path), locked()
    reported: list[Advisory] = []
    try:
        reported = _found(audit.asked(LOCK), versions)
        print("pip-audit: asked just now")
    except BadInput as error:
        print(f"pip-audit: {error}")
    print("\n".join(_remarks(snapshot, versions)))
    current = _brought_up(snapshot.advisories, reported, versions)
    unexplained, avoidable = (
        _unexplained(current),
        [each for each in current if _open(each, versions) and each.fixed_in],
    )
    for each in unexplained:
        print(f"{each.package} {versions.get(each.package)}: {each.label} does not say how it touches us: {each.what}")
    if unexplained:
        print(f"Write `how_it_touches_us` in {path.name}, or lock a fixed version; first, if new, run --update.")
    for each in avoidable:
        fixed = ", ".join(each.fixed_in)
        print(f"{each.package} {versions[each.package]}: {each.label} holds it and is fixed in {fixed}: lock that")
    return 1 if unexplained or avoidable else 0


def update(path: Path = SNAPSHOT) -> int:
    """Ask pip-audit about every locked package and the index about releases, and write the snapshot again.

    Raises `BadInput`, and leaves the file alone, where no package could be audited.
    """
    old, versions = read(path), locked()
    if sys.stderr.isatty():
        print(f"asking about {len(versions)} packages ...", file=sys.stderr)
    answers = audit.asked(LOCK)
    audited = {canonicalize_name(each["name"]): each["version"] for each in answers if "skip_reason" not in each}
    current = _brought_up(old.advisories, _found(answers, versions), versions)
    dates = audit.released(versions)
    snapshot = Snapshot(
        schema_version=old.schema_version,
        date=datetime.now(UTC).date(),
        tool=audit.tool(),
        audited=dict(sorted(audited.items())),
        not_audited={name: audit.reason(name, answers) for name in sorted(versions.keys() - audited.keys())},
        advisories=tuple(current),
        released={name: Release(**each) for name, each in dates.items()} or old.released,
    )
    write(snapshot, path)
    new = len(current) - len(old.advisories)
    print(f"{path.name}: {len(audited)} of {len(versions)} packages audited, {new} new advisories")
    if not dates:
        print("Release dates are those of before: uv is not installed or the index did not answer.")
    for each in _unexplained(snapshot.advisories):
        print(f"{each.package}: write how {each.label} touches us: {each.what}")
    return 0


def _brought_up(known: Iterable[Advisory], reported: Iterable[Advisory], versions: dict[str, str]) -> list[Advisory]:
    """What is known as it is reported now, and what is new.

    Where a known one did not hold the locked version and is reported for it, it holds it, and asks for an answer again.
    """
    new, current = list(reported), list[Advisory]()
    for old in known:
        now = next((each for each in new if _same(old, each)), None)
        if now is None:
            current.append(old)
            continue
        new.remove(now)
        changed: dict[str, Any] = {"fixed_in": tuple(dict.fromkeys((*old.fixed_in, *now.fixed_in)))}
        if not _open(old, versions):
            changed |= {"affected": f"{old.affected}{OR}{now.affected}", "how_it_touches_us": None}
        current.append(old.model_copy(update=changed))
    return [*current, *new]


def write(snapshot: Snapshot, path: Path) -> None:
    with replacing(path) as file:
        file.write(snapshot.model_dump_json(indent=1).encode() + b"\n")


def _remarks(snapshot: Snapshot, versions: dict[str, str]) -> list[str]:
    reasons = _reasons(snapshot, versions)
    lines = [f"Not audited: {len(reasons)} of {len(versions)} locked packages. That is not known, not clean."]
    for reason in sorted(set(reasons.values())):
        names = [name for name, why in reasons.items() if why == reason]
        listed = "all of them" if len(names) == len(versions) else ", ".join(names)
        lines.append(_wrapped(f"  {reason}: {listed}"))
    if _stale(snapshot):
        age = f"The snapshot is {_age_days(snapshot)} days old"
        stale = age if snapshot.audited else f"Nothing was audited on {snapshot.date}"
        lines.append(f"{stale}; run crossover maintenance advisories --update where the package index is reached.")
    return lines


def _reasons(snapshot: Snapshot, versions: dict[str, str]) -> dict[str, str]:
    return {
        name: snapshot.not_audited.get(name, "another version was audited" if name in snapshot.audited else "new")
        for name in sorted(versions)
        if not _audited(name, snapshot, versions)
    }


def _age_days(snapshot: Snapshot) -> int:
    return (datetime.now(UTC).date() - snapshot.date).days


def _stale(snapshot: Snapshot) -> bool:
    """A snapshot for which nothing could be audited is as good as none."""
    return not snapshot.audited or _age_days(snapshot) > STALE_DAYS


def _open(advisory: Advisory, versions: dict[str, str]) -> bool:
    return advisory.holds(versions.get(advisory.package))


def _note(advisory: Advisory) -> str:
    return advisory.how_it_touches_us or "how it touches us is not written yet"


def _unexplained(advisories: Iterable[Advisory]) -> list[Advisory]:
    return [each for each in advisories if not each.how_it_touches_us]


def _same(one: Advisory, other: Advisory) -> bool:
    return one.package == other.package and bool(one.names() & other.names())


def _found(answers: Iterable[dict[str, Any]], versions: dict[str, str]) -> list[Advisory]:
    """One entry for each advisory that pip-audit knows of a locked version, however many names it has."""
    found: list[Advisory] = []
    for answer in answers:
        name = canonicalize_name(answer["name"])
        for each in answer.get("vulns", ()):
            one = Advisory(
                package=name,
                id=each["id"],
                aliases=tuple(each["aliases"]),
                affected=f"=={versions[name]}",
                fixed_in=tuple(each["fix_versions"]),
                what=each["description"].strip().partition("\n")[0][:300],
            )
            if not any(_same(one, other) for other in found):
                found.append(one)
    return found
