"""Labels: composer, styles, instruments, tempo, time signature and key of a piece.

Names come in as people and manifests write them and go out as one id each, so that "BachJS",
"Bach, Johann Sebastian" and "j.s. bach" are all `bach`; the names are in `aliases.json`. What is in
the music itself is read from the score by `labels_of`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tokenizer.score.batch import ScoreBatch

from .aliases import COMPOSERS, NOBODY, STYLE_KINDS, composer_keys, folded, style_keys
from .theory import (
    PITCHES,
    Key,
    best_key,
    correlations_of_pieces,
    key_of_signature,
    pitch_class_weights_of_pieces,
)

if TYPE_CHECKING:
    from tokenizer.score.score import Score
    from tokenizer.typing import Steps

# "BachJS", "BeethovenLv", "BoismortierJBd": Mutopia's surname and initials in one word.
_SURNAME_INITIALS = re.compile(r"([A-Z][^\s,]*[a-z])([A-Z]{1,4}[a-z]?)")
_ASIDE = re.compile(r"\([^)]*\)|\[\d+\]")  # "(1857-1934)", "(moved to E1M3)", a footnote "[1]"
_HONORIFIC = re.compile(r"(?:Sir|Dame|Dr\.?|Fr\.|Ks\.) ")
_NICKNAME = re.compile(r"(?<=\S )[\"“][^\"”]+[\"”] ")
_NOT_A_PERSON = re.compile(
    r"drummer ?\d+|.*\.midi?|\W*(\w\W+)*\w?\W*"
    # "English folk song", "14th century German melody", "1524 from Walter's Gesangbüchlein"
    r"|.*[\W_]folk[\W_]?songs?|\d+th[\W_]century[\W_].*|\d{4}[\W_]+from[\W_].*",
    re.IGNORECASE,
)

# How much better another key must correlate before a bare C major in a file is not believed:
# finds 95 % of signatures that were left out and doubts 1 % of those that are right.
_CLEAR = 0.1

_PROGRAMS = 129


@dataclass(frozen=True, slots=True)
class Labels:
    """What is known of a piece; every field may be missing.

    Attributes:
        composer: id as `normalise_composer` gives it.
        styles: ids as `normalise_styles` gives them.
        instruments: programs present, 0–127 and 128 for drums, the one with most notes first.
        tempo: quarter notes per minute.
        time_signature: (numerator, denominator).
        key: (fifths −7…7, minor).
        density: notes per quarter note (or half a second).
        polyphony: notes that sound at a time, where any does.
    """

    composer: str | None = None
    styles: tuple[str, ...] = ()
    instruments: tuple[int, ...] = ()
    tempo: float | None = None
    time_signature: tuple[int, int] | None = None
    key: tuple[int, bool] | None = None
    density: float | None = None
    polyphony: float | None = None


@lru_cache(maxsize=4096)  # a corpus has the same few names again and again
def normalise_composer(text: str | None) -> str | None:
    """The id of a composer, a lower-case ASCII slug, or None where the name means nobody.

    Composers of the table get its id, however they are written ("Bach, Johann Sebastian", "BachJS",
    "J.S. Bach" and "bach" give "bach"). Other names give a slug of the name in its natural order
    ("Abbott, Jane Bingham" gives "jane_bingham_abbott").
    """
    name = _natural_order(text or "")
    if name is None:
        return None
    key = folded(name)
    if key in NOBODY:
        return None
    first, _, rest = key.partition(" ")
    known = composer_keys()
    return known.get(key) or known.get(f"{rest} {first}") or key.replace(" ", "_")


def _natural_order(text: str) -> str | None:
    """Forenames before the surname, without asides; None where it is no name of anybody."""
    name = _NICKNAME.sub("", _ASIDE.sub(" ", text)).strip(" []\t\n").replace("&", " and ")
    name = _HONORIFIC.sub("", name)
    if _NOT_A_PERSON.fullmatch(name):
        return None
    surname, comma, forenames = name.partition(",")
    if comma:
        return f"{forenames.strip()} {surname.strip()}"
    together = _SURNAME_INITIALS.fullmatch(name)
    if together:
        return f"{together[2]} {together[1]}"
    return name


def composer_name(composer: str) -> str:
    """The name to print for a composer's id: "Johann Sebastian Bach" for "bach"."""
    known = COMPOSERS.get(composer)
    return known.name if known else composer.replace("_", " ").title()


def period_of(composer: str) -> str | None:
    """The period of a composer's id ("baroque", "classical", …), or None where it is not known."""
    known = COMPOSERS.get(composer)
    return known.period if known else None


def normalise_style(text: str) -> str | None:
    """The id of one style as a person names it ("Waltzes" gives "waltz"), or None if unknown."""
    return next(iter(style_keys().get(folded(text), ())), None)


@lru_cache(maxsize=4096)
def normalise_styles(text: str | None, composer: str | None = None) -> tuple[str, ...]:
    """The ids of all styles in a genre text such as "Sacred; Mass" or "game/rock-metal".

    What the table does not know is left out. With a composer's id whose period is known, that
    period stands first and replaces any that the text names: editors write "Classical" of Albéniz.
    """
    found = _styles_in(text or "")
    period = period_of(composer) if composer else None
    if period is not None:
        found = [period, *(style for style in found if STYLE_KINDS[style] != "period")]
    return tuple(dict.fromkeys(found))


