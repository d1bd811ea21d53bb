"""Scores from and to the objects of pretty_midi, miditoolkit, mido and symusic.

Each library is imported only when it is used. What a library cannot hold is lost in it:

library      loses
pretty_midi  the tracks of lyrics, markers, the flats of key signatures, notes without length,
             a tempo that is stated again
miditoolkit  the tracks of lyrics
mido         which of two notes of a key ends first, where one lies inside the other
symusic      nothing

MIDI itself cannot say the last: a note-off names a key, and readers end the note that began first.
So it is lost in files too, while pretty_midi, miditoolkit and symusic hold both notes as they are.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tokenizer.instruments import DRUMS
from tokenizer.midi.read import read, to_bytes
from tokenizer.midi.to_score import pedals_of
from tokenizer.score.columns import NO_TRACK, SUSTAIN
from tokenizer.score.score import Score, Track
from tokenizer.score.tempo_map import TempoMap

from .errors import InputError
from .score import columns
from .theory import MAJOR_TONICS, MINOR_TONICS, fewest_accidentals
from .typing import Array

if TYPE_CHECKING:
    import miditoolkit
    import mido
    import pretty_midi
    import symusic

Rows = defaultdict[str, list[tuple[Any, ...]]]

PRETTY_MIDI_TICKS = 10_000_000  # pretty_midi takes a longer file for a corrupt one
_MINOR = tuple(f"{tonic}m" for tonic in MINOR_TONICS)
_KEYS = {
    name: (fifths - 7, minor)
    for minor, names in ((False, MAJOR_TONICS), (True, _MINOR))
    for fifths, name in enumerate(names)
}


def from_mido(midi: mido.MidiFile) -> Score:
    """Make a score of a `mido.MidiFile`, as if it were saved and read.

    Raises:
        MidiError: for a file that `tokenizer.read` refuses.
        InputError: if mido cannot save it.
    """
    file = io.BytesIO()
    try:
        midi.save(file=file)
    except (ValueError, TypeError) as error:
        raise InputError(f"mido cannot save this file: {error}") from error
    return read(file.getvalue())


def to_mido(score: Score) -> mido.MidiFile:
    """Make a `mido.MidiFile` of type 1, with a conductor track and one for each of the score's."""
    import mido

    return mido.MidiFile(file=io.BytesIO(to_bytes(score)), charset="utf-8")


def from_pretty_midi(midi: pretty_midi.PrettyMIDI) -> Score:
    """Make a score of a `pretty_midi.PrettyMIDI`; its seconds become the nearest ticks.

    Raises:
        InputError: for a value that MIDI cannot hold.
    """
    times, tempi = midi.get_tempo_changes()
    ticks = [midi.time_to_tick(time) for time in times]
    rows: Rows = defaultdict(list)
    rows["tempos"] = list(zip(ticks, np.rint(60e6 / tempi).astype(int).tolist(), strict=True))
    tempos = columns.prepared("tempos", rows["tempos"])
    clock = TempoMap(midi.resolution, tempos)

    def tick(events: Iterable[Any], name: str = "time") -> list[int]:
        found: list[int] = clock.ticks([getattr(event, name) for event in events]).tolist()
        return found

    for number, part in enumerate(midi.instruments):
        program = DRUMS if part.is_drum else part.program
        starts, ends = tick(part.notes, "start"), tick(part.notes, "end")
        for note, start, end in zip(part.notes, starts, ends, strict=True):
            row = (start, end - start, int(note.pitch), int(note.velocity), program, number)
            rows["notes"].append(row)
        for event, at in zip(part.control_changes, tick(part.control_changes), strict=True):
            rows["controls"].append((at, event.number, event.value, number))
        for event, at in zip(part.pitch_bends, tick(part.pitch_bends), strict=True):
            rows["pitch_bends"].append((at, event.pitch, number))
    for event, at in zip(midi.lyrics, tick(midi.lyrics), strict=True):
        rows["lyrics"].append((at, NO_TRACK, event.text))
    signatures = midi.time_signature_changes
    for event, at in zip(signatures, tick(signatures), strict=True):
        rows["time_signatures"].append((at, event.numerator, event.denominator))
    keys = midi.key_signature_changes
    for event, at in zip(keys, tick(keys), strict=True):
        rows["key_signatures"].append((at, *_key_of_number(event.key_number)))
    tracks = [_track(part.name, part.program, part.is_drum) for part in midi.instruments]
    return _score(midi.resolution, tracks, rows)


