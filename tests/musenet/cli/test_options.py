"""Commands have an option for each field of their options, and none that these cannot hold."""

from __future__ import annotations

import pytest

from musenet.cli.main import main


@pytest.mark.parametrize(("command", "has"), [("generate", True), ("fill", True), ("live", False)])
def test_a_variation_is_named_where_there_are_some(
    command: str, has: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert not stop.value.code
    assert ("--variation " in capsys.readouterr().out) is has


def test_live_refuses_a_variation_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["live", "answer", "--variation", "2"])
    assert stop.value.code == 2
    assert "--variation" in capsys.readouterr().err
