"""`crossover label RUN`: in the terminal, on a page, by a judge, or how far it is."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.labelling import pairs, status
from benchmarks.labelling.session import Session
from shared.errors import BadInput


def run(directory: Path, *, sample: int | None, page: bool, judge: str | None, show: bool, as_json: bool) -> int:
    """One of label, `page`, `judge` or `show`, and then the figures."""
    if page + bool(judge) + show > 1:
        raise BadInput("--page, --judge and --status are three things; choose one at a time")
    if sample and (judge or show):
        raise BadInput("--sample is how many pairs people label; --judge asks about all, --status asks nobody")
    compared = pairs.read(directory)
    session = Session(compared)
    session.labels()  # whether they are of this run, before anything is asked
    if judge:
        from benchmarks.labelling import judging

        judging.run(compared, judge)
    elif page:
        from benchmarks.labelling import page as served

        session.begin(sample)
        served.serve(session)
    elif not show:
        from benchmarks.labelling import terminal

        terminal.label(session, sample)
    told = status.document(compared, session.labels())
    print(json.dumps(told, ensure_ascii=False, indent=1) if as_json else status.text(told))
    return 0
