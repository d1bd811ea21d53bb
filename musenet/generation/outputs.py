"""The files that a request writes, and checks beforehand that they can be written."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from musenet.export import audio, piano_roll
from musenet.export.music_files import MUSIC_SUFFIXES, check_library, is_musicxml
from tokenizer.errors import InputError


@dataclass(frozen=True)
class Outputs:
    """The files to write; with several variations each name gets its number.

    Attributes:
        midi: the MIDI or MusicXML file; a folder if the prompt is one.
        picture: a piano roll, or None; a folder if the prompt is one.
        stems: a folder for one file per instrument track, or None.
        alone: whether the MIDI file leaves out the prompt.
        stream: whether the files are written at the first note and again after each new bar.
        render: an audio file, .wav or .flac, or None; a folder if the prompt is one.
        soundfont: the SoundFont to render with; None searches for one.
        keep: how many of the best variations to write; None for all.
        force: whether files that are there are overwritten.
        play: whether the new music is played in the end.
        port: the MIDI output port to play on; None takes FluidSynth, or the first port.
    """

    midi: Path
    picture: Path | None = None
    stems: Path | None = None
    alone: bool = False
    stream: bool = False
    render: Path | None = None
    soundfont: Path | None = None
    keep: int | None = None
    force: bool = False
    play: bool = False
    port: str | None = None

    def unused(self, variations: Sequence[int], *prompts: Path) -> Outputs:
        """The same with the next number in names that are taken: song-2.mid for song.mid.

        Args:
            variations: their numbers, which follow the name where there are several.
            prompts: the files of prompts, which are never overwritten.

        Raises:
            InputError: if `force` would overwrite a prompt.
        """
        many = (self.keep or len(variations)) > 1
        endings = [f"-{number}" for number in variations] if many else [""]
        if self.force:
            for path in _named(self.midi, endings):
                if path.exists() and any(path.samefile(prompt) for prompt in prompts):
                    raise InputError(f"{path} is the prompt itself; name another file with --out")
            for path in _named(self.stems, endings) if self.stems else ():
                for prompt in prompts:
                    if path.exists() and path.samefile(prompt.absolute().parent):
                        raise InputError(
                            f"{prompt} lies in the folder for the stems; name another with --stems"
                        )
            return self
        return replace(
            self,
            midi=_free(self.midi, endings),
            picture=self.picture and _free(self.picture, endings),
            render=self.render and _free(self.render, endings),
            stems=self.stems and _free(self.stems, endings),
        )

    def check(self, *, folder: bool) -> None:
        """Check before generating that everything can be written.

        Args:
            folder: whether `midi`, `picture` and `render` are folders.

        Raises:
            InputError: if something cannot be written.
        """
        if self.stems is not None:
            check_folder(self.stems)
        if self.play:
            audio.player(self.soundfont, self.port)
        if self.render is not None:
            form = "wav" if folder else audio.check_format(self.render)
            audio.check_installed(form, self.soundfont)
        if folder:
            if self.midi.suffix.lower() in MUSIC_SUFFIXES and not self.midi.is_dir():
                raise InputError(
                    f"{self.midi} is the name of a file, but the prompts are a folder; "
                    "name a folder with --out"
                )
            for path in (self.midi, self.picture, self.render):
                if path is not None:
                    check_folder(path)
            return
        check_writable(self.midi, MUSIC_SUFFIXES)
        check_library(self.midi)
        if self.stream and is_musicxml(self.midi):
            raise InputError("--stream writes MIDI; leave it out, or name a .mid file with --out")
        if self.picture is not None:
            piano_roll.check_format(self.picture)
            check_writable(self.picture)
        if self.render is not None:
            check_writable(self.render)


def numbered(path: Path, variation: int, *, many: bool) -> Path:
    """The path of a variation: as given, or with its number if there are several."""
    return path.with_name(f"{path.stem}-{variation}{path.suffix}") if many else path


def _named(path: Path, endings: Sequence[str]) -> list[Path]:
    return [path.with_name(f"{path.stem}{ending}{path.suffix}") for ending in endings]


def _free(path: Path, endings: Sequence[str]) -> Path:
    """The first of song.mid, song-2.mid, … of which no file is there; an empty folder is free."""
    for number in count(1):
        stem = path.stem if number == 1 else f"{path.stem}-{number}"
        tried = path.with_name(f"{stem}{path.suffix}")
        taken = (each for each in _named(tried, endings) if each.exists())
        if not any(not each.is_dir() or any(each.iterdir()) for each in taken):
            return tried
    raise AssertionError("numbers do not end")


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
