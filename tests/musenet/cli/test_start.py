"""Ctrl-C with real signals: at any moment there is no traceback, and no half-written file."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from musenet.cli.start import STOPPED, deferred
from musenet.generation.prompt import read_prompt
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from tokenizer.midi.read import read

ROOT = Path(__file__).parents[3]
FOLK = ROOT / "examples" / "prompts" / "folk.mid"
START = "import musenet.cli.start as s; s.handled_by(s._leave); print(1, flush=True); s.main()"
LATEST = 6.0  # seconds, by which the longest command here is done

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")


def interrupted(folder: Path, words: list[str], after: float) -> tuple[int, str, str]:
    """Run a command and press Ctrl-C some seconds after its first line of Python."""
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", START, *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def check(folder: Path, words: list[str], after: float) -> None:
    """Nothing but sentences; a file that is there is whole, and was told."""
    code, out, err = interrupted(folder, words, after)
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert code in (0, STOPPED, -signal.SIGINT)  # the last: Python had ended already
    for path in folder.iterdir():
        assert path.suffix == ".mid"
        assert len(read(path).notes)
        assert path.name in out
    if code == 0:
        assert list(folder.iterdir()) or "--out" not in words
    elif code == STOPPED and not list(folder.iterdir()):
        assert "topped" in out + err


COMMANDS = {
    "generate": ["generate", str(FOLK), "--out", "a.mid", "--bars", "64", "--seed", "1"],
    "variations": ["generate", "--out", "a.mid", "--bars", "32", "--variations", "3"],
    "fill": ["fill", str(FOLK), "--bars", "3-6", "--out", "a.mid"],
    "inspect": ["inspect", str(FOLK)],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_during_the_imports(tmp_path: Path, name: str) -> None:
    for number, after in enumerate((0.0, 0.05, 0.2)):
        folder = tmp_path / str(number)
        check(folder, COMMANDS[name], after)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_ctrl_c_at_random_moments(tmp_path: Path, seed: int) -> None:
    chosen = random.Random(seed)
    for number, words in enumerate(COMMANDS.values()):
        folder = tmp_path / str(number)
        check(folder, words, chosen.uniform(0, LATEST))


def test_ctrl_c_is_noted_while_files_are_written() -> None:
    before = signal.getsignal(signal.SIGINT)
    with deferred() as stopped:
        assert not stopped()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped()
    assert signal.getsignal(signal.SIGINT) is before


def test_statistics_count_the_bars_that_were_made(tiny: Checkpoint) -> None:
    prompt = read_prompt(FOLK)
    whole = Continuation(tiny, prompt, GenerateOptions(bars=16, seed=1))
    part = Continuation(tiny, prompt, GenerateOptions(bars=16, seed=1))
    for _ in whole.steps():
        pass
    reached = 0
    for tick in part.steps():
        reached = part.bars.number(int(tick)) - part.bars.number(prompt.boundary)
        if reached >= 4:
            break
    (made,), (all_of_it,) = part.results(), whole.results()
    bars = part.bars.count(prompt.boundary, made.end)
    assert reached < 15
    assert bars == pytest.approx(reached + 1)
    assert made.adherence.new.notes_per_bar == pytest.approx(made.notes / bars, rel=0.2)
    assert made.end < all_of_it.end == part.end
    assert made.file.end == made.end
    marks = read(made.data).markers["time"]
    assert marks.max() <= made.end
