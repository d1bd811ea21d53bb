"""The vocabulary: what each value of each field of a token means.

A token is a row of five fields. Value 0 of every field is padding.

    field 0  wait        1 … wait_count            a wait of 0 … wait_count − 1 steps
                         then REST_UNITS values    a rest of 1, 2, … times wait_count steps
                         then the controls         "kind:name", one value each
    field 1  instrument  program + 1               General MIDI 0–127, drums 128
    field 2  pitch       MIDI pitch + 1
    field 3  duration    duration class + 1        see `grid`
    field 4  velocity    velocity // 4 + 1         32 bins

A control has no other field. Controls of an open kind (composers, styles) stand last and new
ones are appended, so that no value ever changes its meaning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tokenizer.chords.chord import CHORDS
from tokenizer.errors import InputError
from tokenizer.theory import key_name, key_on
from tokenizer.typing import Integers, Ints, Mask, Tokens

from .grid import REST_UNITS, Grid

FIELDS = ("wait", "instrument", "pitch", "duration", "velocity")
WAIT, INSTRUMENT, PITCH, DURATION, VELOCITY = range(5)
VELOCITY_BINS = 32
VELOCITIES = np.arange(VELOCITY_BINS + 1, dtype=np.int16) * 4 - 2
"""The middle of each bin, by the value of the field, `(33,)`; that of 0 means nothing."""

PREFIX_KINDS = (
    "start",
    "composer",
    "style",
    "instrument",
    "tempo",
    "time_signature",
    "key",
    "density",
    "polyphony",
)
"""The kinds that may stand before the music, in their order there."""

METRONOME = (
    *range(20, 40, 2),
    *range(40, 60, 2),
    *range(60, 72, 3),
    *range(72, 120, 4),
    *range(120, 144, 6),
    *range(144, 208, 8),
    *range(208, 241, 8),
    *range(252, 301, 12),
)
"""Tempo classes in quarter notes per minute: the marks of a metronome, carried on at both ends."""

DENSITIES = ("0.25", "0.5", "1", "1.5", "2", "3", "4", "6", "8", "12", "16")
"""Classes of density: notes per quarter note (or half a second)."""
POLYPHONIES = ("1", "1.5", "2", "3", "4", "5", "6", "8", "10", "12", "16")
"""Classes of polyphony: notes that sound at a time, where any does."""

_NUMERATORS = {1: 8, 2: 12, 4: 24, 8: 32, 16: 32, 32: 32}


def closed_controls() -> tuple[str, ...]:
    """Every control of the kinds that no corpus adds to."""
    return (
        "start",
        "end",
        *(f"tempo:{bpm}" for bpm in METRONOME),
        *(f"time_signature:{n}/{d}" for d, most in _NUMERATORS.items() for n in range(1, most + 1)),
        *(
            f"key:{key_name(*key_on(tonic, minor))}"
            for minor in (False, True)
            for tonic in range(12)
        ),
        "pedal:down",
        "pedal:up",
        *(f"instrument:{program}" for program in range(129)),
        "mark",
        "return",
        *(chord.control for chord in CHORDS),
        *(f"density:{notes}" for notes in DENSITIES),
        *(f"polyphony:{notes}" for notes in POLYPHONIES),
    )


@dataclass(frozen=True, repr=False)
class Vocabulary:
    """The values of the five fields on a grid, with the controls in the order of their values."""

    grid: Grid
    controls: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Vocabulary: {self.described()}>"

    def described(self) -> str:
        """The grid, the values of each field and the labels, in a line."""
        sizes = " · ".join(f"{size:,}" for size in self.sizes)
        labels = ", ".join(f"{len(self.names(kind))} {kind}s" for kind in ("composer", "style"))
        unit = "a quarter" if self.grid.is_beat else "a second"
        return f"{self.grid.resolution} steps {unit}, {sizes} values, {labels}"

    @classmethod
    def create(
        cls, grid: Grid, *, composers: Iterable[str] = (), styles: Iterable[str] = ()
    ) -> Vocabulary:
        """The closed controls, then the given styles and composers in the given order."""
        labels = [f"style:{name}" for name in styles] + [f"composer:{name}" for name in composers]
        return cls(grid, closed_controls()).extended(labels)

    def extended(self, labels: Iterable[str]) -> Vocabulary:
        """A vocabulary with more `composer:` and `style:` controls; old values stay as they are.

        Raises:
            InputError: for a label of another kind.
        """
        added = dict.fromkeys(label for label in labels if label not in self._values)
        for label in added:
            if not label.startswith(("composer:", "style:")):
                raise InputError(f"only composers and styles can be added, not '{label}'")
        return Vocabulary(self.grid, (*self.controls, *added))

    @property
    def first_rest(self) -> int:
        """Field 0's value for a rest of one unit."""
        return self.grid.wait_count + 1

    @property
    def first_control(self) -> int:
        """Field 0's value for the first control."""
        return self.first_rest + REST_UNITS

    @property
    def sizes(self) -> tuple[int, int, int, int, int]:
        """How many values each field has, padding included."""
        return (
            self.first_control + len(self.controls),
            130,
            129,
            len(self.grid.durations) + 1,
            VELOCITY_BINS + 1,
        )

    @cached_property
    def _values(self) -> dict[str, int]:
        return {name: self.first_control + i for i, name in enumerate(self.controls)}

    def control(self, name: str) -> int | None:
        """Field 0's value for a control such as `"composer:bach"`, or None if there is none."""
        return self._values.get(name)

    def known(self, names: Iterable[str]) -> list[int]:
        """Field 0's values for those of the controls that there are."""
        values = self._values
        return [values[name] for name in names if name in values]

    def name(self, value: int) -> str:
        """The control that a value of field 0 stands for."""
        return self.controls[value - self.first_control]

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of a kind, such as every composer, in the order of their values."""
        start = kind + ":"
        return tuple(c.removeprefix(start) for c in self.controls if c.startswith(start))

    @property
    def start(self) -> int:
        """The control that opens a piece."""
        return self._values["start"]

    @property
    def end(self) -> int:
        """The control that closes a piece."""
        return self._values["end"]

    @property
    def mark(self) -> int:
        """Field 0's value for `mark`, which remembers the time; -1 in a vocabulary without it."""
        return self._values.get("mark", -1)

    @property
    def return_(self) -> int:
        """Field 0's value for `return`, back to the time of the last `mark`; -1 without it."""
        return self._values.get("return", -1)

    def is_note(self, tokens: Integers) -> Mask:
        """Which rows of tokens `(…, F)` are notes."""
        return tokens[..., INSTRUMENT] > 0

    def is_control(self, tokens: Tokens) -> Mask:
        """Which rows of tokens `(…, F)` are controls."""
        return tokens[..., WAIT] >= self.first_control

    @cached_property
    def steps(self) -> Ints:
        """How many steps of time each value of field 0 lets pass, `(V,)`."""
        steps = np.zeros(self.sizes[WAIT], dtype=np.int64)
        steps[1 : self.first_rest] = np.arange(self.grid.wait_count)
        rests = np.arange(1, REST_UNITS + 1) * self.grid.wait_count
        steps[self.first_rest : self.first_control] = rests
        return steps

    @cached_property
    def bar_steps(self) -> Ints:
        """Steps per bar for each value of field 0 that is a time signature, else 0; `(V,)`."""
        bars = np.zeros(self.sizes[WAIT], dtype=np.int64)
        if self.grid.is_beat:
            for name in self.names("time_signature"):
                numerator, denominator = map(int, name.split("/"))
                whole = 4 * self.grid.resolution * numerator
                bars[self._values[f"time_signature:{name}"]] = max(1, whole // denominator)
        return bars

    @cached_property
    def opens(self) -> Mask:
        """Which values of field 0 may stand in the prefix, `(V,)`."""
        return self._of_kinds(PREFIX_KINDS)

    @cached_property
    def chords(self) -> Mask:
        """Which values of field 0 are chords, `(V,)`."""
        return self._of_kinds(("chord",))

    @cached_property
    def guiding(self) -> Mask:
        """Which values of field 0 are composers or styles, `(V,)`."""
        return self._of_kinds(("composer", "style"))

    def _of_kinds(self, kinds: Collection[str]) -> Mask:
        """Which values of field 0 are controls of some kinds."""
        own = [name.partition(":")[0] in kinds for name in self.controls]
        return np.concatenate([np.zeros(self.first_control, dtype=bool), own])

    def prefix_length(self, tokens: Tokens) -> int:
        """How many leading rows of tokens `(T, F)` are the control prefix."""
        opens = self.opens.take(tokens[:, WAIT])
        return len(tokens) if opens.all() else int(opens.argmin())

    def counted(self, tokens: Tokens) -> Mask:
        """Which fields of tokens `(T, F)` a model is asked for, as a mask of the same shape.

        None in the prefix and in padding; field 0 alone in rests and controls; fields 0 and 1
        where time passes without a note; all five in notes.
        """
        mask = np.zeros(tokens.shape, dtype=bool)
        first = tokens[:, WAIT]
        mask[:, WAIT] = first > 0
        mask[:, INSTRUMENT] = (first > 0) & (first < self.first_rest)
        mask[:, PITCH:] = self.is_note(tokens)[:, None]
        mask[: self.prefix_length(tokens)] = False
        return mask

    def pack(self, tokens: Tokens) -> Ints:
        """One number per token, by mixed radix: `(T, F)` to `(T,)`."""
        packed = np.zeros(tokens.shape[:-1], dtype=np.int64)
        for field, size in enumerate(self.sizes):
            packed = packed * size + tokens[..., field]
        return packed

    def unpack(self, packed: Ints) -> Tokens:
        """The tokens `(T, F)` of packed numbers `(T,)`."""
        tokens = np.empty((*packed.shape, len(FIELDS)), dtype=np.int16)
        rest = packed
        for field in reversed(range(len(FIELDS))):
            rest, tokens[..., field] = np.divmod(rest, self.sizes[field])
        return tokens
