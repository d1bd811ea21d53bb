"""The tokenizer: a score to tokens and back, and the file that says how.

    tokens = prefix (what the piece is) + body (its notes) + end

`Tokenizer` is the compound encoding, one note one token. It is a value: the same file gives the
same tokens everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from operator import itemgetter
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS, name
from tokenizer.labels import Labels, instruments_of, keys_of, tempo_of
from tokenizer.score.batch import ScoreBatch, batches
from tokenizer.score.columns import DEFAULT_TEMPO, DTYPES, prepared
from tokenizer.score.pedals import sustained
from tokenizer.score.score import LAST_TICK, NOTES, TIMED, Score, Track
from tokenizer.theory import key_name
from tokenizer.typing import Array, Steps, Tokens

from . import controls
from .compound import Decoded, Events, decode_pieces, encode_pieces, note_rows
from .grid import SHORTEST, Grid, GridClock, Timed
from .holes import without_headers
from .saved import JsonTokenizer
from .vocabulary import (
    DURATION,
    INSTRUMENT,
    PITCH,
    VELOCITIES,
    VELOCITY,
    WAIT,
    Vocabulary,
)

# The columns of a score that has nothing in them, and its tempos where ticks are real time.
_NOTHING = {kind: prepared(kind, np.empty(0, DTYPES[kind])) for kind in TIMED}
_REAL_TIME = prepared("tempos", [(0, DEFAULT_TEMPO)])

Pedal = Literal["drop", "durations", "events"]


@dataclass(frozen=True, repr=False)
class Tokenizer(JsonTokenizer):
    """The compound encoding.

    Attributes:
        vocabulary: the grid and the values of the fields.
        pedal: what becomes of the sustain pedal: `drop` leaves it out, `durations` lets notes
            sound until it is released, `events` keeps it as controls, one pedal for all parts.
        tempo_changes: whether tempo changes are kept as controls (on the `beat` clock), or one
            tempo in the prefix stands for all.
    """

    encoding: ClassVar[str] = "compound"

    vocabulary: Vocabulary
    pedal: Pedal = "drop"
    tempo_changes: bool = False

    def __repr__(self) -> str:
        kept = f", pedal {self.pedal}" + (", tempo changes" if self.tempo_changes else "")
        return f"<Tokenizer {self.encoding}: {self.vocabulary.described()}{kept}>"

    @classmethod
    def default(cls, *, composers: Iterable[str] = (), styles: Iterable[str] = ()) -> Tokenizer:
        """24 steps per quarter note on the `beat` clock, with these labels known."""
        return cls(Vocabulary.create(Grid.beats(), composers=composers, styles=styles))

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each field has, padding included."""
        return self.vocabulary.sizes

    def extended(self, labels: Iterable[str]) -> Tokenizer:
        """The same tokenizer with more labels such as `composer:bach`; old ids stay."""
        return replace(self, vocabulary=self.vocabulary.extended(labels))

    def labels(self, score: Score) -> Labels:
        """What a score says of itself: instruments, tempo, the meter it opens in, and key.

        The tempo is the first one where tempo changes are kept, else the prevailing one.
        """
        return self.labels_of_batch(ScoreBatch.of([score]))[0]

    def encode_all(
        self, scores: Iterable[Score], labels: Iterable[Labels | None] | None = None
    ) -> Iterator[Tokens]:
        """Pieces one by one as `encode` gives them, made many at a time: faster for many files.

        What is made together shares memory: copy what you keep of few.

        Args:
            scores: the pieces; up to `MAX_ITEMS` are taken before the first is given.
            labels: what the prefix of each says, or None for what the score says of itself.
        """
        unsaid = ((score, None) for score in scores)
        pairs = unsaid if labels is None else zip(scores, labels, strict=True)
        for batch in batches(pairs, lambda pair: len(pair[0].notes)):
            yield from self._encoded([score for score, _ in batch], [said for _, said in batch])

    def _encoded(self, scores: Sequence[Score], labels: Sequence[Labels | None]) -> list[Tokens]:
        pieces = ScoreBatch.of(scores)
        found = self.labels_of_batch(pieces) if None in labels else [Labels()] * len(scores)
        prefixes = [
            self._prefix(own if said is None else said)
            for said, own in zip(labels, found, strict=True)
        ]
        events = self._events(pieces)
        return encode_pieces(events, prefixes, [self.vocabulary.end], self.vocabulary)

    def labels_of_batch(self, pieces: ScoreBatch) -> list[Labels]:
        """What each of several scores says of itself: see `labels`."""
        tempo = controls.first_tempo if self.tempo_changes else tempo_of
        found = zip(pieces.scores, instruments_of(pieces), keys_of(pieces), strict=True)
        return [
            Labels(None, (), instruments, tempo(score), controls.first_meter(score), key)
            for score, instruments, key in found
        ]

    def prefix(self, labels: Labels, *, start: bool = True) -> Tokens:
        """The control rows `(P, 5)` of labels; what the vocabulary does not know is left out.

        Args:
            labels: what is known of the piece.
            start: whether the piece begins here, as against a window from its middle.
        """
        return self._rows(self._prefix(labels, start))

    def _prefix(self, labels: Labels, start: bool = True) -> list[int]:
        names = ["start"] if start else []
        names += [f"composer:{labels.composer}"] if labels.composer else []
        names += [f"style:{style}" for style in labels.styles]
        names += [f"instrument:{program}" for program in sorted(labels.instruments)]
        if labels.tempo is not None:
            names.append(controls.tempo_name(labels.tempo))
        if labels.time_signature is not None:
            names.append("time_signature:{}/{}".format(*labels.time_signature))
        if labels.key is not None:
            names.append(f"key:{key_name(*labels.key)}")
        for kind, value in (("density", labels.density), ("polyphony", labels.polyphony)):
            names += [] if value is None else [controls.class_name(kind, value)]
        return self.vocabulary.known(names)

    def body(self, score: Score) -> Tokens:
        """The music of a score, `(T, 5)`, without prefix and end."""
        return self.bodies(ScoreBatch.of([score]))[0]

    def bodies(self, pieces: ScoreBatch) -> list[Tokens]:
        """The music of each score: see `body`."""
        return encode_pieces(self._events(pieces), [()] * len(pieces.scores), (), self.vocabulary)

    def _events(self, pieces: ScoreBatch) -> Events:
        """What the bodies of all scores hold, one score after another on one time line."""
        if self.pedal == "durations":
            pieces = ScoreBatch.of(pieces.scores, [sustained(score) for score in pieces.scores])
        notes = pieces.notes
        start, classes = self.steps_and_classes(pieces, notes)
        changes = [
            sorted(self._control_events(score), key=itemgetter(0)) for score in pieces.scores
        ]
        begins = [0]
        for stop, size, events in zip(pieces.bounds[1:], pieces.sizes, changes, strict=True):
            last = max(int(start[stop - 1]) if size else 0, events[-1][0] if events else 0)
            begins.append(begins[-1] + last + 1)
        moved = [
            (begin + time, value)
            for begin, events in zip(begins[:-1], changes, strict=True)
            for time, value in events
        ]
        if len(pieces.scores) > 1:
            start += pieces.spread(begins[:-1])
        starts, rows = note_rows(
            start,
            notes["program"],
            notes["pitch"],
            classes,
            notes["velocity"],
        )
        times, values = np.array(moved, dtype=np.int64).reshape(-1, 2).T
        return Events(starts, rows, times, values, begins[:-1])

    def end(self) -> Tokens:
        """The row `(1, 5)` that closes a piece."""
        return self._rows([self.vocabulary.end])

    def decode(self, tokens: Tokens) -> Score:
        """The score of tokens `(T, 5)`: one track per instrument, tempo and meter as they say.

        Chords become markers. What the header of a hole tells of the music after it is left out.

        Raises:
            InputError: if a row holds a number outside the vocabulary, or lacks a field.
        """
        return self._decoded([tokens])[0]

    def decode_all(self, pieces: Iterable[Tokens]) -> Iterator[Score]:
        """Scores one by one as `decode` gives them, made many at a time: faster for many pieces.

        Args:
            pieces: the tokens `(T, 5)` of each; up to `MAX_ITEMS` are taken before the first
                score is given.

        Raises:
            InputError: as `decode` does, when the piece's turn comes.
        """
        for batch in batches(pieces, len):
            try:
                scores = self._decoded(batch)
            except InputError:
                yield from map(self.decode, batch)
            else:
                yield from scores

    def decode_notes(self, rows: Tokens, times: Steps, clock: GridClock) -> Array:
        """Note rows in the ticks of a file, in any order, as they come out of a model.

        Args:
            rows: `(N, 5)`, all of them notes.
            times: the step of each, `(N,)`.
            clock: of the file.

        Returns:
            `NOTES` `(N,)`, each at least one tick long, all of track 0.
        """
        fields = rows.astype(np.int64)
        lengths = np.maximum(self.vocabulary.grid.durations[fields[:, DURATION] - 1], SHORTEST)
        notes = np.zeros(len(rows), NOTES)
        start = clock.ticks(times)
        notes["start"] = start
        notes["duration"] = np.maximum(clock.ticks(times + lengths) - start, 1)
        notes["pitch"] = fields[:, PITCH] - 1
        notes["velocity"] = VELOCITIES.take(fields[:, VELOCITY])
        notes["program"] = fields[:, INSTRUMENT] - 1
        return notes

    def _decoded(self, pieces: Sequence[Tokens]) -> list[Score]:
        decoded = decode_pieces(
            [without_headers(piece, self.vocabulary) for piece in pieces], self.vocabulary
        )
        grid, step = self.vocabulary.grid, self.vocabulary.grid.ticks_per_step
        notes, programs = _notes(decoded, grid)
        names = [self.vocabulary.name(value) for value in decoded.controls.tolist()]
        times = (decoded.control_times * step).tolist()
        scores = []
        of_controls, of_notes = pairwise(decoded.control_bounds), pairwise(decoded.note_bounds)
        for mine, (first, last), (begin, end) in zip(programs, of_controls, of_notes, strict=True):
            known = controls.decoded_columns(times[first:last], names[first:last], len(mine))
            if not grid.is_beat:
                known["tempos"] = _REAL_TIME
            known["notes"] = notes[begin:end]
            tracks = tuple([_track(program) for program in mine])
            scores.append(Score.trusted(grid.ticks_per_quarter, tracks, _NOTHING | known))
        return scores

    def _fields(self) -> dict[str, Any]:
        return {
            "clock": self.vocabulary.grid.clock,
            "resolution": self.vocabulary.grid.resolution,
            "pedal": self.pedal,
            "tempo_changes": self.tempo_changes,
            "controls": list(self.vocabulary.controls),
        }

    @classmethod
    def _of_fields(cls, fields: dict[str, Any]) -> Tokenizer:
        grid = Grid(fields["clock"], fields["resolution"])
        vocabulary = Vocabulary(grid, tuple(fields["controls"]))
        return cls(vocabulary, fields["pedal"], fields["tempo_changes"])

    def _rows(self, values: list[int]) -> Tokens:
        rows = np.zeros((len(values), 5), dtype=np.int16)
        rows[:, WAIT] = values
        return rows

    def steps_and_classes(self, score: Timed, notes: Array) -> tuple[Steps, npt.NDArray[np.int16]]:
        """The nearest steps of notes' starts, and the nearest classes of their own durations."""
        grid = self.vocabulary.grid
        if grid.is_beat:
            classes = grid.class_of_ticks(notes["duration"], score.ticks_per_quarter)
            return grid.from_ticks(notes["start"], score.ticks_per_quarter), classes
        start = notes["start"].astype(np.int64)
        begin, end = score.seconds(start), score.seconds(start + notes["duration"])
        return grid.from_seconds(begin), grid.class_of_seconds(end - begin)

    def _control_events(self, score: Score) -> list[controls.ControlEvent]:
        """The body's controls, unsorted; meter stands before tempo before pedal."""
        vocabulary, found = self.vocabulary, list[controls.ControlEvent]()
        if vocabulary.grid.is_beat:
            if _change(score.time_signatures):
                steps = self.vocabulary.grid.steps(score, score.time_signatures["time"])
                found += controls.meter_events(score, steps, vocabulary)
            if self.tempo_changes and _change(score.tempos):
                steps = self.vocabulary.grid.steps(score, score.tempos["time"])
                found += controls.tempo_events(score, steps, vocabulary)
        if self.pedal == "events":
            down = self.vocabulary.grid.steps(score, score.pedals["time"])
            up = self.vocabulary.grid.steps(score, score.pedals["time"] + score.pedals["duration"])
            found += controls.pedal_events(down, up, vocabulary)
        return found


