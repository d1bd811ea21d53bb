"""Drums in MusicXML: where each drum of the General MIDI kit stands on the staff.

While the notation library handles them, notes of drums are pitched notes whose pitch is their MIDI
key; in the file they are unpitched, with an instrument for each key.
"""

from __future__ import annotations

from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement

DRUM_KEYS = range(27, 88)
_FEET = (35, 36, 44)
_STEPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


class Drum(NamedTuple):
    """A drum: its name, its place on the staff, and the head of its notes."""

    name: str
    step: str
    octave: int
    head: str = "normal"


_KIT = {
    35: Drum("Acoustic Bass Drum", "F", 4),
    36: Drum("Bass Drum 1", "F", 4),
    37: Drum("Side Stick", "C", 5, "x"),
    38: Drum("Acoustic Snare", "C", 5),
    39: Drum("Hand Clap", "C", 5, "triangle"),
    40: Drum("Electric Snare", "C", 5),
    41: Drum("Low Floor Tom", "A", 4),
    42: Drum("Closed Hi-Hat", "G", 5, "x"),
    43: Drum("High Floor Tom", "A", 4),
    44: Drum("Pedal Hi-Hat", "D", 4, "x"),
    45: Drum("Low Tom", "B", 4),
    46: Drum("Open Hi-Hat", "G", 5, "circle-x"),
    47: Drum("Low-Mid Tom", "D", 5),
    48: Drum("Hi-Mid Tom", "E", 5),
    49: Drum("Crash Cymbal 1", "A", 5, "x"),
    50: Drum("High Tom", "E", 5),
    51: Drum("Ride Cymbal 1", "F", 5, "x"),
    52: Drum("Chinese Cymbal", "B", 5, "x"),
    53: Drum("Ride Bell", "F", 5, "diamond"),
    54: Drum("Tambourine", "B", 4, "triangle"),
    55: Drum("Splash Cymbal", "B", 5, "x"),
    56: Drum("Cowbell", "E", 5, "triangle"),
    57: Drum("Crash Cymbal 2", "A", 5, "x"),
    59: Drum("Ride Cymbal 2", "F", 5, "x"),
}
_ELSEWHERE = Drum("Percussion", "E", 4, "x")


def drum(key: int) -> Drum:
    """The drum of a MIDI key; those that the kit lacks share a line."""
    return _KIT.get(key) or _ELSEWHERE._replace(name=f"Percussion {key}")


def by_foot(key: int) -> bool:
    """Whether a drum is played with a foot: these are the lower voice."""
    return key in _FEET


def key_at(step: str, octave: int, head: str) -> int:
    """The key of an unpitched note without an instrument, by its place and head."""
    at = [(key, own) for key, own in _KIT.items() if (own.step, own.octave) == (step, octave)]
    usual = [key for key, own in at if (own.head == "normal") == (head == "normal")]
    return (usual or [key for key, _ in at] or [38])[0]


def make_unpitched(score_part: Element, part: Element) -> None:
    """Make the pitched notes of a part in a MusicXML tree unpitched ones of a drum kit."""
    keys = sorted({_key_of(pitch) for pitch in part.iter("pitch")})
    identifier = score_part.get("id")
    for kind in ("score-instrument", "midi-instrument"):
        for old in score_part.findall(kind):
            score_part.remove(old)
    for key in keys:
        instrument = SubElement(score_part, "score-instrument", id=f"{identifier}-K{key}")
        SubElement(instrument, "instrument-name").text = drum(key).name
    for key in keys:
        midi = SubElement(score_part, "midi-instrument", id=f"{identifier}-K{key}")
        SubElement(midi, "midi-channel").text = "10"
        SubElement(midi, "midi-program").text = "1"
        SubElement(midi, "midi-unpitched").text = str(key + 1)
    for note in part.iter("note"):
        pitch = note.find("pitch")
        if pitch is not None:
            _unpitch(note, pitch, f"{identifier}-K{_key_of(pitch)}")


def _unpitch(note: Element, pitch: Element, instrument: str) -> None:
    shown = drum(_key_of(pitch))
    place = list(note).index(pitch)
    note.remove(pitch)
    unpitched = Element("unpitched")
    SubElement(unpitched, "display-step").text = shown.step
    SubElement(unpitched, "display-octave").text = str(shown.octave)
    note.insert(place, unpitched)
    for accidental in note.findall("accidental"):
        note.remove(accidental)
    # the order of children is MusicXML's: duration, ties, instrument, voice; stem, notehead, staff
    after = max(list(note).index(child) for child in note if child.tag in ("duration", "tie"))
    note.insert(after + 1, Element("instrument", id=instrument))
    if shown.head != "normal":
        tags = ("type", "dot", "time-modification", "stem", "voice", "instrument")
        last = max(list(note).index(child) for child in note if child.tag in tags)
        head = Element("notehead")
        head.text = shown.head
        note.insert(last + 1, head)


def make_pitched(score_part: Element, part: Element) -> bool:
    """Make the unpitched notes of a part in a MusicXML tree pitched ones, by their keys.

    Returns:
        Whether the part is one of drums: most of its notes are unpitched, or it sounds on channel
        10.
    """
    keys = {}
    channels = set()
    for midi in score_part.findall("midi-instrument"):
        unpitched = (midi.findtext("midi-unpitched") or "").strip()
        channels.add((midi.findtext("midi-channel") or "").strip())
        if unpitched.isdecimal() and 1 <= int(unpitched) <= 128:
            keys[midi.get("id")] = int(unpitched) - 1
    notes = [note for note in part.iter("note") if note.find("rest") is None]
    drums = [note for note in notes if note.find("unpitched") is not None]
    for note in drums:
        unpitched_element = note.find("unpitched")
        instrument = note.find("instrument")
        key = keys.get(None if instrument is None else instrument.get("id"))
        if key is None and instrument is None and len(keys) == 1:
            key = next(iter(keys.values()))
        _pitch(note, unpitched_element, key)
    return (bool(drums) and 2 * len(drums) >= len(notes)) or channels == {"10"}


def _pitch(note: Element, unpitched: Element | None, key: int | None) -> None:
    if unpitched is None:
        return
    if key is None:
        step = (unpitched.findtext("display-step") or "").strip()
        octave = (unpitched.findtext("display-octave") or "").strip()
        head = (note.findtext("notehead") or "normal").strip()
        key = key_at(step, int(octave) if octave.isdecimal() else 0, head)
    place = list(note).index(unpitched)
    note.remove(unpitched)
    name = _STEPS[key % 12]
    pitch = Element("pitch")
    SubElement(pitch, "step").text = name[0]
    if len(name) > 1:
        SubElement(pitch, "alter").text = "1"
    SubElement(pitch, "octave").text = str(key // 12 - 1)
    note.insert(place, pitch)


def _key_of(pitch: Element) -> int:
    """The MIDI pitch of a `pitch` element."""
    step = pitch.findtext("step") or "C"
    alter = round(float(pitch.findtext("alter") or 0))
    return _STEPS.index(step) + alter + 12 * (int(pitch.findtext("octave") or 4) + 1)
