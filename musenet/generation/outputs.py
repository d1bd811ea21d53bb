"""The files that a request writes, and checks beforehand that they can be written."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from musenet.export import audio, piano_roll
from tokenizer.errors import InputError


@dataclass(frozen=True)
class Outputs:
    """The files to write; with several variations each name gets its number.

    Attributes:
        midi: the MIDI file; a folder if the prompt is one.
        picture: a piano roll, or None; a folder if the prompt is one.
        stems: a folder for one file per instrument track, or None.
        alone: whether the MIDI file leaves out the prompt.
        stream: whether the files are written at the first note and again after each new bar.
        render: an audio file, .wav or .flac, or None; a folder if the prompt is one.
        soundfont: the SoundFont to render with; None searches for one.
        keep: how many of the best variations to write; None for all.
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
        """Check before generating that everything can be written.

        Args:
            folder: whether `midi`, `picture` and `render` are folders.

        Raises:
            InputError: if something cannot be written.
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
    """Check before generating that files can be written into a folder.

    Raises:
        InputError: if it is a file or cannot be written.
    """
    if path.is_file():
        raise InputError(f"cannot write into {path}: it is a file; name a folder")
    check_writable(path / "a file")


def check_writable(path: str | os.PathLike[str], suffixes: tuple[str, ...] = ()) -> None:
    """Check before generating that a file can be written afterwards.

    Raises:
        InputError: if it is a folder, has a wrong suffix, or its folder is not writable.
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


def stem_name(number: int, track: str) -> str:
    """The file of a stem: the number and the name of its track.

    Characters that some file system forbids are left out.
    """
    plain = re.sub(r'[<>:"/\\|?*\x00-\x1f]', " ", track).strip(" .")[:80] or "track"
    return f"{number:02d} {plain}.mid"
