"""What a request writes and plays: a file a variation, audio as long as it, what was kept."""

from __future__ import annotations

import shutil
import wave
from collections import Counter
from collections.abc import Callable
from itertools import islice
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
from tokenizer.files import write_bytes
from tokenizer.midi import events
from tokenizer.midi.read import read

from .conftest import PIANO, Run, files

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


def test_variations_get_a_file_each(run: Run, tmp_path: Path) -> None:
    code, _, _ = run(PIANO, "--out", "v.mid", "--bars", 2, "--seed", 1, "--variations", 3,
                     "--picture", "p.svg")  # fmt: skip
    assert code == 0
    assert files(tmp_path) == sorted(
        [*(f"v-{k}.mid" for k in (1, 2, 3)), *(f"p-{k}.svg" for k in (1, 2, 3))]
    )
    run(PIANO, "--out", "two.mid", "--bars", 2, "--seed", 1, "--variation", 2)
    assert (tmp_path / "two.mid").read_bytes() == (tmp_path / "v-2.mid").read_bytes()


def test_the_best_of_several_are_kept(run: Run, tmp_path: Path) -> None:
    words = [PIANO, "--bars", 1, "--seed", 6]
    code, out, _ = run(*words, "--out", "b.mid", "--candidates", 5, "--keep", 2)
    assert code == 0
    kept = [line.split()[1] for line in out.splitlines() if line.startswith("*")]
    assert files(tmp_path) == sorted(f"b-{number}.mid" for number in kept)
    run(*words, "--out", "alone.mid", "--variation", kept[1])
    assert (tmp_path / "alone.mid").read_bytes() == (tmp_path / f"b-{kept[1]}.mid").read_bytes()


def test_a_folder_of_prompts(run: Run, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    for name in ("piano", "folk"):
        shutil.copy(PIANO.with_name(f"{name}.mid"), prompts)
    (prompts / "bad.mid").write_text("Dear diary")
    (prompts / "notes.txt").write_text("to do")
    code, out, err = run(prompts, "--out", "songs", "--picture", "rolls", "--bars", 1)
    assert code == 2
    assert "bad.mid" in err
    assert out.count("new note") == 2
    assert files(tmp_path / "songs") == ["folk.mid", "piano.mid"]
    assert files(tmp_path / "rolls") == ["folk.png", "piano.png"]
    empty = tmp_path / "none"
    empty.mkdir()
    code, _, err = run(empty, "--out", "songs")
    assert code == 2
    assert "no MIDI files" in err


def test_a_stream_grows_with_every_bar(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def counted(path: Path, data: bytes) -> None:
        write_bytes(path, data)
        written.append(len(read(path).notes))

    monkeypatch.setattr("musenet.cli.generate_run.write_bytes", counted)
    code, _, _ = run(PIANO, "--out", "s.mid", "--bars", 12, "--seed", 5, "--stream")
    assert code == 0
    assert len(written) > 2
    assert written == sorted(written)


@pytest.mark.parametrize("after", [0, 3])
def test_ctrl_c_writes_what_there_is(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    from musenet.generation.session import Continuation

    steps = Continuation.steps

    def interrupted(self: Continuation):  # type: ignore[no-untyped-def]
        yield from islice(steps(self), after)
        raise KeyboardInterrupt

    monkeypatch.setattr(Continuation, "steps", interrupted)
    code, out, _ = run(PIANO, "--out", "part.mid", "--bars", 64, "--seed", 2)
    assert code == 0
    if after:
        assert "to continue: musenet generate part.mid" in out
        assert len(read(tmp_path / "part.mid").notes) > len(read(PIANO).notes)
    else:
        assert "before the first new note: nothing was written" in out
        assert not (tmp_path / "part.mid").exists()


def test_the_new_music_is_played(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[bytes] = []
    monkeypatch.setattr(audio, "player", lambda *_: played.append)
    code, out, _ = run(PIANO, "--bars", 1, "--out", "o.mid", "--play", "--seed", 3)
    assert code == 0
    assert "Playing variation 1" in out
    whole, alone = read(tmp_path / "o.mid"), read(played[0])
    assert 0 < len(alone.notes) < len(whole.notes)


def test_ctrl_c_stops_playing_and_nothing_else(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_data: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(audio, "player", lambda *_: interrupted)
    code, out, _ = run(PIANO, "--bars", 1, "--out", "o.mid", "--play")
    assert (code, out.splitlines()[-1]) == (0, "Stopped playing.")
    assert (tmp_path / "o.mid").exists()
