"""Chords that music follows: where they stand, told by bar lines counted here, and what is refused.

Prompts are written with mido; the rows of a continuation are read back note by note.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from musenet.generation.chords import chart_chords, chords_of, kept_chords
from musenet.generation.prompt import Prompt, read_prompt
from musenet.generation.recipe import prompt_in
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from musenet.sampling.sampler import roles_of
from tokenizer.chords.chord import CHORDS
from tokenizer.chords.symbols import parse_chord
from tokenizer.encoding.structure import GIVEN, WRITTEN
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.errors import InputError
from tokenizer.score.bars import Bars
from tokenizer.score.score import TIME_SIGNATURES

BAR = 1920
TRIADS = {"C": (48, 64, 67, 72), "Am": (45, 60, 64, 69), "F": (41, 60, 65, 69), "G": (43, 59, 62)}
LOOP = ["C", "Am", "F", "G"]


def song(path: Path, chords: list[str], *, markers: str = "", drums: bool = False) -> Path:
    """A chord a bar, in quarter notes; markers name others, a bar each."""
    midi = mido.MidiFile(ticks_per_beat=480)
    notes, texts = mido.MidiTrack(), mido.MidiTrack()
    midi.tracks += [texts, notes]
    for number, text in enumerate(markers.split()):
        texts.append(mido.MetaMessage("marker", text=text, time=BAR if number else 0))
    for chord in chords:
        for _ in range(4):
            channel = 9 if drums else 0
            for pitch in TRIADS[chord]:
                notes.append(mido.Message("note_on", note=pitch, velocity=80, channel=channel))
            for number, pitch in enumerate(TRIADS[chord]):
                time = 0 if number else 480
                notes.append(mido.Message("note_off", note=pitch, channel=channel, time=time))
    midi.save(path)
    return path


def symbols(ticks: np.ndarray, numbers: np.ndarray) -> list[tuple[float, str]]:
    """The bar, from 0, and the symbol of chords in 4/4; what only goes on is left out."""
    found = [(t / BAR, CHORDS[n].symbol) for t, n in zip(ticks, numbers, strict=True)]
    return [row for k, row in enumerate(found) if k == 0 or row[1] != found[k - 1][1]]


def test_a_chart_repeats_over_changing_meters() -> None:
    """Any tick of any bar has the chord of its place in its bar."""
    signatures = np.array([(0, 4, 4), (2 * BAR, 3, 4), (2 * BAR + 3 * 1440, 6, 8)], TIME_SIGNATURES)
    bars = Bars(signatures, 480)
    end = bars.tick(17)
    found = chart_chords("C | Am / G | F", bars, bars.tick(1), end)
    chart = [["C"], ["Am", "Am", "G"], ["F"]]
    for tick in range(bars.tick(1), end, 7):
        bar = bars.number(tick)
        words = chart[(bar - 1) % 3]
        place = (tick - bars.tick(bar)) / (bars.tick(bar + 1) - bars.tick(bar))
        sounding = found.numbers[np.searchsorted(found.ticks, tick, side="right") - 1]
        assert CHORDS[sounding].symbol == words[int(place * len(words))]
    assert found.ticks[0] == bars.tick(1)
    assert found.ticks.max() < end


def test_a_chart_begins_at_a_bar_line() -> None:
    bars = Bars(np.array([(0, 4, 4)], TIME_SIGNATURES), 480)
    found = chart_chords("C | G", bars, BAR + 1, 4 * BAR)
    assert symbols(found.ticks, found.numbers) == [(2, "C"), (3, "G")]


def test_what_is_taken_for_a_simpler_chord_is_said() -> None:
    bars = Bars(np.array([(0, 4, 4)], TIME_SIGNATURES), 480)
    assert chart_chords("C | Am | %", bars, 0, BAR).words == ()
    (words,) = chart_chords("C6 | Am/G | Am", bars, 0, BAR).words
    assert words.endswith(": C6 as C, Am/G as Am.")


@pytest.mark.parametrize(("count", "loop"), [(8, 4), (10, 4), (4, 4), (3, 3), (1, 1)])
def test_the_loop_of_a_prompt_goes_on_where_it_stopped(
    tmp_path: Path, count: int, loop: int
) -> None:
    played = [LOOP[bar % 4] for bar in range(count)]
    prompt = read_prompt(song(tmp_path / "a.mid", played))
    found = kept_chords(prompt, (count + 9) * BAR)
    expected = [(bar, played[bar] if bar < count else "") for bar in range(count + 9)]
    for bar in range(count, count + 9):
        expected[bar] = (bar, expected[bar - loop][1])
    changes = [row for k, row in enumerate(expected) if k == 0 or row[1] != expected[k - 1][1]]
    assert symbols(found.ticks, found.numbers) == changes
    assert f"loop of {loop} bar" in found.words[0]


def test_a_blues_of_twelve_bars_comes_again_whole(tmp_path: Path) -> None:
    """Its four-bar phrases agree in half of their bars, and are no loop of four."""
    blues = ["C", "C", "C", "C", "F", "F", "C", "C", "G", "F", "C", "G"]
    found = kept_chords(read_prompt(song(tmp_path / "a.mid", blues)), 24 * BAR)
    again = [(bar, blues[bar % 12]) for bar in range(24)]
    changes = [row for k, row in enumerate(again) if k == 0 or row[1] != again[k - 1][1]]
    assert symbols(found.ticks, found.numbers) == changes


def test_chords_of_many_bars_that_are_no_loop_are_said_in_part(tmp_path: Path) -> None:
    through = "C F Bb Eb G D A E Dm Gm Cm Am Em Bm Fm B C# Ab F# Bbm"
    prompt = read_prompt(song(tmp_path / "a.mid", LOOP * 5, markers=through))
    found = kept_chords(prompt, 24 * BAR)
    assert found.words[0].startswith("The chords of the prompt's last 20 bars come again: C | F |")
    assert found.words[0].endswith("B | …")


def test_chords_that_markers_name_count(tmp_path: Path) -> None:
    path = song(tmp_path / "a.mid", LOOP * 2, markers="Em D Em D Em D Em D")
    found = kept_chords(read_prompt(path), 12 * BAR)
    names = ["Em", "D"] * 6
    assert symbols(found.ticks, found.numbers) == list(enumerate(names))
    assert found.words[0].endswith("2 bars: Em | D")


def test_the_prompt_before_from_has_no_chords(tmp_path: Path) -> None:
    prompt = read_prompt(song(tmp_path / "a.mid", LOOP * 2), begin=Place(bar=4))
    found = chords_of(prompt)
    assert symbols(found.ticks, found.numbers)[0] == (3, "G")


def rows_and_roles(tiny: Checkpoint, prompt: Prompt | None, options: GenerateOptions) -> list[Any]:
    """Time, name or pitch, and role of all rows that say something, of the first variation."""
    continuation = Continuation(tiny, prompt, options)
    for _ in continuation.steps():
        pass
    config, vocabulary = continuation._config, tiny.tokenizer.vocabulary
    rows = np.concatenate([config.prompt, continuation.rows(0)])
    roles = np.concatenate([config.roles, roles_of(continuation._sampled, 0)])
    now, found = 0, []
    for row, role in zip(rows.tolist(), roles.tolist(), strict=True):
        now += int(vocabulary.steps[row[0]])
        if row[0] >= vocabulary.first_control:
            found.append((now, vocabulary.name(row[0]), role))
        elif row[1]:
            found.append((now, row[2] - 1, role))
    return found


@pytest.mark.parametrize("engine", ["eager", "int8"])
def test_chords_are_given_rows_before_the_notes_of_their_time(
    tiny: Checkpoint, tmp_path: Path, engine: str
) -> None:
    """The prompt's own chords, then those of the chart, each once, as training shows them."""
    path = song(tmp_path / "a.mid", LOOP)
    options = GenerateOptions(bars=5, seed=1, chords="G | Am F | %", engine=engine)
    found = rows_and_roles(tiny, read_prompt(path), options)
    chords = [(time, name) for time, name, _ in found if isinstance(name, str)]
    bars = [(0, "C"), (1, "Am"), (2, "F"), (3, "G"), (5, "Am"), (5.5, "F"), (6, "Am"), (6.5, "F")]
    bars += [(7, "G"), (8, "Am"), (8.5, "F")]
    assert chords == [(int(bar * 96), parse_chord(name).control) for bar, name in bars]
    assert all(role == (GIVEN if isinstance(name, str) else WRITTEN) for _, name, role in found)
    written = [time for time, name, _ in found if not isinstance(name, str) and time >= 4 * 96]
    assert written, "notes are still drawn"
    for number, (time, name, _) in enumerate(found):
        if isinstance(name, str):
            assert not any(earlier[0] >= time for earlier in found[:number])
    pitches = [(time, name) for time, name, _ in found if not isinstance(name, str)][:15]
    body = Tokenizer.default().body(read_prompt(path).music)
    assert [name + 1 for _, name in pitches] == body[:15, 2].tolist()


