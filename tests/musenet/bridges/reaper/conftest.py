"""A REAPER that Lua 5.4 plays: the script runs in it, and each of its calls is checked."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from musenet.bridges.reaper.install import SCRIPT

HERE = Path(__file__).parent


class Reaper:
    """A project in the stand-in; `answer` is what the program answers to a request."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer: Callable[[str], str | None] = lambda request: "cancelled\n"
        self.requests: list[str] = []
        self.on_turn: Callable[[int], None] = lambda turn: None
        lua54 = pytest.importorskip("lupa.lua54", reason="lupa is missing")
        lua = lua54.LuaRuntime(encoding="utf-8")
        load = lua.eval("function(text, name, ...) return assert(load(text, name))(...) end")
        text = (HERE / "stand_in.lua").read_text(encoding="utf-8")
        signatures = (HERE / "signatures.txt").read_text(encoding="utf-8")
        self.stand_in = load(text, "=stand_in", signatures, str(folder), self._execute)
        self._run = lua.eval(
            "function(text, api) return assert(load(text, '=musenet.lua', 't', "
            "setmetatable({reaper = api.reaper, gfx = api.gfx}, {__index = _G})))() end"
        )
        self.table = lua.table_from
        self.stand_in.add_bars(64, 4, 4, 120)

    def _execute(self, what: str, argument: str) -> int:
        if what == "mkdir":
            Path(argument).mkdir(parents=True, exist_ok=True)
            return 1
        path = Path(shlex.split(argument)[-1])
        self.requests.append(path.read_text(encoding="utf-8"))
        if (said := self.answer(argument)) is not None:
            path.with_name(path.name.replace(".request.", ".answer.")).write_text(said)
        return 1

    @property
    def project(self) -> Any:
        return self.stand_in.project

    @property
    def boxes(self) -> list[str]:
        return list(self.project.boxes.values())

    @property
    def lines(self) -> list[str]:
        return str(self.stand_in.dump()).splitlines()

    @property
    def files(self) -> list[str]:
        folder = self.folder / "MuseNet"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def run(self, choice: int, text: str | None = None, values: str | bool | None = None) -> None:
        """Run the action of a menu entry; `values` are typed into the dialog, False cancels it."""
        self.project.choice, self.project.values = choice, values
        self._run(text or SCRIPT.read_text(encoding="utf-8"), self.stand_in.api)
        turn = 0
        while self.stand_in.turn():
            turn += 1
            self.on_turn(turn)
            assert turn < 2000
        assert self.stand_in.state(), "something is left open"


@pytest.fixture
def reaper(tmp_path: Path) -> Reaper:
    """A bass and a piano of four bars, of which the bass is selected."""
    found = Reaper(tmp_path)
    found.stand_in.add_track("Bass", False)
    found.stand_in.add_track("Piano\tleft", False)
    bass = found.stand_in.add_item(0, 8.0, 24.0, True)
    piano = found.stand_in.add_item(1, 8.0, 24.0, False)
    for beat in range(8, 24, 2):
        found.stand_in.add_note(bass, beat, beat + 1.5, 0, 36 + beat // 4, 100, False)
    found.stand_in.add_note(bass, 13.0, 14.0, 0, 50, 64, True)
    found.stand_in.add_cc(bass, 8.0, 0xC0, 0, 33, 0)
    found.stand_in.add_cc(bass, 12.5, 0xE0, 0, 1, 64)
    found.stand_in.add_text(bass, 9.0, 1, "verse")
    found.stand_in.add_note(piano, 10.0, 12.0, 1, 60, 80, False)
    return found


def lines_of(reaper: Reaper, track: str) -> list[str]:
    """The lines of a track, its own left out."""
    lines = reaper.lines
    start = lines.index(f"track {track}") + 1
    ends = [n for n in range(start, len(lines)) if lines[n].startswith("track ")]
    return lines[start : ends[0] if ends else None]
