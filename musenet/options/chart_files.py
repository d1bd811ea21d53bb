"""Chord charts out of files: text, ABC tunes, MusicXML, and MIDI whose texts name chords."""

from __future__ import annotations

from pathlib import Path

from data_prep.bands.tunes import abc
from tokenizer.chords.chart import ChartChord, chart
from tokenizer.errors import InputError
from tokenizer.midi.read import read
from tokenizer.notation.library import MUSICXML_SUFFIXES
from tokenizer.notation.read import read_musicxml
from tokenizer.score.chords import file_chords, score_chart
from tokenizer.score.score import Score

_ABC, _MIDI = (".abc",), (".mid", ".midi", ".kar")
LARGEST_TEXT = 2**20


def chart_of_file(path: str) -> str | None:
    """The chart that a file gives, by its suffix; None if there is no such file.

    Charts of tunes begin with the first bar that has a chord.

    Raises:
        InputError: if it cannot be read, or names no chords.
    """
    file = Path(path)
    try:
        if not file.is_file():
            return None
    except (OSError, ValueError):  # a chart's text is often no possible name
        return None
    suffix = file.suffix.lower()
    if suffix in MUSICXML_SUFFIXES:
        return _named(read_musicxml(file), path)
    if suffix in _MIDI:
        return _named(read(file), path)
    text = _text(file)
    return _chart(abc.parse(_first_tune(text), path).chart) if suffix in _ABC else text


def _named(score: Score, display_name: str) -> str:
    """The chart of a score whose texts name chords."""
    found = file_chords(score)
    if found is None:
        raise InputError(
            f"{display_name} names no chords; 'musenet inspect {display_name} --chords' "
            "estimates them from its notes"
        )
    return _chart(score_chart(score, *found))


def _chart(rows: list[ChartChord]) -> str:
    """The text of a chart that begins with its first bar."""
    first = rows[0].bar
    return chart(row._replace(bar=row.bar - first) for row in rows)


def _first_tune(text: str) -> str:
    """The first of the tunes in an ABC file, each of which begins with X:."""
    tunes = text.split("\nX:")
    return tunes[0] if tunes[0].strip() else "X:" + tunes[1]


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > LARGEST_TEXT:
            raise InputError(f"{file} is too large for a chart; a chart has 1 MB at most")
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(
            f"{file} is not a text file; a chart is text such as C | Am | F | G7"
        ) from None
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
