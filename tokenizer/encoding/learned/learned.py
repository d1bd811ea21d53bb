"""What the learned encodings share: they spell the rows of the compound encoding in ids.

    score ─compound─▶ rows (T, 5) ─spelled─▶ tokens (N, 1)
    score ◀─compound─ rows (T, 5) ◀──rows_of── tokens (N, 1)

So they have its grid, its clocks, its labels, its meters and pedals, and lose of a score what it
loses. Music that is changed, cut or stored as rows can be spelled afterwards.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenizer.encoding.compound import Events, encode_events, note_rows, row_times
from tokenizer.encoding.saved import JsonTokenizer
from tokenizer.encoding.structure import COLUMNS, StructureState, structure
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import FIELDS, WAIT, Vocabulary
from tokenizer.errors import InputError
from tokenizer.labels import Labels
from tokenizer.score.score import Score
from tokenizer.typing import Integers, Ints, Mask, Steps, Structure, Tokens

from .symbols import CONTROL, KEYS, PITCHES, Symbols, keys_in, parsed_keys

if TYPE_CHECKING:
    from typing_extensions import Self

SIGN_CLASS = 100
"""The class of the first sign, in the grammar of symbols; that of other symbols is their kind."""

NOTES_BEGUN = len(COLUMNS)
"""The column behind the structure with the notes that begin with each id, in windows of ids."""

MOST_KEYS = 4096
"""How many keys may have ids of their own: the most frequent."""


@dataclass(frozen=True)
class Spelled:
    """What ids say, on the grid: notes in any order, controls with their times.

    Attributes:
        start: of the notes, in steps.
        key: instrument and pitch.
        duration_class: of the grid.
        velocity: MIDI's.
        control_times: steps, ascending.
        controls: field 0's values.
        ends: whether the piece's end is told.
    """

    start: Steps
    key: Ints
    duration_class: Integers
    velocity: Integers
    control_times: Ints
    controls: Ints
    ends: bool


@dataclass(frozen=True, repr=False)
class LearnedTokenizer(JsonTokenizer):
    """A one-field encoding of compound rows, with the interface of `Tokenizer`.

    Attributes:
        compound: whose rows are spelled.
        volumes: classes of loudness: 1, 2, 4, 8, 16, or all 32 of the compound encoding.
        first: field 0's values when the vocabulary was learned; 0 for all that there are.
        keys: instruments with pitches that have ids of their own (`symbols`).
    """

    compound: Tokenizer
    volumes: int = 32
    first: int = 0
    keys: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.first:
            object.__setattr__(self, "first", self.vocabulary.sizes[WAIT])
        _ = self.symbols  # which are refused here if they cannot be

    def __repr__(self) -> str:
        grid = self.vocabulary.grid
        unit = "a quarter" if grid.is_beat else "a second"
        name, size = type(self).__name__, self.symbols.size
        return f"<{name} {self.encoding}: {grid.resolution} steps {unit}, {size:,} values>"

    @cached_property
    @abstractmethod
    def symbols(self) -> Symbols:
        """What the ids mean."""

    @abstractmethod
    def learned(self, bodies: Iterable[Tokens], size: int) -> Self:
        """The same encoding with at most `size` ids learned from music, and its keys.

        Args:
            bodies: compound rows `(T, 5)`, gone through twice, in constant memory: a list, or
                anything that can be gone through again.
            size: chords or merges to learn.
        """

    @abstractmethod
    def learned_parts(self, token: int) -> Sequence[int]:
        """The symbols that a learned id stands for, or a beginning for each note that it begins."""

    @abstractmethod
    def _body_ids(self, rows: Tokens, *, cut: bool) -> list[int] | Ints:
        """The ids of music `(T, 5)` without prefix; see `spelled`."""

    @abstractmethod
    def _told(self, ids: Ints) -> Spelled:
        """What the ids of music say, prefix and all."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the rows that are spelled."""
        return self.compound.vocabulary

    @property
    def sizes(self) -> tuple[int]:
        """How many values the one field has."""
        return (self.symbols.size,)

    def extended(self, labels: Iterable[str]) -> Self:
        """The same tokenizer with more labels such as `composer:bach`; old ids stay."""
        return replace(self, compound=self.compound.extended(labels))

    def labels(self, score: Score) -> Labels:
        """What a score says of itself."""
        return self.compound.labels(score)

    def prefix(self, labels: Labels, *, start: bool = True) -> Tokens:
        """The ids `(P, 1)` of labels: see `Tokenizer.prefix`."""
        return self.spelled(self.compound.prefix(labels, start=start))

    def body(self, score: Score) -> Tokens:
        """The music of a score, `(N, 1)`, without prefix and end."""
        return self.spelled(self.compound.body(score))

    def end(self) -> Tokens:
        """The row `(1, 1)` that closes a piece."""
        return np.array([[self.vocabulary.end]], dtype=np.int16)

    def decode(self, tokens: Tokens) -> Score:
        """The score of tokens `(N, 1)`.

        Raises:
            InputError: if a token is outside the vocabulary.
        """
        return self.compound.decode(self.rows_of(tokens))

    def spelled(self, rows: Tokens, *, cut: bool = False) -> Tokens:
        """The tokens `(N, 1)` of compound rows `(T, 5)`.

        Args:
            rows: music, its prefix and end if they are there.
            cut: whether more music follows, so that nothing later than the last row is told.
        """
        prefix = self.vocabulary.prefix_length(rows)
        said = self.symbols.ids_of_values[rows[:prefix, WAIT]]
        ids = np.concatenate([said, np.asarray(self._body_ids(rows[prefix:], cut=cut), np.int64)])
        return ids.astype(np.int16)[:, None]

    def rows_of(self, tokens: Tokens) -> Tokens:
        """The compound rows `(T, 5)` of tokens `(N, 1)`: the inverse of `spelled`.

        Raises:
            InputError: if a token is outside the vocabulary, or it lasts longer than a score can.
        """
        ids = np.asarray(tokens).reshape(-1).astype(np.int64)
        size = self.symbols.size
        if len(ids) and not 0 <= ids.min() <= ids.max() < size:
            worst = int(ids.max() if ids.max() >= size else ids.min())
            raise InputError(f"{worst} is no token of this vocabulary; its ids are 0 to {size - 1}")
        prefix = self._prefix_length(ids)
        told = self._told(ids[prefix:])
        order = np.argsort(told.start, kind="stable")
        program, pitch = np.divmod(told.key[order], PITCHES)
        starts, notes = note_rows(
            told.start[order], program, pitch, told.duration_class[order], told.velocity[order]
        )
        body = encode_events(
            Events(starts, notes, told.control_times, told.controls), self.vocabulary
        )
        controls = np.zeros((prefix + told.ends, len(FIELDS)), dtype=np.int16)
        controls[:prefix, WAIT] = self.symbols.values[ids[:prefix]]
        controls[prefix:, WAIT] = self.vocabulary.end
        return np.concatenate([controls[:prefix], body, controls[prefix:]])

    def structure(
        self,
        tokens: Tokens,
        length: int | None = None,
        *,
        before: Tokens | None = None,
        meter: tuple[int, int] | None = None,
    ) -> Structure:
        """The structure `(N, 8)` of tokens `(N, 1)`: where each leaves off.

        Args:
            tokens: music from its beginning, prefix and all.
            length: the piece's length in steps, or None if it is not known.
            before: compound rows that went before.
            meter: the time signature that opens a piece without one in its prefix; 4/4 if None.
        """
        rows, last = self.pseudo_rows(tokens[:, 0])
        begin = 0 if before is None else len(before)
        whole = rows if before is None else np.concatenate([before, rows])
        return structure(whole, self.vocabulary, length, start=begin, meter=meter)[last]

    def window_columns(
        self,
        tokens: Tokens,
        length: int | None = None,
        *,
        before: Tokens | None = None,
        meter: tuple[int, int] | None = None,
    ) -> Structure:
        """The structure `(N, 9)` of tokens, and the notes that begin with each: see `structure`."""
        columns = self.structure(tokens, length, before=before, meter=meter)
        return np.concatenate([columns, self.notes_begun(tokens).astype(np.int32)], axis=1)

    def pseudo_rows(self, ids: Integers) -> tuple[Tokens, Ints]:
        """Compound rows `(R, 5)` with the times and the count of notes of ids `(N,)`.

        Nothing else in them says anything: they are what `structure` looks at.

        Returns:
            The rows, and for each id the index of its last one.
        """
        rows, bounds = self._pseudo
        sizes = np.diff(bounds)[ids]
        ends = np.cumsum(sizes)
        index = np.arange(int(ends[-1]) if len(ends) else 0)
        index += np.repeat(bounds[:-1][ids] - (ends - sizes), sizes)
        return rows[index], ends - 1

    @cached_property
    def _pseudo(self) -> tuple[Tokens, Ints]:
        """The pseudo-rows of every id, one after another, and where each id's begin."""
        symbols = self.symbols
        value, note = symbols.values.copy(), symbols.begins_note
        value[symbols.values == 0] = 1  # a wait of nothing
        value[0] = 0
        parts = [[token] for token in range(symbols.size)]
        for token in range(symbols.base, symbols.later):
            parts[token] = list(self.learned_parts(token)) or [symbols.instrument]
        flat = np.concatenate(parts).astype(np.int64)
        rows = np.zeros((len(flat), len(FIELDS)), dtype=np.int16)
        rows[:, WAIT] = value[flat]
        rows[:, WAIT + 1 :] = note[flat][:, None]
        return rows, np.cumsum([0, *map(len, parts)])

    def notes_begun(self, tokens: Integers) -> Ints:
        """How many notes begin with each of some ids, of the same shape."""
        return self._notes_of_id[tokens]

    @cached_property
    def _notes_of_id(self) -> Ints:
        rows, bounds = self._pseudo
        before = np.concatenate([[0], np.cumsum(self.vocabulary.is_note(rows))])
        return before[bounds[1:]] - before[bounds[:-1]]

    @cached_property
    def steps_of_id(self) -> Ints:
        """How much time each id lets pass, `(size,)`."""
        rows, bounds = self._pseudo
        passed = np.concatenate([[0], np.cumsum(self.vocabulary.steps[rows[:, WAIT]])])
        return passed[bounds[1:]] - passed[bounds[:-1]]

    def push(self, state: StructureState, token: int) -> Structure:
        """Go on by an id: its structure `(1, 8)`. The state is of one piece."""
        rows, _ = self.pseudo_rows(np.array([token]))
        return [state.push(row[None]) for row in rows][-1]

    def allowed_after(self, token: int) -> Mask:
        """Which ids may follow one in music, `(size,)`; of controls that is the end alone."""
        return self._allowed[self._last[token]]

    @cached_property
    def _allowed(self) -> dict[int, Mask]:
        """The ids that may follow each class of symbols."""
        symbols, first = self.symbols, self._classes(0)
        control = symbols.values == self.vocabulary.end
        masks = {}
        for before in np.unique(self._last).tolist():
            mask = np.isin(first, [*self._following(before)])
            masks[before] = np.where(symbols.kinds == CONTROL, mask & control, mask)
        return masks

    @cached_property
    def _last(self) -> Ints:
        return self._classes(-1)

    def _classes(self, end: int) -> Ints:
        """The class of the first (0) or last (−1) symbol of every id."""
        symbols = self.symbols
        kinds = symbols.kinds.copy()
        kinds[symbols.sign : symbols.loudness] = np.arange(len(symbols.signs)) + SIGN_CLASS
        for token in range(symbols.base, symbols.later):
            kinds[token] = self._class_of_learned(token, end)
        return kinds

    @abstractmethod
    def _class_of_learned(self, token: int, end: int) -> int:
        """The class of the first (0) or last (−1) symbol of a learned id."""

    @abstractmethod
    def _following(self, before: int) -> Collection[int]:
        """The classes of symbols that may follow one of a class."""

    @abstractmethod
    def described(self, token: int) -> str:
        """What an id says, in words."""

    def lines(self, tokens: Tokens) -> Iterator[str]:
        """One line for each token `(N, 1)`: the time in steps, and what it says."""
        rows, last = self.pseudo_rows(tokens[:, 0])
        times = row_times(rows, self.vocabulary)[last]
        for time, token in zip(times.tolist(), tokens[:, 0].tolist(), strict=True):
            yield f"{time:>7} {self.described(token)}"

    def _prefix_length(self, ids: Ints) -> int:
        opens = self.vocabulary.opens[self.symbols.values[ids]]
        return len(ids) if opens.all() else int(opens.argmin())

    def _fields(self) -> dict[str, Any]:
        compound = self.compound.to_json()
        own = {k: compound[k] for k in compound if k not in ("format", "version", "encoding")}
        return own | self.symbols.fields() | self._own_fields()

    @classmethod
    def _of_fields(cls, fields: dict[str, Any]) -> Self:
        try:
            return cls(
                compound=Tokenizer._of_fields(fields),
                volumes=fields["volumes"],
                first=fields["values"],
                keys=parsed_keys(fields["keys"]),
                **cls._parsed(fields),
            )
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            raise InputError(
                f"the {cls.encoding} tokenizer is damaged ({error}); prepare the data again"
            ) from error

    @abstractmethod
    def _own_fields(self) -> dict[str, Any]:
        """What only this encoding has, in types that JSON has."""

    @classmethod
    @abstractmethod
    def _parsed(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """The inverse of `_own_fields`."""


def frequent_keys(bodies: Iterable[Tokens]) -> tuple[int, ...]:
    """The keys that occur in music, the most frequent `MOST_KEYS` of them, ascending."""
    counts = keys_in(bodies)
    order = np.lexsort((np.arange(KEYS), -counts))[:MOST_KEYS]
    return tuple(sorted(order[counts[order] > 0].tolist()))
