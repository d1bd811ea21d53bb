"""Tunes in the public domain, arranged in a style with their own chords.

A lead sheet is brought to the song's meter (a waltz in four, a jig as triplets), to a key in which
the lead can play it, and into a form: introduction, tune, solo over its chords, tune again, tag.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from data_prep.bands.form.form import MINUTES, Form, Section, closed
from data_prep.bands.form.progressions import ChordBar
from data_prep.bands.harmony.chords import Chord, Key, pitch_class
from data_prep.bands.notation.pattern import Meter, Swing
from data_prep.bands.notation.style import ENERGIES, Part, Style, sections
from data_prep.bands.parts.playing import Tone, plays_in
from tokenizer.errors import InputError

from .abc import LeadSheet, parse

Q = 480
_WAYS: dict[tuple[str, str], tuple[tuple[int, int], ...]] = {
    ("3/4", "4/4"): ((Q, 2 * Q), (2 * Q, 2 * Q)),
    ("4/4", "3/4"): ((2 * Q, 2 * Q), (2 * Q, Q)),
    ("4/4", "5/4"): ((3 * Q, 3 * Q), (Q, 2 * Q)),
    ("4/4", "7/8"): ((3 * Q, 3 * Q), (Q, Q // 2)),
    ("6/8", "4/4"): ((3 * Q, 2 * Q),),
    ("6/8", "2/4"): ((3 * Q, 2 * Q),),
    ("6/8", "12/8"): ((3 * Q, 3 * Q),),
    ("3/8", "3/4"): ((3 * Q // 2, 3 * Q),),
    ("3/8", "6/8"): ((3 * Q // 2, 3 * Q // 2),),
    ("3/4", "6/8"): ((3 * Q, 3 * Q // 2),),
    ("3/4", "12/8"): ((3 * Q, 3 * Q // 2),),
    **{
        (tune, song): ((beats * Q, beats * Q),)
        for tune, beats in (("4/4", 4), ("2/2", 4), ("2/4", 2))
        for song in ("4/4", "2/4", "2/2")
    },
    **{
        (tune, song): ((Q // 2, Q), (Q // 2, Q // 2)) * beats
        for tune, beats in (("4/4", 4), ("2/2", 4), ("2/4", 2))
        for song in ("12/8", "6/8")
    },
}
"""How a bar of a tune's meter goes into a song's: pieces of (ticks there, ticks here)."""

_FAST = 5  # notes in a second from which on a tune is taken in half time
_LEADS_REST = ("intro", "solo", "break", "build", "outro")


@dataclass(frozen=True)
class Tune:
    """A lead sheet, and who wrote it.

    Attributes:
        sheet: melody and chords.
        composer: as the manifest says, or empty.
        file: of the lead sheet.
    """

    sheet: LeadSheet
    composer: str
    file: str

    def suits(self, meter: Meter) -> bool:
        """Whether the tune can be played in a meter."""
        return _way(self.sheet.meter, meter) is not None


@dataclass(frozen=True)
class Arrangement:
    """A tune's form, and the melody of each of its themes (in ticks of the section)."""

    form: Form
    themes: dict[str, tuple[Tone, ...]]


def read_tunes(source: Path) -> tuple[Tune, ...]:
    """The tunes of a folder or a .tar archive of ABC files, in the order of their names.

    Where a `manifest.jsonl` says `"pd": "US"` of a tune, it is in the public domain in the United
    States alone and is left out; so are tunes that cannot be read as lead sheets.

    Raises:
        InputError: if there is no tune at all.
    """
    texts: dict[str, str] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, data in _files(source):
        if name.endswith(".abc"):
            texts[Path(name).stem] = data.decode("utf-8", "replace")
        else:
            lines = filter(str.strip, data.decode("utf-8").splitlines())
            rows |= {Path(row["file"]).stem: row for row in map(json.loads, lines)}
    found = []
    for stem in sorted(texts):
        row = rows.get(stem, {})
        if row.get("pd") == "US":
            continue
        try:
            sheet = parse(texts[stem], f"{stem}.abc")
        except InputError:
            continue
        if 8 <= len(sheet.chords) <= 72:
            found.append(Tune(sheet, str(row.get("composer", "")), f"{stem}.abc"))
    if not found:
        raise InputError(f"{source} has no lead sheets in ABC notation (files that end in .abc)")
    return tuple(found)


