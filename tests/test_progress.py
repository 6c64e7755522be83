"""The line that says how far long work is."""

from __future__ import annotations

import pytest

from benchmarks.progress import Progress, over, said


def test_a_bar_has_the_count_the_rate_and_the_time_left() -> None:
    assert said("requests", 500, 2000, 10.0) == "requests [#####...............] 500 of 2,000, 50.0/s, 30 s left"
    assert said("kills", 1, 4, 120.0) == "kills [#####...............] 1 of 4, 0.5/min, 360 s left"
    assert said("points", 0, 4, 1.0).endswith("0 of 4, 0.0/min, time left not known")
    assert said("points", 4, 4, 1.0) == "points [####################] 4 of 4, 4.0/s, 0 s left"
    assert said("nothing", 0, 0, 0.0).startswith("nothing [....................] 0 of 0")


def test_it_is_drawn_on_a_terminal_alone_and_gone_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Progress("quiet", 2) as progress:
        progress.step()
        progress.step()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress("loud", 1) as progress:
        progress.step()
    shown = capsys.readouterr().err
    assert "loud [####################] 1 of 1" in shown
    assert shown.endswith("\r\033[K")
    assert list(over("items", [3, 1, 2])) == [3, 1, 2]
    assert "items [####################] 3 of 3" in capsys.readouterr().err
