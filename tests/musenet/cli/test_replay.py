"""`musenet replay` as it is typed: a file is made again from its recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import PIANO, Run


def test_a_file_is_made_again_from_its_recipe(
    run: Run, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from musenet.cli.main import main

    run(PIANO, "--out", "a.mid", "--bars", 2, "--seed", 4, "--instrument", "flute")
    main_words = ["replay", "a.mid", "--out", "b.mid", "--weights", str(model)]
    with pytest.raises(SystemExit) as stop:
        main(main_words)
    assert not stop.value.code
    assert "byte for byte" in capsys.readouterr().out
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()
    with pytest.raises(SystemExit) as stop:
        main(["replay", str(PIANO), "--out", "c.mid", "--weights", str(model)])
    assert stop.value.code == 2
    assert "contains no recipe" in capsys.readouterr().err
    run(PIANO, "--out", "n.mid", "--bars", 1, "--only-continuation")
    with pytest.raises(SystemExit) as stop:
        main(["replay", "n.mid", "--out", "c.mid", "--weights", str(model)])
    assert stop.value.code == 2
    assert "not its prompt" in capsys.readouterr().err
    assert not (tmp_path / "c.mid").exists()


def test_a_file_that_cannot_be_made_again_is_exit_code_1_unless_near(
    run: Run, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A note of the new music is changed, as another machine might have made it."""
    from musenet.cli.main import main

    run(PIANO, "--out", "a.mid", "--bars", 2, "--seed", 4)
    data = (tmp_path / "a.mid").read_bytes()
    end = data.rindex(b"\xff\x2f")
    at = max(i for i in range(end) if 0x90 <= data[i] < 0xA0 and data[i + 1] < 0x7F)
    edited = data[: at + 1] + bytes((data[at + 1] ^ 1,)) + data[at + 2 :]
    (tmp_path / "a.mid").write_bytes(edited)
    words = ["replay", "a.mid", "--out", "b.mid", "--weights", str(model)]
    for more, code in (([], 1), (["--near"], 0)):
        with pytest.raises(SystemExit) as stop:
            main([*words, *more])
        assert (stop.value.code or 0) == code
        assert "differs from a.mid" in capsys.readouterr().out
        assert (tmp_path / "b.mid").read_bytes() == data
