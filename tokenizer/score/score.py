"""A score as columns: one NumPy structured array for each kind of event, sorted by time.

MIDI files are read into a `Score`; tokens are encoded from one and decoded into one. All times are
ticks; `Score.seconds` and `Score.ticks` convert by the exact tempo map. A score is immutable: its
arrays are read-only and each method returns a new score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS
from tokenizer.theory import fewest_accidentals
from tokenizer.typing import Array, Floats, Ints

from . import columns
from .columns import (
    CONTROLS,
    KEY_SIGNATURES,
    LAST_TICK,
    NO_TRACK,
    NOTES,
    PEDALS,
    PITCH_BENDS,
    TEMPOS,
    TEXTS,
    TIME_SIGNATURES,
)
from .tempo_map import TempoMap
from .tracks import Track, check_tracks, tracks_of

__all__ = [
    "CONTROLS",
    "DRUMS",
    "KEY_SIGNATURES",
    "LAST_TICK",
    "NOTES",
    "NO_TRACK",
    "PEDALS",
    "PITCH_BENDS",
    "TEMPOS",
    "TEXTS",
    "TIME_SIGNATURES",
    "Score",
    "Track",
]

Columns = dict[str, Array]

TIMED = tuple(columns.DTYPES)


def _empty(kind: str) -> Callable[[], Array]:
    return lambda: np.empty(0, columns.DTYPES[kind])


@dataclass(frozen=True, eq=False, repr=False)
class Score:
    """Music as columns; see `tokenizer.score.columns` for the fields of each.

    Arrays may be given in any order and as anything that NumPy turns into the column's type; they
    are checked, sorted and made read-only. `controls` holds every control change, the sustain
    pedal (64) included; `pedals` holds the times for which that pedal is down. Without `tracks`,
    one nameless track is made for each track number in `notes`.

    Raises:
        InputError: for a value outside MIDI's ranges or a track number without a track.
    """

    ticks_per_quarter: int = 480
    tracks: tuple[Track, ...] = ()
    notes: Array = field(default_factory=_empty("notes"))
    tempos: Array = field(default_factory=_empty("tempos"))
    time_signatures: Array = field(default_factory=_empty("time_signatures"))
    key_signatures: Array = field(default_factory=_empty("key_signatures"))
    lyrics: Array = field(default_factory=_empty("lyrics"))
    markers: Array = field(default_factory=_empty("markers"))
    pedals: Array = field(default_factory=_empty("pedals"))
    controls: Array = field(default_factory=_empty("controls"))
    pitch_bends: Array = field(default_factory=_empty("pitch_bends"))

    def __post_init__(self) -> None:
        state = self.__dict__
        state["ticks_per_quarter"] = int(self.ticks_per_quarter)
        if not 1 <= self.ticks_per_quarter <= 32767:
            raise InputError(
                f"ticks_per_quarter is {self.ticks_per_quarter}; MIDI allows 1 to 32767"
            )
        for kind in TIMED:
            state[kind] = columns.prepared(kind, state[kind])
        state["tracks"] = tuple(Track(*track) for track in self.tracks)
        if not self.tracks and len(self.notes):
            state["tracks"] = tracks_of(self.notes)
        check_tracks(self.tracks, self.columns())

    @classmethod
    def trusted(
        cls,
        ticks_per_quarter: int,
        tracks: tuple[Track, ...],
        known: Mapping[str, Array],
        rest: Callable[[str], Mapping[str, Array]] | None = None,
    ) -> Score:
        """Make a score of columns that are known to be right, without looking at them again.

        Args:
            ticks_per_quarter: as in the constructor.
            tracks: as in the constructor.
            known: columns by name, sorted and inside their ranges.
            rest: gives a column that `known` lacks, and perhaps others, when it is first used.
        """
        score = object.__new__(cls)
        state = score.__dict__
        state["ticks_per_quarter"] = ticks_per_quarter
        state["tracks"] = tracks
        state.update(known)
        if rest is not None:
            state["_rest"] = rest
        return score

    if not TYPE_CHECKING:  # a type checker should know the columns and nothing else

        def __getattr__(self, name: str) -> Array:
            rest = self.__dict__.get("_rest")
            if rest is None or name not in TIMED:
                raise AttributeError(f"Score has no attribute '{name}'")
            for kind, column in rest(name).items():
                self.__dict__.setdefault(kind, column)
            return self.__dict__[name]

    def __getstate__(self) -> dict[str, Any]:
        return {
            "ticks_per_quarter": self.ticks_per_quarter,
            "tracks": self.tracks,
            **self.columns(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        for kind in TIMED:
            state[kind].flags.writeable = False
        self.__dict__.update(state)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Score):
            return NotImplemented
        return (
            self.ticks_per_quarter == other.ticks_per_quarter
            and self.tracks == other.tracks
            and all(np.array_equal(getattr(self, k), getattr(other, k)) for k in TIMED)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"Score({len(self.notes)} notes, {len(self.tracks)} tracks, {self.end} ticks, "
            f"{self.ticks_per_quarter} ticks per quarter note)"
        )

    @property
    def end(self) -> int:
        """The last tick of any note; 0 without notes."""
        return columns.end(self.notes)

    @property
    def tempo_map(self) -> TempoMap:
        """The exact map between ticks and seconds; made once."""
        if "_tempo_map" not in self.__dict__:
            self.__dict__["_tempo_map"] = TempoMap(self.ticks_per_quarter, self.tempos)
        found: TempoMap = self.__dict__["_tempo_map"]
        return found

    def seconds(self, ticks: npt.ArrayLike) -> Floats:
        """Seconds (float64) from the start to `ticks`, of the same shape, by the tempo map."""
        return self.tempo_map.seconds(ticks)

    def ticks(self, seconds: npt.ArrayLike) -> Ints:
        """The nearest tick (int64) to each of `seconds`, of the same shape, by the tempo map."""
        return self.tempo_map.ticks(seconds)

    def slice(self, start: int, stop: int) -> Score:
        """The music from tick `start` to before `stop`, moved so that `start` becomes 0.

        Keeps the notes that begin in it, cut at `stop`. The tempo, signatures, controls and bends
        in force at `start` are stated at 0; a pedal that is down there is down from 0.

        Raises:
            InputError: unless 0 ≤ start ≤ stop.
        """
        if not 0 <= start <= stop:
            raise InputError(f"cannot slice from tick {start} to {stop}; give 0 ≤ start ≤ stop")
        return self._with(
            {kind: columns.cut(kind, array, start, stop) for kind, array in self.columns().items()}
        )

    def shift(self, ticks: int) -> Score:
        """Move everything by `ticks`; what would begin before tick 0 must not exist.

        The tempo and signatures stated at tick 0 stay there when music moves later.
        """
        return self._with(
            {kind: columns.shifted(kind, array, ticks) for kind, array in self.columns().items()}
        )

    def transpose(self, semitones: int) -> Score:
        """Move every pitch but the drums', and the key signatures, by `semitones`.

        Raises:
            InputError: if a pitch would leave 0–127.
        """
        notes = self.notes.copy()
        tuned = notes["program"] != DRUMS
        pitches = notes["pitch"][tuned].astype(np.int64) + semitones
        if len(pitches) and not (0 <= pitches.min() and pitches.max() <= 127):
            raise InputError(
                f"cannot transpose by {semitones}: pitches would run from {pitches.min()} to "
                f"{pitches.max()}; MIDI has 0 to 127"
            )
        notes["pitch"][tuned] = pitches
        keys = self.key_signatures.copy()
        if semitones % 12:
            keys["fifths"] = fewest_accidentals(keys["fifths"].astype(np.int64) + 7 * semitones)
        return self._with({"notes": notes, "key_signatures": keys})

    def select(
        self, *, tracks: Iterable[int] | None = None, programs: Iterable[int] | None = None
    ) -> Score:
        """The score with only some tracks, by number or by program (128 is drums), renumbered.

        Raises:
            InputError: unless one of both is given, or if there is no such track.
        """
        if (tracks is None) == (programs is None):
            raise InputError("select takes either tracks=… or programs=…")
        if programs is not None:
            wanted = set(programs)
            kept = [i for i, track in enumerate(self.tracks) if track.program in wanted]
        else:
            kept = sorted({int(i) for i in tracks or ()})
            for number in kept:
                if not 0 <= number < len(self.tracks):
                    raise InputError(
                        f"there is no track {number}; the score has {len(self.tracks)}, "
                        "counted from 0"
                    )
        renumbered = np.full(NO_TRACK + 1, -1)
        renumbered[kept] = np.arange(len(kept))
        renumbered[NO_TRACK] = NO_TRACK
        changed = self._renumbered(renumbered)
        return self._with(changed, tuple(self.tracks[i] for i in kept))

    def concatenate(self, other: Score, at: int | None = None) -> Score:
        """Place `other` after this score, from tick `at` (default: this score's `end`).

        `other` is brought to this score's resolution. Its tracks join those of this score that
        are equal to them, first to first, second to second; the others are added. If `other` does
        not state a tempo at its start, MIDI's default of 120 is stated where it begins.
        """
        at = self.end if at is None else at
        other = other.resample(self.ticks_per_quarter)
        tracks = list(self.tracks)
        free = list(range(len(tracks)))
        numbers = np.full(NO_TRACK + 1, NO_TRACK)
        for i, track in enumerate(other.tracks):
            same = next((j for j in free if tracks[j] == track), None)
            if same is None:
                tracks.append(track)
                numbers[i] = len(tracks) - 1
            else:
                free.remove(same)
                numbers[i] = same
        added = {**other.columns(), **other._renumbered(numbers)}
        if not len(other.tempos) or other.tempos["time"][0] > 0:
            default = np.array([(0, columns.DEFAULT_TEMPO)], TEMPOS)
            added["tempos"] = np.concatenate([default, other.tempos])
        moved = {kind: columns.moved(array, at) for kind, array in added.items()}
        mine = self.columns()
        for kind in columns.GLOBAL:
            mine[kind] = mine[kind][mine[kind]["time"] < at]  # from there on the other's hold
        joined = {kind: np.concatenate([array, moved[kind]]) for kind, array in mine.items()}
        return self._with(joined, tuple(tracks))

    def resample(self, ticks_per_quarter: int) -> Score:
        """The score at another resolution; starts and ends are each rounded to the nearest tick.

        A note or pedal that had a length keeps at least one tick.
        """
        if ticks_per_quarter == self.ticks_per_quarter:
            return self
        scaled = {
            kind: columns.scaled(array, ticks_per_quarter, self.ticks_per_quarter)
            for kind, array in self.columns().items()
        }
        return Score(ticks_per_quarter, self.tracks, **scaled)

    def columns(self) -> Columns:
        """Every column by its name."""
        return {kind: getattr(self, kind) for kind in TIMED}

    def _with(self, changed: Columns, tracks: tuple[Track, ...] | None = None) -> Score:
        kept = self.tracks if tracks is None else tracks
        return Score(self.ticks_per_quarter, kept, **{**self.columns(), **changed})

    def _renumbered(self, numbers: Ints) -> Columns:
        """Columns with a track, their track numbers mapped; rows that map to −1 are dropped."""
        changed = {}
        for kind, array in self.columns().items():
            if "track" in (array.dtype.names or ()):
                new = numbers[array["track"]]
                array = array[new >= 0].copy()
                array["track"] = new[new >= 0]
                changed[kind] = array
        return changed
