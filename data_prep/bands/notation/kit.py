"""The drum kit: General MIDI's percussion keys by the names that style files use."""

from __future__ import annotations

from tokenizer.errors import InputError, unknown

KITS = {
    "standard": 0, "room": 8, "power": 16, "electronic": 24, "808": 25, "jazz": 32, "brush": 40,
    "orchestra": 48,
}  # fmt: skip
"""The percussion channel's program, by kit (General MIDI level 2)."""

KEYS = {
    "kick": 36, "kick2": 35, "rim": 37, "snare": 38, "clap": 39, "snare2": 40, "floor": 41,
    "hat": 42, "tom3": 43, "pedal": 44, "tom2": 45, "open": 46, "tom1": 48, "mid": 47,
    "crash": 49, "high": 50, "ride": 51, "china": 52, "bell": 53, "tambourine": 54, "splash": 55,
    "cowbell": 56, "crash2": 57, "vibraslap": 58, "ride2": 59, "bongo": 60, "bongo_low": 61,
    "conga_mute": 62, "conga": 63, "conga_low": 64, "timbale": 65, "timbale_low": 66, "agogo": 67,
    "agogo_low": 68, "cabasa": 69, "maracas": 70, "whistle": 71, "guiro": 73, "guiro_long": 74,
    "clave": 75, "woodblock": 76, "woodblock_low": 77, "cuica_mute": 78, "cuica": 79,
    "triangle_mute": 80, "triangle": 81, "shaker": 82, "jingle": 83, "castanets": 85,
    "surdo_mute": 86, "surdo": 87,
}  # fmt: skip
"""The key of each part of the kit."""

HATS = ("hat", "open", "pedal")
CYMBALS = ("ride", "bell", "hat", "shaker", "maracas", "cabasa", "tambourine")
"""What keeps time: accents follow the meter there."""

VELOCITIES = {"g": 34, "o": 62, "x": 86, "X": 110, "f": 104, "r": 72, "?": 70}
"""How hard each character of a drum line is played, before dynamics."""


def check_line(name: str, text: str) -> None:
    """Raise InputError if a drum line is for no part of the kit, or has another character."""
    if name not in KEYS:
        raise unknown("part of the drum kit", name, KEYS)
    wrong = set(text) - set(VELOCITIES) - set(".-| ")
    if wrong:
        raise InputError(
            f"the line '{text}' has '{min(wrong)}'; write . for a rest, x, X for an accent, o for "
            "a soft note, g for a ghost note, f for a flam, r for a roll, ? for one that may go"
        )