def to_pretty_midi(score: Score) -> pretty_midi.PrettyMIDI:
    """Make a `pretty_midi.PrettyMIDI` with an instrument for each track that has notes.

    Raises:
        InputError: if the score has more than the 10,000,000 ticks that pretty_midi allows.
    """
    import pretty_midi

    try:
        midi = pretty_midi.PrettyMIDI(io.BytesIO(to_bytes(score)), charset="utf-8")
    except ValueError as error:
        raise InputError(
            f"pretty_midi takes at most {PRETTY_MIDI_TICKS} ticks: {error}; "
            "resample to fewer ticks per quarter note"
        ) from error
    # pretty_midi ends all notes of a key at once when it reads, but can hold them as they are
    lasting = score.notes[score.notes["duration"] > 0]
    for number, part in zip(np.unique(lasting["track"]).tolist(), midi.instruments, strict=True):
        notes = lasting[lasting["track"] == number]
        if _has_overlapping_unisons(notes):
            second = midi.tick_to_time
            part.notes = [
                pretty_midi.Note(velocity, pitch, second(start), second(start + duration))
                for start, duration, pitch, velocity, *_ in notes.tolist()
            ]
    return midi


def _has_overlapping_unisons(notes: Array) -> bool:
    """Whether a note of a track begins before another of its pitch has ended."""
    order = np.lexsort((notes["start"], notes["pitch"]))
    first, second = notes[order[:-1]], notes[order[1:]]
    same = first["pitch"] == second["pitch"]
    return bool((same & (first["start"] + first["duration"] > second["start"])).any())


def from_miditoolkit(midi: miditoolkit.MidiFile) -> Score:
    """Make a score of a `miditoolkit.MidiFile`.

    Raises:
        InputError: for a value that MIDI cannot hold.
    """
    rows: Rows = defaultdict(list)
    for number, part in enumerate(midi.instruments):
        program = DRUMS if part.is_drum else part.program
        rows["notes"] += [
            (n.start, n.end - n.start, n.pitch, n.velocity, program, number) for n in part.notes
        ]
        rows["controls"] += [(c.time, c.number, c.value, number) for c in part.control_changes]
        rows["pitch_bends"] += [(b.time, b.pitch, number) for b in part.pitch_bends]
        if not any(c.number == SUSTAIN for c in part.control_changes):
            rows["pedals"] += [(p.start, p.end - p.start, number) for p in part.pedals]
    rows["tempos"] = [(t.time, round(60e6 / t.tempo)) for t in midi.tempo_changes]
    rows["time_signatures"] = [
        (t.time, t.numerator, t.denominator) for t in midi.time_signature_changes
    ]
    rows["key_signatures"] = [
        (k.time, *(_KEYS.get(k.key_name) or _key_of_number(k.key_number)))
        for k in midi.key_signature_changes
    ]
    rows["lyrics"] = [(event.time, NO_TRACK, event.text) for event in midi.lyrics]
    rows["markers"] = [(event.time, NO_TRACK, event.text) for event in midi.markers]
    tracks = [_track(part.name, part.program, part.is_drum) for part in midi.instruments]
    return _score(midi.ticks_per_beat, tracks, rows)


def to_miditoolkit(score: Score) -> miditoolkit.MidiFile:
    """Make a `miditoolkit.MidiFile` with an instrument for each track."""
    import miditoolkit
    from miditoolkit.midi import containers as of

    midi = miditoolkit.MidiFile(ticks_per_beat=score.ticks_per_quarter)
    midi.instruments = [
        of.Instrument(track.kit if track.is_drum else track.program, track.is_drum, track.name)
        for track in score.tracks
    ]
    for start, duration, pitch, velocity, _, track in score.notes.tolist():
        midi.instruments[track].notes.append(of.Note(velocity, pitch, start, start + duration))
    for time, number, value, track in score.controls.tolist():
        midi.instruments[track].control_changes.append(of.ControlChange(number, value, time))
    for time, value, track in score.pitch_bends.tolist():
        midi.instruments[track].pitch_bends.append(of.PitchBend(value, time))
    for time, duration, track in score.pedals.tolist():
        midi.instruments[track].pedals.append(of.Pedal(time, time + duration))
    midi.tempo_changes = [of.TempoChange(60e6 / us, time) for time, us in score.tempos.tolist()]
    midi.time_signature_changes = [
        of.TimeSignature(numerator, denominator, time)
        for time, numerator, denominator in score.time_signatures.tolist()
    ]
    midi.key_signature_changes = [
        of.KeySignature((_MINOR if minor else MAJOR_TONICS)[fifths + 7], time)
        for time, fifths, minor in score.key_signatures.tolist()
    ]
    midi.lyrics = [of.Lyric(text, time) for time, _, text in score.lyrics.tolist()]
    midi.markers = [of.Marker(text, time) for time, _, text in score.markers.tolist()]
    midi.max_tick = columns.end(score.notes) + 1
    return midi


