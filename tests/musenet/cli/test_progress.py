"""Progress is shown at a terminal and nowhere else."""

from __future__ import annotations

import sys

import pytest

from musenet.cli.progress import ProgressDisplay, minutes


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_sees_the_count(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setenv("TERM", "xterm")
    with ProgressDisplay("files") as progress:
        progress("reading", 1234, 2000)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("1,234 files" in err) == terminal


def test_times_are_minutes_and_seconds() -> None:
    assert [minutes(seconds) for seconds in (0.4, 65, 600)] == ["0:00", "1:05", "10:00"]