def _files(source: Path) -> Iterator[tuple[str, bytes]]:
    """The ABC files and the manifest of a folder or an archive."""
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.suffix == ".abc" or path.name == "manifest.jsonl":
                yield path.name, path.read_bytes()
        return
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                if stream and member.name.endswith((".abc", "manifest.jsonl")):
                    yield Path(member.name).name, stream.read()
    except (OSError, tarfile.TarError) as error:
        raise InputError(f"{source} is no folder and no .tar archive: {error}") from error


def lead_of(style: Style) -> Part | None:
    """The part that plays a tune, if the style has any."""
    return next((part for part in style.parts if part.role == "lead"), None)


def arranged(
    tune: Tune, style: Style, meter: Meter, tempo: int, swing: Swing, random: Random
) -> Arrangement:
    """The form of a tune in a style.

    Args:
        tune: one that suits the meter.
        style: one with a lead.
        meter: of the song.
        tempo: of the song, in pulses per minute.
        swing: of the song.
        random: the song's.
    """
    lead = lead_of(style)
    assert lead is not None
    notes, chords = _in_meter(tune.sheet, meter, tempo)
    shift = _shift(notes, lead, style, chords[-1][-1][1], random)
    notes = [(start, length, pitch + shift) for start, length, pitch in notes]
    last = chords[-1][-1][1]
    minor = last.quality.startswith("m") and not last.quality.startswith("maj")
    key = Key((last.root + shift) % 12, "minor" if minor else "major")
    rich = _is_rich(style)
    moved = tuple(
        tuple((start, _coloured(chord.transposed(shift), key, rich)) for start, chord in bar)
        for bar in chords
    )
    return _laid_out(
        style, meter, key, moved, [_swung(note, swing) for note in notes], tempo, random
    )


def _way(tune: Meter, song: Meter) -> tuple[tuple[int, int], ...] | None:
    if tune == song:
        return ((tune.bar, tune.bar),)
    return _WAYS.get((str(tune), str(song)))


