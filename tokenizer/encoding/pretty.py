"""Tokens as readable text, one line per row."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from tokenizer.instruments import name
from tokenizer.theory import pitch_name
from tokenizer.typing import Tokens

from .compound import row_times
from .structure import bar_positions
from .tokenizer import Tokenizer
from .vocabulary import VELOCITIES


def lines(tokens: Tokens, tokenizer: Tokenizer) -> Iterator[str]:
    """One line for each row of tokens `(T, 5)`: its time and its meaning.

    On the `beat` clock a note stands at bar:beat, both from 1, beats in quarters; on the `seconds`
    clock at seconds.
    """
    vocabulary = tokenizer.vocabulary
    grid = vocabulary.grid
    if grid.is_beat:
        bars, positions = bar_positions(tokens, row_times(tokens, vocabulary), vocabulary)
        where = [
            f"{bar + 1:>4}:{_quarters(position + grid.beat, grid.beat):<6}"
            for bar, position in zip(bars.tolist(), positions.tolist(), strict=True)
        ]
    else:
        where = [f"{t / grid.resolution:>9.2f} s" for t in row_times(tokens, vocabulary).tolist()]
    for place, row in zip(where, tokens.tolist(), strict=True):
        yield f"{place} {_said(row, tokenizer)}"


def _said(row: list[int], tokenizer: Tokenizer) -> str:
    vocabulary = tokenizer.vocabulary
    grid = vocabulary.grid
    first, program, pitch, duration, velocity = row
    if first >= vocabulary.first_control:
        return control_words(vocabulary.name(first))
    if program == 0:
        return f"wait {_length(int(vocabulary.steps[first]), grid.beat, grid.is_beat)}"
    steps = int(grid.durations[duration - 1])
    return (
        f"{name(program - 1):<24} {pitch_name(pitch - 1):<4} "
        f"{_length(steps, grid.beat, grid.is_beat):>10}  velocity {VELOCITIES[velocity]}"
    )


def control_words(control: str) -> str:
    """A control in words: "instrument Violin"."""
    kind, _, value = control.partition(":")
    if kind == "instrument":
        value = name(int(value))
    return f"{kind.replace('_', ' ')} {value}".rstrip()


def _length(steps: int, beat: int, is_beat: bool) -> str:
    """A duration in quarters, as a fraction, or in seconds."""
    if steps == 0:
        return "short"
    return f"{_quarters(steps, beat)} q" if is_beat else f"{steps / (2 * beat):.2f} s"


def _quarters(steps: int, beat: int) -> str:
    """Steps as quarters: "2", "1/3", "2+1/2"."""
    whole, left = divmod(steps, beat)
    if not left:
        return str(whole)
    return f"{whole}+{Fraction(left, beat)}" if whole else str(Fraction(left, beat))
