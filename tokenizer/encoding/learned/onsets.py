"""Onsets in time, shortened by byte-pair encoding.

    wait, note, [duration,] [loudness,] note, …, wait, …

The symbols are waits and the beginnings of notes and, if they are asked for, how long and how loud
each is; without those a note lasts until its instrument plays again, a quarter note at most, and is
of one loudness. Merges then make one token of what often follows one another, waits and all; no
merge goes over a control. "We also tried condensing the musical patterns by only focusing on the
starts of notes, and tried further compressing that using a byte pair encoding scheme" (Payne 2019).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tokenizer.encoding.vocabulary import DURATION as DURATION_FIELD
from tokenizer.encoding.vocabulary import INSTRUMENT as INSTRUMENT_FIELD
from tokenizer.encoding.vocabulary import PITCH as PITCH_FIELD
from tokenizer.encoding.vocabulary import VELOCITY, WAIT
from tokenizer.typing import Ints, Steps, Tokens

from .bpe import Merge, Merger, learn_merges, taken_apart
from .learned import LearnedTokenizer, Spelled, frequent_keys
from .symbols import BEGIN, CONTROL, DURATION, INSTRUMENT, LOUDNESS, PITCH, PITCHES, TIME, Symbols

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, repr=False)
class OnsetTokenizer(LearnedTokenizer):
    """Onsets with byte-pair encoding.

    Attributes:
        durations: whether notes tell theirs.
        merges: pairs of ids, each of which gives the next id behind the symbols (`bpe`).
    """

    encoding: ClassVar[str] = "onsets"

    durations: bool = True
    merges: tuple[Merge, ...] = ()

    @cached_property
    def symbols(self) -> Symbols:
        """What the ids mean."""
        return self._symbols(len(self._parts))

    def _symbols(self, learned: int) -> Symbols:
        return Symbols(
            self.vocabulary,
            self.first,
            self.keys,
            self.volumes,
            durations=self.durations,
            ends=False,
            signs=(),
            learned=learned,
        )

    def learned(self, bodies: Iterable[Tokens], size: int) -> Self:
        """The same encoding with at most `size` merges learned from music, and its keys.

        Raises:
            InputError: if the library for merges is missing.
        """
        plain = replace(
            self, first=self.vocabulary.sizes[WAIT], keys=frequent_keys(bodies), merges=()
        )
        texts = (text for rows in bodies for text in plain._texts(plain._symbols_of(rows)))
        return replace(plain, merges=learn_merges(texts, size, plain.symbols.base))

    def learned_parts(self, token: int) -> Sequence[int]:
        """The symbols of a merged id."""
        return self._parts[token - self.symbols.base]

    def described(self, token: int) -> str:
        """What an id says: of a merged one, all its symbols."""
        symbols = self.symbols
        parts = (
            [token] if token < symbols.base or token >= symbols.later else self.learned_parts(token)
        )
        return ", ".join(map(symbols.described, parts))

    def _class_of_learned(self, token: int, end: int) -> int:
        return int(self.symbols.kinds[self.learned_parts(token)[end]])

    def _following(self, before: int) -> Collection[int]:
        event = {TIME, CONTROL, INSTRUMENT, BEGIN}
        loud = {LOUDNESS} if self.volumes > 1 else event
        if before == INSTRUMENT:
            return {PITCH}
        if before in (BEGIN, PITCH):
            return {DURATION} if self.durations else loud
        return loud if before == DURATION else event

    @cached_property
    def _parts(self) -> list[tuple[int, ...]]:
        return taken_apart(self.merges, self._symbols(0).base)

    @cached_property
    def _merger(self) -> Merger:
        return Merger(self.merges, self.symbols.base)

    def _body_ids(self, rows: Tokens, *, cut: bool) -> Ints:  # noqa: ARG002 (no note tells of later)
        symbols = self._symbols_of(rows)
        if not self.merges or not len(symbols):
            return symbols
        merged = self._merger(list(self._texts(symbols)))
        return np.concatenate(merged)

    def _texts(self, symbols: Ints) -> Iterator[Ints]:
        """Runs of symbols with no control in them, and each control by itself."""
        control = self.symbols.kinds[symbols] == CONTROL
        bounds = np.flatnonzero(control)
        yield from np.split(symbols, np.unique(np.concatenate([bounds, bounds + 1])))

    def _symbols_of(self, rows: Tokens) -> Ints:
        """The symbols of music `(T, 5)`."""
        symbols, fields = self.symbols, rows.astype(np.int64)
        note = self.vocabulary.is_note(rows)
        key = (fields[:, INSTRUMENT_FIELD] - 1) * PITCHES + fields[:, PITCH_FIELD] - 1
        place = symbols.place_of_key[np.where(note, key, 0)]
        columns = [
            (~note | (fields[:, WAIT] > 1), symbols.ids_of_values[fields[:, WAIT]]),
            (note & (place >= 0), symbols.begin + place),
            (note & (place < 0), symbols.instrument + fields[:, INSTRUMENT_FIELD] - 1),
            (note & (place < 0), symbols.pitch + fields[:, PITCH_FIELD] - 1),
        ]
        if self.durations:
            columns.append((note, symbols.duration + fields[:, DURATION_FIELD] - 1))
        if self.volumes > 1:
            columns.append(
                (note, symbols.loudness + symbols.volume_of_bin(fields[:, VELOCITY] - 1))
            )
        said, ids = (np.stack(column, axis=1) for column in zip(*columns, strict=True))
        return ids[said]

    def _told(self, ids: Ints) -> Spelled:
        symbols = self.symbols
        ids = self._apart(ids)
        ends = np.flatnonzero(symbols.values[ids] == self.vocabulary.end)
        ids = ids[: ends[0]] if len(ends) else ids
        kinds, times = symbols.kinds[ids], np.cumsum(symbols.steps[ids])
        control = np.flatnonzero((kinds == CONTROL) & (ids > 0))
        note = np.flatnonzero((kinds == BEGIN) | (kinds == PITCH))
        after = [np.append(ids, [0, 0])[note + i] for i in (1, 2)]
        key = self._keys_at(ids, note)
        return Spelled(
            start=times[note],
            key=key,
            duration_class=self._durations_of(times[note], key, after[0]),
            velocity=self._velocities_of(*after),
            control_times=times[control],
            controls=symbols.values[ids[control]],
            ends=len(ends) > 0,
        )

    def _apart(self, ids: Ints) -> Ints:
        """Merged ids as their symbols."""
        base, later = self.symbols.base, self.symbols.later
        parts = self._parts if self.merges else []
        whole = [
            parts[token - base] if base <= token < later else (token,) for token in ids.tolist()
        ]
        return np.array([symbol for part in whole for symbol in part], dtype=np.int64)

    def _keys_at(self, ids: Ints, note: Ints) -> Ints:
        """The keys of the notes that begin at some places; a pitch alone is the piano's."""
        symbols = self.symbols
        before = np.append(0, ids)[note]
        program = np.where(symbols.kinds[before] == INSTRUMENT, before - symbols.instrument, 0)
        spelled = program * PITCHES + ids[note] - symbols.pitch
        keys = np.append(np.array(symbols.keys, dtype=np.int64), 0)
        known = symbols.kinds[ids[note]] == BEGIN
        return np.where(known, keys[np.where(known, ids[note] - symbols.begin, -1)], spelled)

    def _durations_of(self, start: Steps, key: Ints, after: Ints) -> Ints:
        """What is told, else a note lasts until its instrument plays again, a quarter at most."""
        symbols, grid = self.symbols, self.vocabulary.grid
        program = key // PITCHES
        order = np.lexsort((start, program))
        line = start[order] + program[order] * (int(start.max(initial=0)) + grid.beat + 1)
        following = np.append(line, np.iinfo(np.int64).max)
        following = following[np.searchsorted(line, line, side="right")]
        room = np.empty_like(start)
        room[order] = np.minimum(following - line, grid.beat)
        usual = grid.duration_class(room).astype(np.int64)
        told = symbols.kinds[after] == DURATION
        return np.where(told, after - symbols.duration, usual)

    def _velocities_of(self, first: Ints, second: Ints) -> Ints:
        """The velocities of notes by the one or two symbols behind their beginnings."""
        symbols = self.symbols
        kinds = symbols.kinds
        late = (kinds[first] == DURATION) & (kinds[second] == LOUDNESS)
        told = np.where(late, second, first)
        loud = kinds[told] == LOUDNESS
        usual = symbols.velocities[self.volumes // 2]
        return np.where(loud, symbols.velocities[np.where(loud, told - symbols.loudness, 0)], usual)

    def _own_fields(self) -> dict[str, Any]:
        merges = [f"{left} {right}" for left, right in self.merges]
        return {"durations": self.durations, "merges": merges}

    @classmethod
    def _parsed(cls, fields: dict[str, Any]) -> dict[str, Any]:
        merges = [tuple(map(int, text.split())) for text in fields["merges"]]
        return {"durations": fields["durations"], "merges": tuple((a, b) for a, b in merges)}
