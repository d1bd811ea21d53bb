"""The Python examples and the tree of docs/generation.md run as they are printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from musenet import api
from musenet.cli.main import main
from musenet.model.checkpoint import Checkpoint
from musenet.tree import grow
from tokenizer.midi.read import read

ROOT = Path(__file__).parents[3]


def test_the_examples_run(
    tiny: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (ROOT / "docs" / "generation.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) == 6
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, "load", lambda name: api.Model(tiny))
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert len(read("more.mid").notes) > 0
    assert len(read("waltz.mid").notes) > 0
    songs = names["songs"]
    assert isinstance(songs, list)
    assert len(songs) == 4
    assert (tmp_path / "waltz.svg").exists()
    assert "in the key" in capsys.readouterr().out


def test_the_tree_grows_as_it_is_printed(
    tiny: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (ROOT / "docs" / "generation.md").read_text(encoding="utf-8")
    branches = page[page.index("## Branches") :]
    commands, drawing = re.findall(r"```(?:sh)?\n(.*?)```", branches, flags=re.DOTALL)[:2]
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(grow, "load_checkpoint", lambda name: tiny)
    shown = ""
    for line in commands.splitlines():
        with pytest.raises(SystemExit) as stop:
            main(shlex.split(line)[1:])
        assert not stop.value.code
        said = capsys.readouterr().out
        shown = said if "tree show" in line else shown
    # How many notes there are is the model's; all the rest is as printed.
    counted = re.compile(r"\d+ notes")
    assert counted.sub("", shown) == counted.sub("", drawing)
    assert len(read("song.mid").notes) > len(read("examples/prompts/folk.mid").notes)