def from_symusic(score: symusic.types.Score) -> Score:
    """Make a score of a `symusic.Score`; one in seconds or quarters is brought to ticks.

    A nameless track that holds nothing but lyrics gives lyrics without a track.

    Raises:
        InputError: for a value that MIDI cannot hold.
    """
    if score.ttype != "Tick":
        score = score.to("Tick")
    arrays: dict[str, list[Array]] = defaultdict(list)
    tracks: list[Track] = []
    for part in score.tracks:
        free = not part.name and not (len(part.notes) or len(part.controls))
        number = NO_TRACK if free and len(part.lyrics) else len(tracks)
        if number != NO_TRACK:
            tracks.append(_track(part.name, part.program, part.is_drum))
            program = tracks[number].program
            fields = {"program": program, "track": number}
            arrays["notes"].append(_filled("notes", part.notes.numpy(), **fields))
            for kind in ("controls", "pitch_bends", "pedals"):
                arrays[kind].append(_filled(kind, getattr(part, kind).numpy(), track=number))
        texts = [(event.time, number, event.text) for event in part.lyrics]
        arrays["lyrics"].append(np.array(texts, columns.TEXTS))
    for kind in ("tempos", "time_signatures", "key_signatures"):
        arrays[kind].append(_filled(kind, getattr(score, kind).numpy()))
    markers = [(event.time, NO_TRACK, event.text) for event in score.markers]
    arrays["markers"].append(np.array(markers, columns.TEXTS))
    joined = {kind: np.concatenate(parts) for kind, parts in arrays.items() if parts}
    return _with_pedals(Score(score.ticks_per_quarter, tuple(tracks), **joined))


def to_symusic(score: Score) -> symusic.types.Score:
    """Make a `symusic.Score` in ticks, with a track for each of the score's.

    Raises:
        InputError: if symusic is not installed.
    """
    try:
        import symusic
    except ImportError as error:
        raise InputError(
            "symusic is not installed; install it with: pip install 'musenet[symusic]'"
        ) from error

    core: Any = symusic.core  # its stubs know from_numpy of fewer columns than it has
    result = symusic.Score(score.ticks_per_quarter)
    for number, track in enumerate(score.tracks):
        program = track.kit if track.is_drum else track.program
        part = symusic.Track(track.name, program, track.is_drum)
        notes, controls, bends, pedals, lyrics = (
            array[array["track"] == number]
            for array in (
                score.notes,
                score.controls,
                score.pitch_bends,
                score.pedals,
                score.lyrics,
            )
        )
        part.notes = core.NoteTickList.from_numpy(
            *_whole(notes, "start", "duration"),
            notes["pitch"].astype(np.int8),
            notes["velocity"].astype(np.int8),
        )
        part.controls = core.ControlChangeTickList.from_numpy(
            *_whole(controls, "time"),
            np.ascontiguousarray(controls["number"]),
            np.ascontiguousarray(controls["value"]),
        )
        part.pitch_bends = core.PitchBendTickList.from_numpy(*_whole(bends, "time", "value"))
        part.pedals = core.PedalTickList.from_numpy(*_whole(pedals, "time", "duration"))
        part.lyrics = [symusic.TextMeta(time, text) for time, _, text in lyrics.tolist()]
        result.tracks.append(part)
    free = score.lyrics[score.lyrics["track"] == NO_TRACK]
    if len(free):
        part = symusic.Track()
        part.lyrics = [symusic.TextMeta(time, text) for time, _, text in free.tolist()]
        result.tracks.append(part)
    result.tempos = core.TempoTickList.from_numpy(*_whole(score.tempos, "time", "microseconds"))
    result.time_signatures = [symusic.TimeSignature(*row) for row in score.time_signatures.tolist()]
    result.key_signatures = [
        symusic.KeySignature(time, fifths, int(minor))
        for time, fifths, minor in score.key_signatures.tolist()
    ]
    result.markers = [symusic.TextMeta(time, text) for time, _, text in score.markers.tolist()]
    return result


def _track(name: str, program: int, is_drum: bool) -> Track:
    return Track(name, DRUMS, True, program) if is_drum else Track(name, program)


def _key_of_number(number: int) -> tuple[int, bool]:
    """(fifths, minor) of pretty_midi's key: 0–11 major from C, 12–23 minor from C minor."""
    minor = number >= 12
    return fewest_accidentals(7 * number - (3 if minor else 0)), minor


def _score(ticks_per_quarter: int, tracks: list[Track], rows: Rows) -> Score:
    arrays = {kind: columns.prepared(kind, values) for kind, values in rows.items()}
    return _with_pedals(Score(ticks_per_quarter, tuple(tracks), **arrays))


def _with_pedals(score: Score) -> Score:
    """The score with its pedals as its controls tell them, where they tell of any."""
    known = pedals_of(score.controls, score.end)
    others = score.pedals[~np.isin(score.pedals["track"], known["track"])]
    pedals = np.concatenate([others, known])
    return Score(score.ticks_per_quarter, score.tracks, **{**score.columns(), "pedals": pedals})


def _filled(kind: str, fields: dict[str, Array], **constant: int) -> Array:
    """A column from symusic's arrays, in the order of its fields, and constants."""
    dtype = columns.DTYPES[kind]
    names = [name for name in dtype.names or () if name not in constant]
    values = list(fields.values())
    array = np.empty(len(values[0]), dtype)
    for name, column in zip(names, values, strict=True):
        array[name] = column
    for name, value in constant.items():
        array[name] = value
    return array


def _whole(array: Array, *names: str) -> list[npt.NDArray[np.int32]]:
    return [array[name].astype(np.int32) for name in names]
