"""One song from a style and a seed: the arrangement, its score, and its row of the manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from data_prep.bands.form import progressions
from data_prep.bands.form.form import Form, planned
from data_prep.bands.harmony.chords import Key, pitch_class
from data_prep.bands.notation import kit
from data_prep.bands.notation.pattern import TICKS, Swing
from data_prep.bands.notation.style import Part, Style
from data_prep.bands.parts.comping import Comping
from data_prep.bands.parts.drums import Drummer
from data_prep.bands.parts.feel import LICENCE as FEEL_LICENCE
from data_prep.bands.parts.feel import Feel
from data_prep.bands.parts.humanise import humanised
from data_prep.bands.parts.lines import Line
from data_prep.bands.parts.melody import Singer
from data_prep.bands.parts.playing import Chart, Note, Player
from data_prep.bands.parts.solo import Soloist, answers, counter
from data_prep.bands.tunes.tunes import Tune, arranged, lead_of
from tokenizer import Score, Track
from tokenizer.instruments import DRUMS
from tokenizer.score.columns import (
    KEY_SIGNATURES,
    NOTES,
    TEMPOS,
    TIME_SIGNATURES,
    disjoint_notes,
)
from tokenizer.typing import Notes

from . import arrange

LICENCE = "CC0-1.0"
_DRUMS_ALONE = 2  # percent of songs
_FEELS = 75  # percent of songs, where feels are given
_HUMAN = 50  # from which `human` on a style may have them
_TUNES = 50  # percent of songs, where tunes are given


@dataclass(frozen=True)
class Song:
    """A song and what the manifest says of it (without its file)."""

    score: Score
    row: dict[str, Any]


@dataclass(frozen=True)
class PlayedTrack:
    """A player's notes as they are written."""

    track: Track
    role: str
    notes: list[Note]


