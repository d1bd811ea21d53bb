"""What a request writes beside the MIDI file: audio as long as that file, for each kept result."""

from __future__ import annotations

import wave
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from musenet.cli.generate_run import make, make_each
from musenet.export import audio
from musenet.generation import prompt, result
from musenet.generation.outputs import Outputs
from musenet.generation.prompt import read_prompt
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from tokenizer.errors import InputError
from tokenizer.midi import events
from tokenizer.midi.read import read

MANY = GenerateOptions(bars=2, seed=11, variations=(1, 2, 3, 4, 5, 6))
FOLK = Path(__file__).parents[3] / "examples" / "prompts" / "folk.mid"


def seconds(path: Path) -> float:
    with wave.open(str(path)) as file:
        return file.getnframes() / file.getframerate()


@pytest.mark.parametrize("alone", [False, True])
def test_audio_is_as_long_as_the_file(
    tiny: Checkpoint, tmp_path: Path, soundfont: Path, alone: bool
) -> None:
    """Bars of three quarters at 100 a minute last 1.8 s: two of the prompt, two new ones."""
    out = tmp_path / "new" / "song.mid"
    outputs = Outputs(out, alone=alone, render=out.with_suffix(".wav"), soundfont=soundfont)
    outputs.check(folder=False)
    make(tiny, read_prompt(FOLK, stop=Place(2)), GenerateOptions(bars=2, seed=1), outputs)
    assert sorted(path.name for path in out.parent.iterdir()) == ["song.mid", "song.wav"]
    bars = 2 if alone else 4
    assert read(out).end <= bars * 3 * 480
    assert seconds(out.with_suffix(".wav")) == pytest.approx(bars * 1.8 + audio.TAIL, abs=1e-4)


def test_variations_and_folders_are_rendered_each(
    tiny: Checkpoint, tmp_path: Path, soundfont: Path
) -> None:
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "folk.mid").write_bytes(FOLK.read_bytes())
    outputs = Outputs(tmp_path / "songs", render=tmp_path / "audio", soundfont=soundfont)
    outputs.check(folder=True)
    options = GenerateOptions(bars=1, seed=1, stop=Place(1), variations=(1, 2))
    assert not make_each(tiny, prompts, options, outputs)
    assert sorted(p.name for p in outputs.midi.iterdir()) == ["folk-1.mid", "folk-2.mid"]
    assert sorted(p.name for p in (tmp_path / "audio").iterdir()) == ["folk-1.wav", "folk-2.wav"]


def test_audio_that_cannot_be_made_is_refused_before_the_work(
    tmp_path: Path, soundfont: Path
) -> None:
    song = tmp_path / "song.mid"
    with pytest.raises(InputError, match=r"\.wav or \.flac"):
        Outputs(song, render=tmp_path / "song.ogg", soundfont=soundfont).check(folder=False)
    with pytest.raises(InputError, match="does not exist"):
        Outputs(song, render=tmp_path / "a.wav", soundfont=tmp_path / "b").check(folder=False)
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(InputError, match="name a file"):
        Outputs(song, render=tmp_path / "folder.wav", soundfont=soundfont).check(folder=False)
    with pytest.raises(InputError, match="it is a file; name a folder"):
        Outputs(tmp_path, render=soundfont, soundfont=soundfont).check(folder=True)


def test_kept_files_are_the_variations_themselves(
    tiny: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = read_prompt(FOLK, stop=Place(2))
    make(tiny, given, MANY, Outputs(tmp_path / "best.mid", keep=2))
    printed = capsys.readouterr().out
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert len(kept) == 2
    marked = [line.split()[1] for line in printed.splitlines() if line.startswith("*")]
    assert kept == sorted(f"best-{number}.mid" for number in marked)
    for number in map(int, marked):
        alone = GenerateOptions(bars=2, seed=11, variations=(number,))
        make(tiny, given, alone, Outputs(tmp_path / "alone.mid"))
        assert (tmp_path / "alone.mid").read_bytes() == (
            tmp_path / f"best-{number}.mid"
        ).read_bytes()


def test_one_that_is_kept_has_the_name_that_was_given(tiny: Checkpoint, tmp_path: Path) -> None:
    make(tiny, None, MANY, Outputs(tmp_path / "new.mid", keep=1))
    assert [path.name for path in tmp_path.iterdir()] == ["new.mid"]


def test_files_are_read_and_written_once(
    tiny: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompt is read once; each variation is laid out once, and read once for its picture."""
    counts: Counter[str] = Counter()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*given: Any, **more: Any) -> Any:
            counts[name] += 1
            return function(*given, **more)

        return wrapper

    for module in (prompt, result):
        monkeypatch.setattr(module, "read", counted("read", read))
    monkeypatch.setattr(events, "dump", counted("dump", events.dump))
    options = GenerateOptions(bars=2, seed=1, variations=(1, 2))
    outputs = Outputs(tmp_path / "song.mid", picture=tmp_path / "song.png")
    make(tiny, read_prompt(FOLK), options, outputs)
    assert counts == {"read": 1 + 2, "dump": 2}