def _in_meter(
    sheet: LeadSheet, meter: Meter, tempo: int
) -> tuple[list[tuple[int, int, int]], list[ChordBar]]:
    """Notes and chords on the song's bars; in half time, if they were too many in a second."""
    way = _way(sheet.meter, meter)
    assert way is not None
    size = sum(there for there, _ in way)
    length = sum(here for _, here in way)
    seconds = len(sheet.chords) * length * 60 / (tempo * meter.pulse)
    twice = 2 if len(sheet.notes) > _FAST * seconds else 1

    def moved(tick: int) -> int:
        bar, place = divmod(tick, size)
        at = bar * length
        for there, here in way:
            if place <= there:
                return (at + place * here // there) * twice
            place -= there
            at += here
        return at * twice

    notes = [
        (moved(start), moved(start + duration) - moved(start), pitch)
        for start, duration, pitch in sheet.notes
    ]
    changes = [
        (moved(number * size + start), chord)
        for number, bar in enumerate(sheet.chords)
        for start, chord in bar
    ]
    bars = -(-moved(len(sheet.chords) * size) // meter.bar)
    return notes, _by_bar(changes, bars, meter)


def _by_bar(changes: list[tuple[int, Chord]], bars: int, meter: Meter) -> list[ChordBar]:
    found: list[ChordBar] = []
    sounding = changes[0][1]
    for number in range(bars):
        begin = number * meter.bar
        here = [(t - begin, c) for t, c in changes if begin <= t < begin + meter.bar]
        if not here or here[0][0]:
            here = [(0, sounding), *here]
        distinct = [(t, c) for n, (t, c) in enumerate(here) if not n or (c != here[n - 1][1])]
        found.append(tuple(distinct))
        sounding = here[-1][1]
    return found


def _shift(
    notes: Sequence[tuple[int, int, int]], lead: Part, style: Style, last: Chord, random: Random
) -> int:
    """Semitones into a key of the style in which the lead reaches the most of the tune."""
    low, high = lead.pitches
    tonics = {pitch_class(name) for name in style.keys} or set(range(12))
    top, bottom = max(n[2] for n in notes), min(n[2] for n in notes)
    shifts = [s for s in range(-30, 31) if (last.root + s) % 12 in tonics]
    beyond = {s: max(0, top + s - high) + max(0, low - bottom - s) for s in shifts}
    least = min(beyond.values())
    return random.choice([s for s in shifts if beyond[s] == least])


def _is_rich(style: Style) -> bool:
    """Whether most chords of a style have four notes or more."""
    texts = [p for kinds in style.chords.values() for ps in kinds.values() for p in ps]
    numerals = [n for text in texts for n in text.replace("|", " ").split() if n not in ".%"]
    return 2 * sum(any(d in n for d in ("6", "7", "9", "13", "ø")) for n in numerals) > len(
        numerals
    )


def _coloured(chord: Chord, key: Key, rich: bool) -> Chord:
    """A triad with the sixth or seventh that a style of rich chords gives it."""
    if not rich or chord.quality not in ("", "m"):
        return chord
    degree = (chord.root - key.tonic) % 12
    if chord.quality == "m":
        return replace(chord, quality="m6" if degree == 0 and key.is_minor else "m7")
    return replace(chord, quality={0: "6", 5: "maj7", 7: "7"}.get(degree, "7"))


def _swung(note: tuple[int, int, int], swing: Swing) -> Tone:
    """A note moved as the style swings; triplets stay."""
    start, length, pitch = note
    if start % 160 == 0 and start % 240:
        return Tone(start, length, pitch)
    begin = swing.warp(start)
    return Tone(begin, max(40, swing.warp(start + length) - begin), pitch)


def _kinds(style: Style, lead: Part) -> tuple[str, str]:
    """The first and the loudest kind of section in which the lead plays."""
    kinds = [kind for form in style.forms for kind, _, _ in sections(form)]
    able = [k for k in kinds if k not in _LEADS_REST and plays_in(lead.sections, k)] or ["verse"]
    return able[0], max(able, key=lambda kind: style.energy.get(kind, ENERGIES.get(kind, 3)))


def _laid_out(
    style: Style,
    meter: Meter,
    key: Key,
    chords: tuple[ChordBar, ...],
    tones: list[Tone],
    tempo: int,
    random: Random,
) -> Arrangement:
    """Introduction, tune, solo, tune, tag; long tunes in two sections."""
    plan, cut = _plan(style, chords, MINUTES * tempo * meter.pulse // meter.bar, random)
    lift = random.choice((1, 2)) if random.randrange(100) < style.key_change else 0
    last_tune = max(number for number, (_, _, _, theme) in enumerate(plan) if theme == "tune0")
    found: list[Section] = []
    first = 0
    for number, (kind, begin, end, theme) in enumerate(plan):
        raised = lift if number >= last_tune else 0
        moved = tuple(tuple((t, c.transposed(raised)) for t, c in bar) for bar in chords[begin:end])
        occurrence = sum(section.kind == kind for section in found)
        energy = min(5, style.energy.get(kind, ENERGIES.get(kind, 3)) + (occurrence > 1))
        here = key.transposed(raised)
        found.append(Section(kind, occurrence, here, energy, moved, first, theme))
        first += end - begin
    edge = cut * meter.bar
    themes = {
        "tune0": tuple(tone for tone in tones if tone.start < edge),
        f"tune{cut}": tuple(
            tone._replace(start=tone.start - edge) for tone in tones if tone.start >= edge
        ),
    }
    return Arrangement(closed(style, meter, key, tuple(found), random), themes)


def _plan(
    style: Style, chords: tuple[ChordBar, ...], longest: int, random: Random
) -> tuple[list[tuple[str, int, int, str]], int]:
    """Sections as (kind, first bar of the tune, last, theme), and the bar where the tune is cut."""
    lead = lead_of(style)
    assert lead is not None
    calm, loud = _kinds(style, lead)
    bars = len(chords)
    cut = bars // 2 // 4 * 4 if bars >= 16 else bars
    tune = [(calm, 0, cut, "tune0"), (loud, cut, bars, f"tune{cut}")][: 1 + (cut < bars)]
    turns = 4 if bars <= 6 else 2 if bars <= 12 else 1
    last = max(0, bars - 4)
    plan = [("intro", last, bars, "intro"), *tune * turns]
    if any(part.role == "solo" for part in style.parts) and random.randrange(100) < 75:
        plan += [("solo", 0, bars if bars <= 16 else cut, "solo")] * turns
    plan += tune * turns
    if random.randrange(100) < 35:
        plan += [("outro", last, bars, "outro")]
    while sum(end - begin for _, begin, end, _ in plan) > longest and len(plan) > 2:
        plan.pop(1)
    return plan, cut
