"""`musenet watch` as it runs: what comes is done, what is bad is said, Ctrl-C ends it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import mido
import pytest

from musenet.cli.main import main

ROOT = Path(__file__).parents[3]
FOLK = ROOT / "examples" / "prompts" / "folk.mid"
SECONDS = 120


class Watch:
    """A `musenet watch` in a process of its own."""

    def __init__(self, folder: Path, weights: Path, *arguments: str) -> None:
        code = "from musenet.cli.start import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "watch", *arguments, "--weights", str(weights)],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        self._late = threading.Timer(SECONDS, self.process.kill)
        self._late.start()

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self) -> tuple[int, str]:
        """Press Ctrl-C; returns the exit code and what it printed since."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=SECONDS)
        self._late.cancel()
        return self.process.returncode, rest.strip()


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


def test_files_are_continued_as_they_come(folders: Path, lively: Path) -> None:
    (folders / "in" / "old.mid").write_bytes(b"no midi")
    watch = Watch(folders, lively, "in", "--out", "out", "--bars", "1", "--seed", "5")
    assert "(left: 1 that are there already; " in watch.line()
    shutil.copy(FOLK, folders / "in" / "song.mid")
    said = watch.line()
    assert said.startswith("song.mid: ")
    assert f"bars 9–9, in {Path('out', 'song.mid')} (seed 5; " in said
    assert mido.MidiFile(folders / "out" / "song.mid").length > mido.MidiFile(FOLK).length
    (folders / "in" / "bad.mid").write_bytes(b"MThd and no more")
    assert watch.line().startswith("bad.mid is left: ")
    shutil.copy(FOLK, folders / "in" / "song.mid")  # exported once more
    assert f"{Path('out', 'song-2.mid')} " in watch.line()
    assert watch.stop() == (0, "Stopped.")
    assert sorted(path.name for path in (folders / "out").iterdir()) == ["song-2.mid", "song.mid"]


def test_takes_of_a_hole_in_what_is_there(folders: Path, lively: Path) -> None:
    shutil.copy(FOLK, folders / "in" / "song.mid")
    hole = ("--bars", "3-4", "--instruments", "violin", "--variations", "2")
    watch = Watch(folders, lively, "fill", "in", "--out", "out", *hole, "--existing")
    watch.line()
    assert f"{Path('out', 'song-1.mid')} to song-2.mid" in watch.line()
    assert watch.stop() == (0, "Stopped.")
    assert len(list((folders / "out").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["in", "--out", "in"], "into the folder that is watched"),
        (["missing", "--out", "out"], "is no folder"),
        (["fill", "in", "--out", "out"], "no hole is given"),
        (["in", "--out", "out", "--keep", "2"], "--keep needs --candidates"),
        (["in", "--out", "out", "--weights", "missing"], "missing"),
    ],
)
def test_what_is_wrong_is_said_before_anything(
    folders: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(folders)
    with pytest.raises(SystemExit) as stop:
        main(["watch", *arguments])
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
    assert not (folders / "out").exists()