def _styles_in(text: str) -> list[str]:
    """A phrase the table has, else the phrases between ever weaker separators."""
    whole = style_keys().get(folded(text))
    if whole is not None:
        return list(whole)
    for separator in (";", ",", ":", "/", "&", r"[\s\-]"):
        parts = [part for part in re.split(separator, text) if part]
        if len(parts) > 1:
            return [style for part in parts for style in _styles_in(part)]
    return []


def style_kind(style: str) -> str:
    """ "genre" or "period"; a style that the table does not have is a genre."""
    return STYLE_KINDS.get(style, "genre")


def labels_of(score: Score) -> Labels:
    """What can be read from the music: instruments, tempo, time signature and key.

    Tempo is the median over the notes' span, by time in seconds; the time signature is the one that
    covers the most of it. The key signature is the file's, unless there is none or the notes
    contradict a bare C major, which many programs write by default: then the key is estimated. The
    mode is estimated unless the file says minor, since many programs write every key as major.
    """
    if len(score.notes) == 0:
        return Labels()
    pieces = ScoreBatch.of([score])
    return Labels(
        instruments=instruments_of(pieces)[0],
        tempo=tempo_of(score),
        time_signature=_prevailing(score, score.time_signatures),
        key=keys_of(pieces)[0],
    )


def texture(start: Steps, end: Steps, beat: int) -> tuple[float | None, float | None]:
    """Density and polyphony of notes, see `Labels`; None for both if there are none.

    Args:
        start: of the notes `(N,)`, ascending.
        end: of the notes `(N,)`, in the same unit.
        beat: that many of the unit are a quarter note.
    """
    if not len(start):
        return None, None
    density = len(start) * beat / max(int(end.max() - start[0]), beat)
    reached = np.maximum.accumulate(end)
    silent = np.maximum(start[1:] - reached[:-1], 0).sum()
    sounding = reached[-1] - start[0] - silent
    return density, float((end - start).sum() / max(int(sounding), 1))


def instruments_of(pieces: ScoreBatch) -> list[tuple[int, ...]]:
    """The programs of each piece, the one with most notes first."""
    if all(len(score.tracks) == 1 for score in pieces.scores):
        firsts = [(score.tracks[0].program,) for score in pieces.scores]
        return [one if size else () for one, size in zip(firsts, pieces.sizes, strict=True)]
    found: list[tuple[int, ...]] = [()] * len(pieces.scores)
    counts = np.bincount(pieces.notes["program"] + pieces.number(_PROGRAMS))
    places = np.flatnonzero(counts)
    for place in places.take(np.argsort(-counts.take(places), kind="stable")).tolist():
        number, program = divmod(place, _PROGRAMS)
        found[number] += (program,)
    return found


def keys_of(pieces: ScoreBatch) -> list[tuple[int, bool] | None]:
    """The key of each piece, None where it has no notes or they say nothing: see `labels_of`."""
    weights = pitch_class_weights_of_pieces(
        pieces.notes, pieces.number(PITCHES), len(pieces.scores)
    )
    found = zip(pieces.scores, pieces.sizes, correlations_of_pieces(weights), strict=True)
    return [_key(score, by_key) if size else None for score, size, by_key in found]


def _held(score: Score, times: np.ndarray) -> np.ndarray:
    """How many ticks, from the first note to the last, each of a sorted list of events governs."""
    end = score.end
    edges = np.full(len(times) + 1, end)
    edges[:-1] = times
    np.clip(edges, score.notes["start"][0], end, out=edges)
    return np.asarray(edges[1:] - edges[:-1])


def tempo_of(score: Score) -> float | None:
    """The median tempo in quarter notes per minute, None without notes: see `labels_of`."""
    if len(score.notes) == 0:
        return None
    microseconds = score.tempos["microseconds"]
    if len(microseconds) < 2:
        return 6e7 / int(microseconds[0]) if len(microseconds) else 120.0  # MIDI's own default
    order = np.argsort(microseconds, kind="stable")
    seconds = (_held(score, score.tempos["time"]) * microseconds.astype(float)).take(order)
    so_far = np.cumsum(seconds)
    middle = int(np.searchsorted(so_far, so_far[-1] / 2))
    return 6e7 / int(microseconds[order[middle]])


def _prevailing(score: Score, events: np.ndarray) -> tuple[int, int] | None:
    """The two values, after the time, of the signature that covers the most music."""
    rows = events.tolist()
    values = [row[1:] for row in rows]
    if len(rows) < 2 or len(set(values)) == 1:
        return values[0] if rows else None
    total: dict[tuple[int, int], int] = {}
    for value, ticks in zip(values, _held(score, events["time"]).tolist(), strict=True):
        total[value] = total.get(value, 0) + ticks
    return max(total, key=total.__getitem__)


def _key(score: Score, correlations: list[float]) -> tuple[int, bool] | None:
    written = _prevailing(score, score.key_signatures)
    if written is None:
        return best_key(correlations)
    fifths, minor = written
    if minor:
        return Key(fifths, True)
    key, doubt = key_of_signature(correlations, fifths)
    return best_key(correlations) if fifths == 0 and doubt > _CLEAR else key