def test_a_new_piece_begins_with_its_first_chord(tiny: Checkpoint) -> None:
    found = rows_and_roles(tiny, None, GenerateOptions(bars=3, seed=2, chords="Dm | N.C."))
    chords = [row for row in found if isinstance(row[1], str)]
    assert found[0] == chords[0] == (0, "chord:D:min", GIVEN)
    assert chords[1:] == [(96, "chord:none", GIVEN), (192, "chord:D:min", GIVEN)]


def test_an_ending_follows_the_chart_too(tiny: Checkpoint, tmp_path: Path) -> None:
    path = song(tmp_path / "a.mid", LOOP)
    options = GenerateOptions(bars=4, seed=1, chords="F G", ending=True)
    found = rows_and_roles(tiny, read_prompt(path), options)
    times = [time for time, name, _ in found if isinstance(name, str) and time >= 4 * 96]
    last = max(time for time, _, _ in found)
    assert times == [t for t in range(4 * 96, 9 * 96, 48) if t <= max(last, times[-1])]


def test_kept_chords_are_made_again_from_the_recipe(tiny: Checkpoint, tmp_path: Path) -> None:
    """Markers too, although the file that is made has more of them."""
    for markers in ("", "Em D Em D Em D Em D"):
        path = song(tmp_path / "a.mid", LOOP * 2, markers=markers)
        options = GenerateOptions(bars=10, seed=3, keep_chords=True)
        first = Continuation(tiny, read_prompt(path), options)
        for _ in first.steps():
            pass
        (result,) = first.results()
        again = Continuation(tiny, prompt_in(result.file, result.recipe), result.recipe.options)
        for _ in again.steps():
            pass
        assert again.results()[0].data == result.data
        assert again.words == first.words