def _change(events: Array) -> bool:
    """Whether any of some sorted events comes after the beginning."""
    return len(events) > 1 or (len(events) == 1 and events.item()[0] > 0)


@cache
def _track(program: int) -> Track:
    return Track(name(program), program, program == DRUMS)


def _notes(decoded: Decoded, grid: Grid) -> tuple[Array, list[list[int]]]:
    """NOTES of decoded notes, in ticks, and the programs of each piece, one track per program."""
    last = int(decoded.start.max(initial=0))
    if last * grid.ticks_per_step > LAST_TICK:
        raise InputError(f"the tokens last {last} steps, longer than a score can; cut them")
    pieces = len(decoded.note_bounds) - 1
    kind: Array = decoded.program  # a number for each program of each piece
    if pieces > 1:
        begins = np.arange(0, pieces * (DRUMS + 1), DRUMS + 1)
        kind = kind + np.repeat(begins, np.diff(decoded.note_bounds))
    present = np.bincount(kind, minlength=pieces * (DRUMS + 1)) > 0
    programs: list[list[int]] = [[] for _ in range(pieces)]
    for place in present.nonzero()[0].tolist():
        piece, program = divmod(place, DRUMS + 1)
        programs[piece].append(program)
    track = np.cumsum(present.reshape(pieces, -1), axis=1).ravel() - 1
    notes = np.empty(len(decoded.start), dtype=NOTES)
    notes["start"] = decoded.start * grid.ticks_per_step
    notes["duration"] = grid.duration_ticks(decoded.duration_class)
    notes["pitch"] = decoded.pitch
    notes["velocity"] = decoded.velocity
    notes["program"] = decoded.program
    notes["track"] = track.take(kind)
    notes.flags.writeable = False
    return notes, programs
