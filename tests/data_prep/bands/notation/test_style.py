"""Style files: what is wrong in one is said in a sentence with the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.bands.notation.style import FOLDER, load, pitch, read, sections
from tokenizer.errors import InputError

PLAIN = """
title = "Plain"
genre = "rock"
tempo = [100, 120]
forms = ["verse8 chorus8"]
[chords.major]
verse = ["I | V"]
[drums]
[[drums.grooves]]
kick = "x.x."
[[parts]]
role = "bass"
instruments = ["Acoustic Bass"]
patterns = ["1 - 5 a"]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "plain.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plain_style(tmp_path: Path) -> None:
    style = load(str(written(tmp_path, PLAIN)))
    assert (style.name, style.title, style.parts[0].pitches) == ("plain", "Plain", (28, 48))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "Plain"', "", "title"),
        ("[100, 120]", "[120, 100]", "tempo"),
        ("[100, 120]", '"fast"', "tempo"),
        ("[100, 120]", '[100, 120]\nmoods = ["Sat"]', "did you mean 'Sad'"),
        ('"rock"', '"nonsense"', "nonsense"),
        ("verse8 chorus8", "verse chorus8", "verse"),
        ("I | V", "I | H", "chords.major.verse: 'H'"),
        ("I | V", "I | V I I I I I I", "bar of 7"),
        ("x.x.", "x.y.", "drums: .*'y'"),
        ("kick", "kik", "did you mean 'kick'"),
        ("Acoustic Bass", "Acoustic Bas", "did you mean"),
        ("1 - 5 a", "1 - z a", r"parts\[0\] \(bass\): 'z'"),
        ("1 - 5 a", "1 - c a", "cannot be played by bass"),
        ('role = "bass"', 'role = "boss"', "boss"),
        ('role = "bass"', 'role = "bass"\nvolum = 3', "volum"),
        ("[chords.major]", "[chords.minor]", "modes has major"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in PLAIN
    path = written(tmp_path, PLAIN.replace(old, new, 1))
    with pytest.raises(InputError, match=says) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_style_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'reggae'"):
        load("regae")
    with pytest.raises(InputError, match="no such file"):
        load("mine.toml")


def test_pitches_and_forms() -> None:
    assert [pitch(name) for name in ("C4", "A0", "Bb1", "F#2", "Cb4")] == [60, 21, 34, 42, 59]
    assert sections("intro4 solo12?") == (("intro", 4, False), ("solo", 12, True))


def test_every_shipped_file_is_read() -> None:
    for path in FOLDER.glob("*.toml"):
        assert read(path).name == path.stem
