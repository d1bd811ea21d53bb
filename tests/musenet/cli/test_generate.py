"""`musenet generate` as it is typed: files, words, exit codes, and nothing half-written."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from musenet.cli.generate import best_of
from musenet.export import audio
from musenet.model.checkpoint import save_checkpoint
from musenet.model.transformer import Transformer
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError
from tokenizer.files import write_bytes
from tokenizer.midi.read import read, to_bytes
from tokenizer.notation.read import read_musicxml
from tokenizer.score.score import Score

PIANO = Path(__file__).parents[3] / "examples" / "prompts" / "piano.mid"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def model(model_for: Callable[..., Transformer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model of one layer."""
    tokenizer = Tokenizer.default(composers=["bach", "chopin"], styles=["baroque"])
    folder = tmp_path_factory.mktemp("model") / "tiny"
    save_checkpoint(
        folder, model_for(tokenizer, layers=1, context=256, patterns=("dense",)), tokenizer, {}
    )
    return folder


@pytest.fixture
def run(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """Run the command in an empty folder; gives exit code, output and errors."""
    from musenet.cli.main import main

    monkeypatch.chdir(tmp_path)

    def go(*arguments: str | Path, model: Path | str = model) -> tuple[int, str, str]:
        words = ["generate", *map(str, arguments), "--weights", str(model)]
        code = 0
        try:
            main(words)
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return go


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_prompt_is_continued(run: Run, tmp_path: Path) -> None:
    code, out, _ = run(PIANO, "--out", "new/song.mid", "--bars", 4, "--seed", 3,
                       "--picture", "song.png")  # fmt: skip
    assert code == 0
    assert "new/song.mid" in out
    assert "seed 3" in out
    assert files(tmp_path) == ["new/song.mid", "song.png"]
    prompt, song = read(PIANO), read(tmp_path / "new" / "song.mid")
    assert np.array_equal(song.notes[: len(prompt.notes)], prompt.notes)
    run(PIANO, "--out", "again.mid", "--bars", 4, "--seed", 3)
    assert (tmp_path / "again.mid").read_bytes() == (tmp_path / "new" / "song.mid").read_bytes()


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


def test_music_without_a_prompt(run: Run, tmp_path: Path) -> None:
    code, _, _ = run("--composer", "J. S. Bach", "--instrument", "piano", "--out", "new.mid",
                     "--bars", 4, "--key", "D minor", "--meter", "3/4", "--tempo", 90)  # fmt: skip
    assert code == 0
    score = read(tmp_path / "new.mid")
    assert score.time_signatures.tolist() == [(0, 3, 4)]
    assert score.key_signatures.tolist() == [(0, -1, True)]


def test_the_continuation_alone_and_stems(run: Run, tmp_path: Path) -> None:
    quartet = PIANO.with_name("quartet.mid")
    words = [quartet, "--to", 4, "--bars", 4, "--seed", 2, "--instrument", "flute"]
    code, _, _ = run(*words, "--out", "whole.mid", "--stems", "stems")
    assert code == 0
    run(*words, "--out", "new.mid", "--only-continuation")
    whole, new = read(tmp_path / "whole.mid"), read(tmp_path / "new.mid")
    after = whole.notes[whole.notes["start"] >= 4 * 960].copy()
    after["start"] -= 4 * 960
    for name in ("start", "duration", "pitch", "velocity", "program"):
        assert np.array_equal(new.notes[name], after[name])
    assert new.time_signatures.tolist() == [(0, 2, 4)]
    stems = sorted((tmp_path / "stems").iterdir())
    assert [path.name[3:] for path in stems][:4] == [
        "Violin I.mid", "Violin II.mid", "Viola.mid", "Violoncello.mid",
    ]  # fmt: skip
    assert sum(len(read(path).notes) for path in stems) == len(whole.notes)


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
    assert out.count("new notes") == 2
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


@pytest.mark.parametrize(
    ("kind", "word"),
    [("composers", "Johann Sebastian Bach"), ("styles", "baroque"), ("instruments", "40  Violin")],
)
def test_lists(run: Run, kind: str, word: str) -> None:
    code, out, _ = run("--list", kind)
    assert code == 0
    assert word in out


def test_an_unknown_list(run: Run) -> None:
    code, _, err = run("--list", "composer")
    assert code == 2
    assert "did you mean 'composers'" in err


def test_a_long_prompt_is_heard_in_part_and_said_so(run: Run, tmp_path: Path) -> None:
    orchestra = PIANO.with_name("orchestra.mid")
    code, out, _ = run(orchestra, "--out", "o.mid", "--bars", 1)
    assert code == 0
    assert "longer than the model's context" in out
    assert len(read(tmp_path / "o.mid").notes) >= len(read(orchestra).notes)


def test_a_prompt_of_more_ticks_than_a_delta_holds_is_continued(run: Run, tmp_path: Path) -> None:
    long = Path(__file__).parents[2] / "fixtures" / "nasty" / "huge_delta_sum_gt_2e32.mid"
    code, _, _ = run(long, "--out", "o.mid", "--bars", 2)
    assert code == 0
    assert len(read(tmp_path / "o.mid").notes) >= len(read(long).notes)


def test_a_meter_that_the_model_lacks_is_named_and_stays_in_the_file(
    run: Run, tmp_path: Path
) -> None:
    odd = Path(__file__).parents[2] / "fixtures" / "reports" / "meter_3_64.mid"
    code, out, _ = run(odd, "--out", "o.mid", "--bars", 1)
    assert code == 0
    assert "no time signature 3/64" in out
    assert read(tmp_path / "o.mid").time_signatures[:1].tolist() == [(0, 3, 64)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["PIANO"], "--out"),
        (["missing.mid", "--out", "o.mid"], "missing.mid"),
        (["text.mid", "--out", "o.mid"], "not a MIDI file"),
        (["empty.mid", "--out", "o.mid"], "empty"),
        (["silent.mid", "--out", "o.mid"], "no notes"),
        (["PIANO", "--out", "o.wav"], "must end in .mid"),
        (["PIANO", "--out", "text.mid/o.mid"], "not a folder"),
        (["PIANO", "--out", "o.mid", "--picture", "p.jpg"], ".png or .svg"),
        (["PIANO", "--out", "o.mid", "--composer", "chopn"], "did you mean 'chopin'"),
        (["PIANO", "--out", "o.mid", "--instrument", "pinao"], "did you mean 'piano'"),
        (["PIANO", "--out", "o.mid", "--style", "barok"], "did you mean 'baroque'"),
        (["PIANO", "--out", "o.mid", "--bars", "0"], "bars 0"),
        (["PIANO", "--out", "o.mid", "--bars", "4", "--length", "1:00"], "exclude each other"),
        (["PIANO", "--out", "o.mid", "--to", "x"], "--to takes a bar"),
        (["PIANO", "--out", "o.mid", "--from", "90"], "no notes between --from and --to"),
        (["--out", "o.mid", "--from", "2"], "give a prompt, or leave them out"),
        (["PIANO", "--out", "o.mid", "--temperature", "hot"], "--temperature takes a number"),
        (["PIANO", "--out", "o.mid", "--top-p", "2"], "outside 0 to 1"),
        (["PIANO", "--out", "o.mid", "--variations", "1000"], "1 to 64"),
        (["PIANO", "--out", "o.mid", "--meter", "3/4"], "works only without a prompt"),
        (["PIANO", "--out", "o.mid", "--loop-penalty", "0.5"], "outside 1 to 100"),
        (["PIANO", "--out", "o.mid", "--keep", "2"], "give both"),
        (
            ["PIANO", "--out", "o.mid", "--only-instruments", "piano", "--instrument", "violin"],
            "asks for Violin, which --only-instruments leaves out",
        ),
        (["PIANO", "--out", "o.mid", "--as", "Piano"], "--as takes tracks and instruments"),
        (["--out", "o.mid", "--as", "Keys=piano"], "about the tracks of a prompt"),
        (["PIANO", "--out", "o.mid", "--candidates", "2", "--keep", "3"], "keep 1 to "),
        (
            ["PIANO", "--out", "o.mid", "--candidates", "2", "--variations", "3"],
            "exclude each other",
        ),
        (
            ["PIANO", "--out", "o.mid", "--candidates", "2", "--stream"],
            "cannot be used with --candidates",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    run: Run, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "text.mid").write_text("Dear diary")
    (tmp_path / "empty.mid").write_bytes(b"")
    (tmp_path / "silent.mid").write_bytes(to_bytes(Score()))
    before = files(tmp_path)
    code, out, err = run(*[str(PIANO) if word == "PIANO" else word for word in arguments])
    assert code == 2
    assert sentence in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert files(tmp_path) == before


def test_a_damaged_checkpoint(run: Run, tmp_path: Path, model: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(model, damaged)
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    code, _, err = run(PIANO, "--out", "o.mid", model=damaged)
    assert code == 2
    assert "damaged" in err
    (damaged / "tokenizer.json").unlink()
    shutil.copy(model / "model.safetensors", weights)
    code, _, err = run(PIANO, "--out", "o.mid", model=damaged)
    assert code == 2
    assert "tokenizer.json" in err
    code, _, err = run(PIANO, "--out", "o.mid", model="nowhere")
    assert code == 2
    assert "nowhere" in err
    assert not (tmp_path / "o.mid").exists()


def test_weights_that_are_no_numbers(run: Run, tmp_path: Path, model: Path) -> None:
    from musenet.model.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(model)
    with torch.no_grad():
        checkpoint.model.embedding.weight.fill_(float("nan"))
    save_checkpoint(tmp_path / "nan", checkpoint.model, checkpoint.tokenizer, {})
    code, _, err = run(PIANO, "--out", "o.mid", model=tmp_path / "nan")
    assert code == 2
    assert "not finite" in err
    assert not (tmp_path / "o.mid").exists()


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


def test_the_root_script_is_the_same_command(
    run: Run, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import runpy

    run(PIANO, "--out", "a.mid", "--bars", 1, "--seed", 1)
    words = [str(PIANO), "--out", "b.mid", "--bars", "1", "--seed", "1", "--weights", str(model)]
    monkeypatch.setattr(sys, "argv", ["generate.py", *words])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(Path(__file__).parents[3] / "generate.py"), run_name="__main__")
    assert not stop.value.code
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


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


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((None, 2, (1,)), "give both"),
        ((8, 9, (1,)), "keep 1 to "),
        ((8, 0, (1,)), "keep 1 to "),
        ((8, 2, (1, 2, 3)), "exclude each other"),
        ((8, 2, (3,)), "exclude each other"),
    ],
)
def test_requests_that_mean_nothing(
    given: tuple[int | None, int | None, tuple[int, ...]], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        best_of(*given)


def test_requests_that_mean_something() -> None:
    assert best_of(None, None, (1, 2, 3, 4)) is None
    assert best_of(16, None, (1,)) == 1
    assert best_of(16, 2, (1,)) == 2


def test_a_score_for_players_comes_out_and_goes_in(run: Run, tmp_path: Path) -> None:
    first = tmp_path / "first.musicxml"
    code, out, _ = run(PIANO, "--out", first, "--bars", "2", "--seed", "1")
    assert code == 0
    assert str(first.name) in out
    prompt = read(PIANO)
    written = read_musicxml(first)
    assert len(written.notes) > len(prompt.notes)
    assert run(first, "--out", "second.mid", "--bars", "2", "--seed", "1")[0] == 0
    assert len(read(tmp_path / "second.mid").notes) > len(written.notes)


def test_a_score_is_not_streamed_and_a_bad_one_is_one_sentence(run: Run, tmp_path: Path) -> None:
    code, _, said = run(PIANO, "--out", "a.musicxml", "--stream")
    assert code == 2
    assert "--stream writes MIDI" in " ".join(said.split())
    (tmp_path / "bad.musicxml").write_text("<score-partwise>")
    code, _, said = run("bad.musicxml", "--out", "a.mid")
    assert code == 2
    assert "damaged XML" in " ".join(said.split())
    assert files(tmp_path) == ["bad.musicxml"]


def test_to_beyond_the_end_is_refused(run: Run, tmp_path: Path) -> None:
    code, _, err = run(PIANO, "--to", 99, "--out", "o.mid", "--bars", 1)
    assert code == 2
    assert re.search(r"--to lies beyond the end of .*piano.mid, which has \d+ bars", err)
    assert not list(tmp_path.iterdir())


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


@pytest.mark.slow
def test_the_demo_continues_a_piece_that_comes_with_the_program(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from musenet.cli.main import main

    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # the second time overwrites the first
        with pytest.raises(SystemExit) as stop:
            main(["demo"])
        assert not stop.value.code
        midi, picture = Path("demo/chorale.mid"), Path("demo/chorale.png")
        assert capsys.readouterr().out.endswith(f"Listen to {midi} and look at {picture}.\n")
    assert sorted(path.name for path in Path("demo").iterdir()) == [midi.name, picture.name]
    assert len(read(midi).notes) > len(read(PIANO.with_name("chorale.mid")).notes)
