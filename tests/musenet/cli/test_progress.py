"""Progress is shown at a terminal and nowhere else."""

from __future__ import annotations

import sys

import pytest

from musenet.cli.progress import ProgressDisplay, counted, minutes


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


@pytest.mark.parametrize("terminal", [True, False])
def test_lines_are_said_once_and_at_a_terminal_make_way(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setenv("TERM", "xterm")
    with ProgressDisplay("") as progress:
        progress.say("step 1", 0.1)
        progress.say("step 2", 0.2)
        progress.say("validation")
    err = capsys.readouterr().err
    assert "validation" in err
    assert "step 2" in err
    assert err.endswith("validation\n") != terminal
    assert ("step 1\nstep 2\n" in err) != terminal


def test_times_are_minutes_and_seconds() -> None:
    assert [minutes(seconds) for seconds in (0.4, 65, 600)] == ["0:00", "1:05", "10:00"]


def test_one_is_no_plural() -> None:
    assert [counted(n, "new note") for n in (0, 1, 1200)] == [
        *("0 new notes", "1 new note", "1,200 new notes")
    ]
