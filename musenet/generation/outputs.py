"""What a request writes and where, and finding out beforehand whether it can."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from musenet.export import audio, piano_roll
from tokenizer.errors import InputError


@dataclass(frozen=True)
class Outputs:
    """What is written, and where; among several variations each name gets its number.

    Attributes:
        midi: the MIDI file; a folder where the prompts are one.
        picture: a piano roll, or None; a folder where the prompts are one.
        stems: a folder for a file an instrument, or None.
        alone: whether the MIDI file holds the new music alone.
        stream: whether it is written with the first note and again with every new bar.
        render: an audio file, .wav or .flac, or None; a folder where the prompts are one.
        soundfont: what it is played with; None looks for one.
        keep: how many of the variations are written, the best of them; None for all.
    """

    midi: Path
    picture: Path | None = None
    stems: Path | None = None
    alone: bool = False
    stream: bool = False
    render: Path | None = None
    soundfont: Path | None = None
    keep: int | None = None

    def check(self, *, folder: bool) -> None:
        """Find out before the work whether all of it can be written.

        Args:
            folder: whether `midi`, `picture` and `render` are folders.

        Raises:
            InputError: if not.
        """
        if self.stems is not None:
            check_folder(self.stems)
        if self.render is not None:
            form = "wav" if folder else audio.check_format(self.render)
            audio.check_installed(form, self.soundfont)
        if folder:
            for path in (self.midi, self.picture, self.render):
                if path is not None:
                    check_folder(path)
            return
        check_writable(self.midi, (".mid", ".midi"))
        if self.picture is not None:
            piano_roll.check_format(self.picture)
            check_writable(self.picture)
        if self.render is not None:
            check_writable(self.render)


def check_folder(path: Path) -> None:
    """Find out before the work whether files can be written into a folder.

    Raises:
        InputError: if it is a file or cannot be written.
    """
    if path.is_file():
        raise InputError(f"cannot write into {path}: it is a file; name a folder")
    check_writable(path / "a file")


def check_writable(path: str | os.PathLike[str], suffixes: tuple[str, ...] = ()) -> None:
    """Find out before the work whether a file can be written at its end.

    Raises:
        InputError: if it is a folder, has another suffix, or its folder cannot be written.
    """
    target = Path(path)
    if suffixes and target.suffix.lower() not in suffixes:
        raise InputError(f"'{target.name}' must end in {' or '.join(suffixes)}")
    if target.is_dir():
        raise InputError(f"cannot write {target}: it is a folder; name a file")
    folder = target.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"cannot write {target}: {folder} is a file, not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"cannot write {target}: no permission to write in {folder}; "
            "choose a folder that you can write to"
        )
