"""`musenet fill` from the command line, and its replay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from musenet import api
from musenet.cli.main import main
from musenet.model.checkpoint import Checkpoint, save_checkpoint
from tokenizer.midi import events
from tokenizer.midi.read import read
from tokenizer.notation.read import read_musicxml
from tokenizer.notation.write import write_musicxml
from tokenizer.score.bars import Bars

FOLK = Path(__file__).parents[3] / "examples" / "prompts" / "folk.mid"


Run = Callable[..., int]


@pytest.fixture
def run(tiny: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a command with lively weights; gives the exit code."""
    weights = tmp_path_factory.mktemp("model") / "tiny"
    save_checkpoint(weights, tiny.model, tiny.tokenizer, {})

    def go(*arguments: object) -> int:
        with pytest.raises(SystemExit) as stop:
            main([*map(str, arguments), "--weights", str(weights)])
        return int(stop.value.code or 0)

    return go


def test_takes_are_written_and_made_again(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "TAKES"
    assert run("fill", FOLK, "--bars", "3-4", "--variations", 2, "--seed", 5, "--out", out) == 0
    said = capsys.readouterr().out
    assert sorted(p.name for p in out.iterdir()) == ["folk-1.mid", "folk-2.mid"]
    assert "new notes in bars 3–4" in said
    assert "seed 5, variation 2" in said
    again = tmp_path / "again.mid"
    assert run("replay", out / "folk-2.mid", "--out", again) == 0
    assert "identical" in capsys.readouterr().out
    assert again.read_bytes() == (out / "folk-2.mid").read_bytes()


def test_the_best_takes_are_kept_with_reasons(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "best.mid"
    assert run("fill", FOLK, "--bars", "2-5", "--candidates", 4, "--seed", 1, "--out", out) == 0
    lines = capsys.readouterr().out.splitlines()
    starred = [line.split()[1] for line in lines if line.startswith("*")]
    assert len(starred) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["best.mid"]
    alone = tmp_path / "alone.mid"
    number = starred[0]
    assert (
        run("fill", FOLK, "--bars", "2-5", "--variation", number, "--seed", 1, "--out", alone) == 0
    )
    assert alone.read_bytes() == out.read_bytes()


def test_parts_are_written_under_a_tune(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, again = tmp_path / "band.mid", tmp_path / "again.mid"
    assert run("accompany", FOLK, "--instruments", "bass", "--seed", 3, "--out", out) == 0
    said = capsys.readouterr().out
    assert "Electric Bass (finger)" in said
    assert "relaxed" not in said
    old, new = read(FOLK), read(out)
    assert [track.program for track in new.tracks][: len(old.tracks)] == [
        track.program for track in old.tracks
    ]
    assert len(new.notes) >= len(old.notes)
    assert run("replay", out, "--out", again) == 0
    assert again.read_bytes() == out.read_bytes()
    chart = ("--instruments", "bass", "--chords", "C6 | F", "--out", out)
    assert run("accompany", FOLK, *chart) == 0
    assert "C6 as C" in capsys.readouterr().out
    assert run("accompany", FOLK, "--out", out) == 2
    assert "no part is named" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no hole is given"),
        (("--bars", "90-91"), "lies beyond the end"),
        (("--bars", "3-4", "--from", "2"), "exclude each other"),
        (("--bars", "3", "--tracks", "Zither"), "no track called 'Zither'"),
        (("--bars", "3", "--instruments", "pianoo"), "did you mean"),
        (("--bars", "3", "--keep", "2"), "--keep needs --candidates"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    assert run("fill", FOLK, *arguments, "--out", tmp_path / "a" / "new.mid") == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_the_song_itself_is_never_replaced(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = tmp_path / "song.mid"
    song.write_bytes(FOLK.read_bytes())
    for number, out in enumerate((song, tmp_path), 2):
        assert run("fill", song, "--bars", "3", "--out", out, "--force") == 2
        assert "is the prompt itself" in capsys.readouterr().err
        assert run("fill", song, "--bars", "3", "--out", out) == 0
        assert f"song-{number}.mid" in capsys.readouterr().out
    assert song.read_bytes() == FOLK.read_bytes()


def test_takes_are_not_overwritten(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "take.mid"
    out.write_bytes(b"mine")
    assert run("accompany", FOLK, "--instruments", "bass", "--out", out) == 0
    assert out.read_bytes() == b"mine"
    assert (tmp_path / "take-2.mid").exists()
    assert run("accompany", FOLK, "--instruments", "bass", "--out", out, "--force") == 0
    assert out.read_bytes() != b"mine"


def test_a_fill_that_was_edited_is_not_made_again(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new.mid"
    assert run("fill", FOLK, "--bars", "3-4", "--seed", 5, "--out", out) == 0
    file = events.parse(out.read_bytes())
    for track in file.tracks[1:]:
        del track[5:]
    out.write_bytes(events.dump(file))
    capsys.readouterr()
    assert run("replay", out, "--out", tmp_path / "again.mid") == 2
    assert "was edited after it was filled" in capsys.readouterr().err


def test_python_fills_too(tiny: Checkpoint, tmp_path: Path) -> None:
    made = api.Model(tiny).fill(FOLK, bars=[(3, 4)], variations=2, seed=5)
    made[0].save(tmp_path / "one.mid")
    assert len(read(tmp_path / "one.mid").notes) == len(made[0].score.notes)
    assert "bars 3–4 filled" in repr(made[1])
    again = api.Model(tiny).fill(read(FOLK), bars="3-4", seed=5, chords="Am | G")
    assert again[0].take.recipe.options.chords == "Am | G"
    with pytest.raises(TypeError, match="variations"):
        api.Model(tiny).fill(FOLK, variaations=2)  # type: ignore[call-arg]


def test_a_score_is_filled_and_written_as_a_score(run: Run, tmp_path: Path) -> None:
    song = tmp_path / "folk.musicxml"
    write_musicxml(read(FOLK), song)
    taken = tmp_path / "take.mxl"
    assert run("fill", song, "--bars", "3-4", "--seed", 5, "--out", taken) == 0
    before, after = read_musicxml(song), read_musicxml(taken)
    bars = Bars(before.time_signatures, before.ticks_per_quarter)
    hole = range(bars.tick(2), bars.tick(4))
    assert [t.name for t in after.tracks] == [t.name for t in before.tracks]
    kept = [
        sorted((n["start"], n["pitch"]) for n in score.notes if n["start"] not in hole)
        for score in (before, after)
    ]
    assert kept[0] == kept[1]
