"""The adapters, held against what each library itself reads from the same real files."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import miditoolkit
import mido
import numpy as np
import pretty_midi
import pytest
import symusic

from tokenizer import InputError, Score, Track, interop, read, to_bytes
from tokenizer.score.columns import KEY_SIGNATURES, NO_TRACK, NOTES

REAL = sorted((Path(__file__).parent.parent / "fixtures" / "midi").glob("*.mid"))
REPORTS = REAL[0].parent.parent / "reports"
files = pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
Rows = Counter[tuple[int, ...]]


def notes_of(score: Score) -> Rows:
    return Counter((s, d, p, v, g) for s, d, p, v, g, _ in score.notes.tolist())


def changes(score: Score) -> list[tuple[int, int]]:
    """The tempos that differ from the one before; pretty_midi keeps no others."""
    found = [(0, 500000)]
    for time, microseconds in score.tempos.tolist():
        if time == 0:
            found = []
        if not found or found[-1][1] != microseconds:
            found.append((time, microseconds))
    return found


@files
def test_mido_keeps_everything(path: Path) -> None:
    score = read(path)
    assert interop.from_mido(interop.to_mido(score)) == score
    assert interop.from_mido(mido.MidiFile(path, charset="utf-8")) == score


@files
def test_symusic_keeps_everything(path: Path) -> None:
    score = read(path)
    assert interop.from_symusic(interop.to_symusic(score)) == score


@files
def test_from_symusic_has_the_notes_that_symusic_has(path: Path) -> None:
    theirs = symusic.Score(path)
    score = interop.from_symusic(theirs)
    assert notes_of(score) == notes_of(read(path))
    assert score.ticks_per_quarter == theirs.tpq
    assert notes_of(interop.from_symusic(theirs.to("Second"))).total() == theirs.note_num()


@files
def test_to_symusic_is_what_symusic_reads(path: Path) -> None:
    score = read(path)
    theirs = symusic.Score(path)
    ours = interop.to_symusic(score)
    assert ours.note_num() == theirs.note_num()
    assert ours.tempos == theirs.tempos
    assert [t.name for t in ours.tracks if len(t.notes)] == [
        t.name for t in theirs.tracks if len(t.notes)
    ]


@files
def test_miditoolkit_gives_what_it_reads_itself(path: Path) -> None:
    score = read(path)
    theirs = miditoolkit.MidiFile(path, charset="utf-8")
    points = sum(score.notes["duration"] == 0)
    assert notes_of(interop.from_miditoolkit(theirs)).total() == len(score.notes) - points
    if not points:
        assert notes_of(interop.from_miditoolkit(theirs)) == notes_of(score)
    ours = interop.to_miditoolkit(score)
    assert ours.ticks_per_beat == theirs.ticks_per_beat
    assert {t.time for t in ours.tempo_changes} >= {t.time for t in theirs.tempo_changes[1:]}
    tempi = {t.time: t.tempo for t in ours.tempo_changes}
    for change in theirs.tempo_changes[1:]:
        assert tempi[change.time] == pytest.approx(change.tempo)
    buffer = io.BytesIO()
    ours.dump(file=buffer)
    assert notes_of(read(buffer.getvalue())) == notes_of(score)


@files
def test_miditoolkit_keeps_all_but_the_tracks_of_lyrics(path: Path) -> None:
    score = read(path)
    again = interop.from_miditoolkit(interop.to_miditoolkit(score))
    lyrics = score.lyrics.copy()
    lyrics["track"] = NO_TRACK
    columns = {**score.columns(), "lyrics": lyrics}
    assert again == Score(score.ticks_per_quarter, score.tracks, **columns)


@files
def test_pretty_midi_gives_what_it_reads_itself(path: Path) -> None:
    score = read(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # tempos in later tracks are read anyway
        theirs = pretty_midi.PrettyMIDI(str(path))
    ours = interop.to_pretty_midi(score)

    def notes(midi: pretty_midi.PrettyMIDI) -> Rows:
        return Counter(
            (round(n.start * 1e4), round(n.end * 1e4), n.pitch, n.velocity, part.program)
            for part in midi.instruments
            for n in part.notes
        )

    assert notes(ours) == notes(theirs)
    assert ours.get_end_time() == pytest.approx(theirs.get_end_time())
    again = interop.from_pretty_midi(ours)
    kept = score.notes[score.notes["duration"] > 0]
    assert notes_of(again) == Counter(row[:5] for row in kept.tolist())
    assert again.tempos.tolist() == changes(score)
    assert [row[:3] for row in again.controls.tolist()] == [
        row[:3] for row in score.controls.tolist()
    ]
    assert again.pedals.tolist() == score.pedals.tolist()


def test_pretty_midi_made_by_hand() -> None:
    midi = pretty_midi.PrettyMIDI(resolution=480, initial_tempo=90)
    drums = pretty_midi.Instrument(program=8, is_drum=True, name="room")
    drums.notes.append(pretty_midi.Note(velocity=100, pitch=36, start=0.0, end=2 / 3))
    midi.instruments.append(drums)
    midi.key_signature_changes.append(pretty_midi.KeySignature(12 + 9, 0.0))
    midi.time_signature_changes.append(pretty_midi.TimeSignature(6, 8, 0.0))
    score = interop.from_pretty_midi(midi)
    assert score.tracks == (Track("room", 128, True, 8),)
    assert score.notes.tolist() == [(0, 480, 36, 100, 128, 0)]
    assert score.tempos.tolist() == [(0, 666667)]
    assert score.key_signatures.tolist() == [(0, 0, True)]
    assert score.time_signatures.tolist() == [(0, 6, 8)]


@pytest.mark.parametrize("fifths", range(-7, 8))
@pytest.mark.parametrize("minor", [False, True])
def test_keys_have_the_names_that_mido_gives(fifths: int, minor: bool) -> None:
    notes = np.array([(0, 1, 60, 64, 0, 0)], NOTES)
    keys = np.array([(0, fifths, minor)], KEY_SIGNATURES)
    score = Score(480, (), notes, key_signatures=keys)
    name = next(
        message.key
        for message in mido.MidiFile(file=io.BytesIO(to_bytes(score))).tracks[0]
        if message.type == "key_signature"
    )
    assert interop.to_miditoolkit(score).key_signature_changes[0].key_name == name
    (key,) = interop.to_pretty_midi(score).key_signature_changes
    assert pretty_midi.key_number_to_key_name(key.key_number).endswith(
        "minor" if minor else "Major"
    )
    back = interop.from_pretty_midi(interop.to_pretty_midi(score)).key_signatures[0]
    assert (back["fifths"] - fifths) % 12 == 0
    assert back["minor"] == minor


def test_too_long_for_pretty_midi() -> None:
    score = Score(480, (), np.array([(10_000_001, 1, 60, 64, 0, 0)], NOTES))
    with pytest.raises(InputError, match="resample"):
        interop.to_pretty_midi(score)


def test_values_that_midi_cannot_hold() -> None:
    theirs = symusic.Score(480)
    track = symusic.Track("x", 0, False)
    track.notes.append(symusic.Note(0, 10, 60, 0))
    theirs.tracks.append(track)
    with pytest.raises(InputError, match="velocity of 0"):
        interop.from_symusic(theirs)


def test_libraries_are_imported_only_when_used() -> None:
    code = (
        "import sys, tokenizer, tokenizer.interop; "
        "print([m for m in ('mido', 'pretty_midi', 'miditoolkit', 'torch') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


UNISONS = [(0, 480, 60, 80), (240, 960, 60, 90), (0, 2000, 64, 70), (300, 200, 64, 71)]


def test_pretty_midi_holds_overlapping_and_nested_unisons() -> None:
    notes = np.array([(s, d, p, v, 0, 0) for s, d, p, v in UNISONS], NOTES)
    midi = interop.to_pretty_midi(Score(480, notes=notes))
    held = midi.instruments[0].notes
    found = sorted((n.pitch, n.start * 960, n.end * 960, n.velocity) for n in held)
    expected = sorted((p, s, s + d, v) for s, d, p, v in UNISONS)
    np.testing.assert_allclose(found, expected)
    again = interop.from_pretty_midi(midi)
    assert again.notes.tolist() == sorted((s, d, p, v, 0, 0) for s, d, p, v in UNISONS)


def test_a_file_with_nested_unisons_is_held_as_it_was_read() -> None:
    score = read(REPORTS / "pub_nested_unison.mid")
    assert score.notes[["start", "duration"]].tolist() == [(0, 480), (240, 1200)]
    for there, back in (
        (interop.to_pretty_midi, interop.from_pretty_midi),
        (interop.to_miditoolkit, interop.from_miditoolkit),
        (interop.to_symusic, interop.from_symusic),
        (interop.to_mido, interop.from_mido),
    ):
        assert back(there(score)).notes.tolist() == score.notes.tolist()


def test_what_midi_cannot_say_of_nested_unisons_is_which_ends_first() -> None:
    """The table of the module says so."""
    notes = np.array([(0, 1200, 60, 80, 0, 0), (240, 240, 60, 90, 0, 0)], NOTES)
    score = Score(480, notes=notes)
    swapped = [(0, 480, 60, 80, 0, 0), (240, 960, 60, 90, 0, 0)]
    assert interop.from_mido(interop.to_mido(score)).notes.tolist() == swapped
    assert interop.from_symusic(interop.to_symusic(score)).notes.tolist() == notes.tolist()
    assert interop.from_miditoolkit(interop.to_miditoolkit(score)).notes.tolist() == notes.tolist()
    assert interop.from_pretty_midi(interop.to_pretty_midi(score)).notes.tolist() == notes.tolist()
    assert "which of two notes of a key ends first" in str(interop.__doc__)


def test_without_symusic_the_adapter_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "symusic", None)
    with pytest.raises(InputError, match="pip install 'musenet\\[symusic\\]'"):
        interop.to_symusic(read(REAL[0]))
