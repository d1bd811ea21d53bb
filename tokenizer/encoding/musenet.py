"""MuseNet's encoding: one token for each note-on, note-off and wait.

Ten instruments, 13 velocities for the piano and one for all others, no meter and no tempo: for
files and models that use MuseNet's original vocabulary (see `musenet_vocabulary`). Tokens have the
shape (T, 1), about three per note.

Notes are cleaned in both directions, as users of the original model found necessary:

- a note-off without a note-on is dropped, and a note without a note-off stops with the music;
- a note lasts at least 20 ms, and at most 5 s (bass, guitar, harp) or 10 s (all others but drums);
- between two notes of one pitch there are 10 ms; the earlier note is shortened, to 10 ms at least,
  and of two notes of one pitch at the same onset the longer one stays.

On the `beat` clock a unit is a step of the grid; the shortest note is one step, no gap is needed,
and the longest notes are 10 and 20 quarters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS
from tokenizer.instruments import name as program_name
from tokenizer.labels import Labels, labels_of
from tokenizer.score.pedals import sustained
from tokenizer.score.score import LAST_TICK, NOTES, TEMPOS, Score, Track
from tokenizer.typing import Integers, Ints, Notes, Steps, Tokens

from .grid import Grid
from .musenet_vocabulary import (
    DRUM_KIT,
    END,
    END_OF_SAMPLE,
    FAMILY_INSTRUMENT,
    FAMILY_VELOCITY,
    FIRST_STYLE,
    FIRST_WAIT,
    INSTRUMENT_OF_PROGRAM,
    INSTRUMENTS,
    LONGEST_WAIT,
    MOST_STYLES,
    OFF_FAMILY,
    ON_FAMILY,
    PROGRAMS,
    SIZE,
    SOUNDS,
    START,
    instrument_set,
    on_family,
)
from .saved import JsonTokenizer

# A note as one int64, most significant first: instrument 4 bits, pitch 7, start 34, duration 14,
# loudness 4. Sorted, the notes of one key follow each other in time.
_DURATION, _START, _KEY = 4, 18, 52

_PLUCKED = [INSTRUMENTS.index(name) for name in ("bass", "guitar", "harp")]


def longest_notes(grid: Grid) -> Steps:
    """The longest note of each instrument in units of a grid: 10 s or 5 s, 20 or 10 quarters."""
    longest = np.full(len(INSTRUMENTS), 20 * grid.beat)
    longest[_PLUCKED] //= 2
    return longest


@dataclass(frozen=True, repr=False)
class MuseNetTokenizer(JsonTokenizer):
    """MuseNet's encoding, with the interface of `Tokenizer`.

    Attributes:
        grid: what a unit of waiting is; MuseNet's own is `Grid.seconds()`.
        styles: names of the style range, first id first: ids of composers and styles as `labels`
            has them. More may be appended; old ones keep their ids.
        pedal: what becomes of the sustain pedal: `drop` leaves it out, `durations` lets notes
            sound until it is released.
    """

    encoding: ClassVar[str] = "musenet"

    grid: Grid = field(default_factory=Grid.seconds)
    styles: tuple[str, ...] = ()
    pedal: Literal["drop", "durations"] = "drop"

    def __post_init__(self) -> None:
        """Refuse more styles than the vocabulary has room for, one twice, and an unknown pedal."""
        if self.pedal not in ("drop", "durations"):
            raise InputError(
                f"MuseNet's vocabulary cannot keep the pedal as '{self.pedal}'; use 'drop' or "
                "'durations'"
            )
        if len(self.styles) > MOST_STYLES:
            raise InputError(
                f"MuseNet's vocabulary has room for {MOST_STYLES} styles, not {len(self.styles)}; "
                "leave out the rarest"
            )
        if len(set(self.styles)) < len(self.styles):
            raise InputError("a style is named twice in a MuseNet tokenizer; name each once")

    def __repr__(self) -> str:
        return (
            f"<MuseNetTokenizer {self.encoding}: {self.grid.resolution} steps a "
            f"{'quarter' if self.grid.is_beat else 'second'}, {SIZE:,} values, "
            f"{len(self.styles)} styles, pedal {self.pedal}>"
        )

    @property
    def sizes(self) -> tuple[int]:
        """How many values each field has: one field, 4836 ids."""
        return (SIZE,)

    def extended(self, labels: Iterable[str]) -> MuseNetTokenizer:
        """The same tokenizer with more styles, as "bach" or "composer:bach"; old ids stay."""
        names = [label.removeprefix("composer:").removeprefix("style:") for label in labels]
        return replace(self, styles=tuple(dict.fromkeys((*self.styles, *names))))

    def style(self, name: str) -> int | None:
        """The id of a composer's or style's name, or None if it is not among `styles`."""
        return FIRST_STYLE + self.styles.index(name) if name in self.styles else None

    def labels(self, score: Score) -> Labels:
        """What a score says of itself."""
        return labels_of(score)

    def prefix(self, labels: Labels, *, start: bool = True) -> Tokens:
        """The rows `(P, 1)` of labels: start, composer and styles, instruments.

        Styles without a name here are left out. Tempo, meter and key have no token.

        Args:
            labels: what is known of the piece.
            start: whether the piece begins here, as against a window from its middle.
        """
        named = [self.style(name) for name in (labels.composer or "", *labels.styles)]
        ids = [START if start else None, *named, instrument_set(labels.instruments)]
        return _rows([token for token in ids if token is not None])

    def body(self, score: Score) -> Tokens:
        """The music of a score, `(T, 1)`, without prefix and end."""
        notes = sustained(score) if self.pedal == "durations" else score.notes
        begin = notes["start"].astype(np.int64)
        start = self.grid.steps(score, begin)
        packed = self._cleaned(
            INSTRUMENT_OF_PROGRAM[notes["program"]],
            notes["pitch"],
            start,
            self.grid.steps(score, begin + notes["duration"]) - start,
            notes["velocity"],
        )
        return _body(packed)

    def end(self) -> Tokens:
        """The row `(1, 1)` that closes a piece."""
        return _rows([END])

    def end_of_sample(self) -> Tokens:
        """The row `(1, 1)` that closes a window which is not the end of its piece."""
        return _rows([END_OF_SAMPLE])

    def decode(self, tokens: Tokens) -> Score:
        """The score of tokens `(T, 1)`: one track per instrument, 120 quarter notes per minute.

        Whatever is no sound and no wait says nothing here.

        Raises:
            InputError: if a token is outside the vocabulary.
        """
        packed = self._cleaned(*_sounds(_checked(tokens)))
        present = np.flatnonzero(np.bincount(packed >> (_KEY + 7), minlength=len(INSTRUMENTS)))
        programs = sorted(int(PROGRAMS[i]) for i in present)
        return Score(
            ticks_per_quarter=self.grid.ticks_per_quarter,
            tracks=tuple(Track(program_name(p), p, p == DRUMS) for p in programs),
            notes=_notes(packed, programs, self.grid.ticks_per_step),
            tempos=np.array([(0, 500_000)], dtype=TEMPOS),
        )

    def _fields(self) -> dict[str, Any]:
        return {
            "clock": self.grid.clock,
            "resolution": self.grid.resolution,
            "pedal": self.pedal,
            "styles": list(self.styles),
        }

    @classmethod
    def _of_fields(cls, fields: dict[str, Any]) -> MuseNetTokenizer:
        grid = Grid(fields["clock"], fields["resolution"])
        return cls(grid, tuple(fields["styles"]), fields["pedal"])

    def _cleaned(
        self,
        instrument: Integers,
        pitch: Integers,
        start: Steps,
        duration: Steps,
        velocity: Integers,
    ) -> Ints:
        """Notes packed and sorted, as the rules in the module's docstring leave them."""
        shortest, gap = (1, 0) if self.grid.is_beat else (2, 1)
        drum = instrument == DRUM_KIT
        lasting = np.clip(duration, shortest, longest_notes(self.grid)[instrument])
        packed = instrument.astype(np.int64) << (_KEY + 7)
        packed |= pitch.astype(np.int64) << _KEY
        packed |= start << _START
        packed |= np.where(drum, max(1, self.grid.beat // 4), lasting) << _DURATION
        packed |= on_family(instrument, velocity) - ON_FAMILY[instrument]
        packed.sort()
        onset = packed >> _START
        packed = packed[np.append(onset[1:] != onset[:-1], True)[: len(packed)]]
        return _apart(packed, gap)


def _apart(packed: Ints, gap: int) -> Ints:
    """Shorten each note that sounds into the next onset of its pitch, `gap` steps before it."""
    onset = packed >> _START
    distance = np.diff(onset)
    again = np.diff(packed >> _KEY) == 0
    melodic = packed[:-1] >> (_KEY + 7) != DRUM_KIT
    duration = packed >> _DURATION & (1 << 14) - 1
    room = np.maximum(distance - gap, 1)
    duration[:-1] = np.where(again & melodic, np.minimum(duration[:-1], room), duration[:-1])
    return onset << _START | duration << _DURATION | packed & 15


def _body(packed: Ints) -> Tokens:
    """The tokens of clean notes: ends before beginnings, then by instrument and pitch."""
    instrument, pitch = packed >> (_KEY + 7), packed >> _KEY & 127
    start = packed >> _START & (1 << 34) - 1
    on = (ON_FAMILY[instrument] + (packed & 15)) << 7 | pitch
    ends = instrument != DRUM_KIT
    stop = (start + (packed >> _DURATION & (1 << 14) - 1))[ends]
    off = (OFF_FAMILY[instrument] << 7 | pitch)[ends]
    # time, beginning or end, instrument and pitch, and the token itself in the lowest 12 bits
    key = packed >> _KEY
    events = np.concatenate(
        [start << 24 | 1 << 23 | key << 12 | on, stop << 24 | key[ends] << 12 | off]
    )
    events.sort()
    return _with_waits(events & 4095, np.diff(events >> 24, prepend=0))


def _with_waits(sounds: Ints, waits: Steps) -> Tokens:
    """Put before each sound the waits that lead to it: the longest ones first, then the rest."""
    full, rest = np.divmod(waits, LONGEST_WAIT)
    last = np.cumsum(full + (rest > 0) + 1) - 1
    ids = np.full(int(last[-1]) + 1 if len(last) else 0, FIRST_WAIT + LONGEST_WAIT - 1, np.int16)
    ids[last] = sounds
    short = rest > 0
    ids[last[short] - 1] = FIRST_WAIT + rest[short] - 1
    return ids[:, None]


def _sounds(ids: Ints) -> tuple[Ints, ...]:
    """Instrument, pitch, start, duration and velocity of every sound that begins in some ids."""
    wait = (ids >= FIRST_WAIT) & (ids < START)
    time = np.cumsum(np.where(wait, ids - FIRST_WAIT + 1, 0))
    until = int(time[-1]) if len(time) else 0
    sound = ids < SOUNDS
    family, pitch, time = ids[sound] >> 7, ids[sound] & 127, time[sound]
    instrument = FAMILY_INSTRUMENT[family].astype(np.int64)
    # Events of one key follow each other in time, so that each is ended by the next.
    key = (instrument << 7 | pitch).astype(np.uint16)
    order = np.argsort(key, kind="stable")
    stop = np.full(len(order), until)
    stop[:-1] = np.where(np.diff(key[order]) == 0, time[order[1:]], until)
    begins = FAMILY_VELOCITY[family[order]] > 0
    chosen = order[begins]
    start = time[chosen]
    velocity = FAMILY_VELOCITY[family[chosen]].astype(np.int64)
    return instrument[chosen], pitch[chosen], start, stop[begins] - start, velocity


def _notes(packed: Ints, programs: list[int], ticks_per_step: int) -> Notes:
    """NOTES of packed notes, one track for each program.

    Raises:
        InputError: if they last longer than a score can.
    """
    instrument = packed >> (_KEY + 7)
    track = np.zeros(DRUMS + 1, dtype=np.uint16)
    track[programs] = np.arange(len(programs))
    start = packed >> _START & (1 << 34) - 1
    duration = packed >> _DURATION & (1 << 14) - 1
    last = int((start + duration).max(initial=0))
    if last * ticks_per_step > LAST_TICK:
        raise InputError(f"the tokens last {last} steps, longer than a score can; cut them")
    notes = np.empty(len(packed), dtype=NOTES)
    notes["start"] = start * ticks_per_step
    notes["duration"] = duration * ticks_per_step
    notes["pitch"] = packed >> _KEY & 127
    notes["velocity"] = FAMILY_VELOCITY.take(ON_FAMILY.take(instrument) + (packed & 15))
    notes["program"] = PROGRAMS.take(instrument)
    notes["track"] = track.take(notes["program"])
    return notes


def _rows(ids: list[int]) -> Tokens:
    return np.array(ids, dtype=np.int16).reshape(-1, 1)


def _checked(tokens: Tokens) -> Ints:
    """Tokens as a flat array of ids in the vocabulary."""
    ids = np.asarray(tokens).reshape(-1).astype(np.int64)
    if len(ids) and not 0 <= ids.min() <= ids.max() < SIZE:
        worst = int(ids.max() if ids.max() >= SIZE else ids.min())
        raise InputError(
            f"{worst} is no token of MuseNet's vocabulary; its ids are 0 to {SIZE - 1}"
        )
    return ids