def compose(
    style: Style, seed: str, tunes: Sequence[Tune] = (), feels: Sequence[Feel] = ()
) -> Song:
    """The song of a style that a seed stands for; the same one on every machine.

    Args:
        style: what the band plays.
        seed: any text.
        tunes: half of the songs arrange one of these, where one suits the style.
        feels: most drummers have one of these, where one suits the style; the song is then under
            the feel's licence.
    """
    random = Random(seed)
    meter = random.choice(style.all_meters)
    tempo = random.randint(*style.tempo)
    key = _key(style, random)
    swing = Swing(random.randint(*style.swing), 4 * TICKS // style.swing_unit)
    suited = [tune for tune in tunes if tune.suits(meter)] if lead_of(style) else []
    tune = random.choice(suited) if suited and random.randrange(100) < _TUNES else None
    if tune is None:
        chart = Chart(style, planned(style, meter, key, tempo, random), swing)
    else:
        found = arranged(tune, style, meter, tempo, swing, random)
        chart = Chart(style, found.form, swing, found.themes)
    feel = _feel(chart, feels, random)
    tracks = _played(chart, tempo, feel, random)
    score = _score(tracks, chart.form, tempo, random)
    row = _row(chart, tempo, tracks)
    if tune is not None:
        row |= {"tune": tune.sheet.title, "tune_composer": tune.composer}
    if feel is not None and "drums" in row["roles"].values():
        row |= {"groove": feel.source, "licence": FEEL_LICENCE}
    return Song(score, row)


def _feel(chart: Chart, feels: Sequence[Feel], random: Random) -> Feel | None:
    """A human drummer's feel for songs in four of styles that humans play."""
    style = chart.style
    suited = [feel for feel in feels if feel.suits(style)]
    wanted = chart.meter == (4, 4) and style.human >= _HUMAN and random.randrange(100) < _FEELS
    return random.choice(suited) if suited and wanted else None


def _key(style: Style, random: Random) -> Key:
    modes = list(style.modes)
    mode = random.choices(modes, [style.modes[m] for m in modes])[0]
    tonic = pitch_class(random.choice(style.keys)) if style.keys else random.randrange(12)
    return Key(tonic, mode)


def _played(chart: Chart, tempo: int, feel: Feel | None, random: Random) -> list[PlayedTrack]:
    """Everybody plays: first those who keep to the chart, then those who listen to the lead."""
    style = chart.style
    alone = style.drums is not None and not chart.themes and random.randrange(100) < _DRUMS_ALONE
    band = [] if alone else arrange.players(chart, random)
    notes: dict[int, list[Note]] = {}
    for number, player in enumerate(band):
        if player.part.role not in ("answer",):
            notes[number] = _part(player, chart, Random(random.getrandbits(64)))
    lead = sorted(
        note
        for number, player in enumerate(band)
        if player.part.role in ("lead", "solo")
        for note in notes[number]
    )
    for number, player in enumerate(band):
        if player.part.role == "answer":
            notes[number] = answers(player, chart, lead, Random(random.getrandbits(64)))
    per_ms = TICKS * tempo * chart.meter.pulse / TICKS / 60_000
    found = []
    for number, player in enumerate(band):
        part = player.part
        made = humanised(
            notes[number],
            chart.form,
            Random(random.getrandbits(64)),
            human=style.human,
            lag=round(part.lag * per_ms),
            volume=part.volume,
            steady=part.role in ("chords", "pad"),
        )
        if made:
            found.append(PlayedTrack(Track(player.name, player.program), part.role, made))
    drums = _drums(chart, per_ms, alone or not found, feel, random)
    return [*found, *drums]


def _part(player: Player, chart: Chart, random: Random) -> list[Note]:
    """One player's notes as written."""
    role = player.part.role
    if role == "counter":
        return counter(player, chart, random)
    players: dict[str, Callable[[Player, Chart, Random], Any]] = {
        "bass": Line,
        "riff": Line,
        "lead": Singer,
        "solo": Soloist,
    }
    found: list[Note] = players.get(role, Comping)(player, chart, random).play(player)
    return found


def _drums(
    chart: Chart, per_ms: float, needed: bool, feel: Feel | None, random: Random
) -> list[PlayedTrack]:
    drums = chart.style.drums
    if drums is None or not (needed or random.randrange(100) < drums.chance):
        return []
    sections = arrange.drummer_sections(chart.style, chart.form, random)
    if needed:
        sections = frozenset(range(len(chart.form.sections)))
    player = Player(Part("bass", ("Drums",)), DRUMS, "Drums", sections)
    written = Drummer(drums, chart, Random(random.getrandbits(64))).play(player)
    made = humanised(
        written,
        chart.form,
        Random(random.getrandbits(64)),
        human=0 if feel else chart.style.human,
        lag=0 if feel else round(drums.lag * per_ms),
        volume=0,
        steady=True,
    )
    if feel is not None:
        made = feel.applied(made, chart.meter, Random(random.getrandbits(64)))
    track = Track("Drums", DRUMS, True, kit.KITS[random.choice(drums.kits)])
    return [PlayedTrack(track, "drums", made)] if made else []


def _score(tracks: list[PlayedTrack], form: Form, tempo: int, random: Random) -> Score:
    keys: list[tuple[int, Key]] = []
    for section in form.sections:
        if not keys or section.key != keys[-1][1]:
            keys.append((section.first * form.meter.bar, section.key))
    return Score(
        TICKS,
        tuple(part.track for part in tracks),
        notes=np.concatenate([_rows(part, number) for number, part in enumerate(tracks)]),
        tempos=np.array(_tempos(form, tempo, random), TEMPOS),
        time_signatures=np.array([(0, *form.meter)], TIME_SIGNATURES),
        key_signatures=np.array([(t, k.fifths, k.is_minor) for t, k in keys], KEY_SIGNATURES),
    )


def _rows(part: PlayedTrack, number: int) -> Notes:
    """A track's notes as a column, none of a pitch that still sounds."""
    program = part.track.program
    rows = [(n.start, n.duration, n.pitch, n.velocity, program, number) for n in part.notes]
    return disjoint_notes(np.array(sorted(rows), NOTES), {})[0]


def _tempos(form: Form, tempo: int, random: Random) -> list[tuple[int, int]]:
    """Microseconds per quarter; a ritardando over the last bars, where the ending has one."""
    meter = form.meter
    per_quarter = 60_000_000 * TICKS // (tempo * meter.pulse)
    found = [(0, per_quarter)]
    if form.ending == "ritard" and len(form.bars) > 3:
        first = form.bars[-3].start
        beats = 2 * meter.bar // meter.beat
        depth = random.randint(15, 40)
        for number in range(beats + 1):
            slower = 100 + depth * number * number // (beats * beats)
            found.append((first + number * meter.beat, per_quarter * slower // 100))
    return found


def _row(chart: Chart, tempo: int, tracks: list[PlayedTrack]) -> dict[str, Any]:
    form, style = chart.form, chart.style
    return {
        "style": style.title,
        "genre": style.genre,
        "key": form.key.name,
        "meter": str(form.meter),
        "tempo": tempo,
        "swing": chart.swing.percent,
        "form": form.summary,
        "ending": form.ending,
        "chords": [progressions.symbols(bar.chords, bar.section.key) for bar in form.bars],
        "roles": {part.track.name: part.role for part in tracks},
        "licence": LICENCE,
    }
