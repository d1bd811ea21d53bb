"""`musenet generate` as it is typed: files, words, exit codes, and nothing half-written."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from musenet.cli.generate import best_of
from musenet.model.checkpoint import save_checkpoint
from tokenizer.errors import InputError
from tokenizer.midi.read import read, to_bytes
from tokenizer.notation.read import read_musicxml
from tokenizer.score.score import Score

from .conftest import PIANO, Run, files


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
        (["PIANO", "--out", "o.mid", "--top-p", "2"], "above 0 and at most 1"),
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
