"""The Python interface: songs, notes as they come, pictures that show themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musenet.api import Model, Song, generate, load, notes
from musenet.generation.prompt import read_prompt
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from tokenizer.errors import InputError
from tokenizer.midi.read import read
from tokenizer.score.score import Score

FOLK = Path(__file__).parents[2] / "examples" / "prompts" / "folk.mid"
TWO = GenerateOptions(bars=2, seed=3, variations=(1, 2))


def test_a_path_bytes_a_score_and_a_prompt_are_the_same_prompt(tiny: Checkpoint) -> None:
    ways = (FOLK, str(FOLK), FOLK.read_bytes(), read(FOLK), read_prompt(FOLK))
    songs = [generate(tiny, given, TWO) for given in ways]
    for others in songs[1:]:
        for song, other in zip(songs[0], others, strict=True):
            assert np.array_equal(song.score.notes, other.score.notes)


def test_songs_are_saved_and_drawn(tiny: Checkpoint, tmp_path: Path) -> None:
    song: Song = generate(tiny, FOLK, GenerateOptions(bars=1))[0]
    song.save(tmp_path / "song.mid")
    assert np.array_equal(read(tmp_path / "song.mid").notes, song.score.notes)
    song.picture(tmp_path / "song.svg")
    assert (tmp_path / "song.svg").read_text().startswith("<?xml")
    assert song._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(InputError):
        song.picture(tmp_path / "song.gif")


def test_notes_come_one_by_one_and_are_those_of_the_song(tiny: Checkpoint) -> None:
    prompt = read_prompt(FOLK, stop=Place(bar=2))
    came = list(notes(tiny, prompt, TWO))
    for song in generate(tiny, prompt, TWO):
        score = song.score
        new = score.notes[score.notes["start"] >= song.result.boundary]
        got = {
            (round(n.start, 6), n.pitch, n.velocity, n.program)
            for n in came
            if n.variation == song.result.variation
        }
        want = {
            (
                round(float(score.seconds(int(n["start"]))), 6),
                *(int(n[k]) for k in ("pitch", "velocity", "program")),
            )
            for n in new
        }
        assert want <= got, "those in the file are those that came, less what met a held note"
        assert len(want) >= 0.8 * len(got) > 0
    assert all(n.duration > 0 for n in came)


def test_bytes_are_filled_and_scored_as_their_file_is(tiny: Checkpoint) -> None:
    model, data = Model(tiny), FOLK.read_bytes()
    filled = [model.fill(given, bars="2", seed=1)[0].score for given in (FOLK, data)]
    assert np.array_equal(filled[0].notes, filled[1].notes)
    assert model.score(data).bits_per_note == model.score(FOLK).bits_per_note
    with pytest.raises(InputError, match="MIDI data at byte 0: this is not a MIDI file"):
        model.generate(b"no music")


@pytest.mark.parametrize("wrong", [3, [FOLK], np.zeros((2, 5)), object()])
def test_what_is_no_music_is_refused_with_what_is(tiny: Checkpoint, wrong: Any) -> None:
    model = Model(tiny)
    said = f"a path, as the bytes of a MIDI file or .*Score, not as {type(wrong).__name__}$"
    for use in (
        lambda: model.generate(wrong),
        lambda: model.notes(wrong),
        lambda: model.fill(wrong, bars="2"),
        lambda: model.score(wrong),
    ):
        with pytest.raises(TypeError, match=said):
            use()


def test_a_score_without_notes_is_refused(tiny: Checkpoint) -> None:
    with pytest.raises(InputError, match="the score has no notes"):
        generate(tiny, Score())


def test_a_model_takes_keywords(tiny: Checkpoint) -> None:
    words = Model(tiny).generate(FOLK, bars=2, seed=3, variations=2)
    options = generate(tiny, FOLK, TWO)
    assert [song.result.data for song in words] == [song.result.data for song in options]
    came = list(Model(tiny).notes(FOLK, bars=2, seed=3, variations=2))
    assert came == list(notes(tiny, FOLK, TWO))


def test_a_part_of_the_prompt(tiny: Checkpoint) -> None:
    (song,) = Model(tiny).generate(FOLK, begin=2, stop=4, bars=1)
    part = GenerateOptions(bars=1, begin=Place(bar=2), stop=Place(bar=4))
    same = generate(tiny, FOLK, part)
    assert song.result.data == same[0].result.data
    (timed,) = Model(tiny).generate(FOLK, stop="3.6s", bars=1)
    assert timed.result.boundary == int(read(FOLK).ticks(np.array([3.6]))[0])
    with pytest.raises(InputError, match="give a path or a score"):
        Model(tiny).generate(stop=4)


def test_wrong_words_are_refused_before_the_first_note(tiny: Checkpoint) -> None:
    with pytest.raises(InputError, match="did you mean 'chopin'"):
        Model(tiny).notes(composer="chopim")
    with pytest.raises(TypeError, match="did you mean 'bars'"):
        Model(tiny).generate(FOLK, bar=2)  # type: ignore[call-arg]


def test_songs_show_themselves(tiny: Checkpoint) -> None:
    songs = Model(tiny).generate(FOLK, bars=1, variations=2, seed=4)
    assert songs._repr_html_().count("data:image/png;base64,iVBORw0KGgo") == 2
    assert "seed 4, variation 2" in repr(songs[1])
    assert len(repr(songs)) < 300


def test_a_model_is_loaded_by_its_folder_or_name(tiny: Checkpoint) -> None:
    assert load(tiny.folder).checkpoint.hash == tiny.hash
    with pytest.raises(InputError, match="did you mean 'mini'"):
        load("mimi")