def test_the_critic_reads_music_without_chords(tiny: Checkpoint, tmp_path: Path) -> None:
    prompt = read_prompt(song(tmp_path / "a.mid", LOOP))
    continuation = Continuation(tiny, prompt, GenerateOptions(bars=2, chords="C | F", seed=1))
    for _ in continuation.steps():
        pass
    vocabulary = tiny.tokenizer.vocabulary
    plain = continuation.piece(0)
    assert not vocabulary.chords[plain[:, 0]].any()
    notes = tiny.tokenizer.decode(plain).notes
    assert np.array_equal(notes[: len(prompt.music.notes)]["pitch"], prompt.music.notes["pitch"])


def test_weights_without_chords_are_refused(tiny: Checkpoint) -> None:
    known = tiny.tokenizer.vocabulary
    names = [name for name in known.controls if not name.startswith("chord:")]
    old = replace(tiny, tokenizer=Tokenizer(Vocabulary(known.grid, tuple(names))))
    with pytest.raises(InputError, match="these weights know no chords"):
        Continuation(old, None, GenerateOptions(chords="C"))


def test_chords_that_cannot_be_kept(tiny: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs a prompt"):
        Continuation(tiny, None, GenerateOptions(keep_chords=True))
    drums = read_prompt(song(tmp_path / "a.mid", LOOP, drums=True))
    with pytest.raises(InputError, match="no chord sounds in the prompt"):
        Continuation(tiny, drums, GenerateOptions(keep_chords=True))


def test_a_chart_is_a_text_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "chart.txt"
    path.write_text("C | Am\nF | G7\n", encoding="utf-8")
    assert GenerateOptions.from_keywords(chords=str(path)).chords == "C | Am\nF | G7\n"
    assert GenerateOptions.from_keywords(chords="C | Am").chords == "C | Am"
    path.write_text("C | Hm", encoding="utf-8")
    for given, sentence in (
        (str(path), r"chart\.txt: bar 2 of the chart: 'Hm' is no chord symbol"),
        ("C | Xy", "--chords: bar 2 of the chart: 'Xy' is no chord symbol"),
        ("C | | G", "bar 2 of the chart is empty"),
        ("missing.txt", "and there is no such file"),
    ):
        with pytest.raises(InputError, match=sentence):
            GenerateOptions.from_keywords(chords=given)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not a text file"):
        GenerateOptions.from_keywords(chords=str(path))
