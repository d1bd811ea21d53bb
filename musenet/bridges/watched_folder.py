"""A folder that a workstation exports into: each file is given out once, when it is whole.

It is looked at again and again, which works on network drives too, where systems tell of no change.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from musenet.export.music_files import MUSIC_SUFFIXES
from tokenizer.errors import InputError


class _Stamp(NamedTuple):
    """What changes while a file is written, or when it is written anew."""

    size: int
    modified: int


class WatchedFolder:
    """The MIDI and MusicXML files that appear in a folder, or are written anew.

    Args:
        folder: it must be there; folders inside of it are not looked into.
        existing: whether files that are there already are given out too.

    Raises:
        InputError: if it is no folder.
    """

    def __init__(self, folder: Path, *, existing: bool = False) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder; make it, or name the one to watch")
        self._folder = folder
        self._seen: dict[Path, _Stamp] = {}
        self._given: dict[Path, _Stamp] = {} if existing else self._look()

    @property
    def passed_over(self) -> int:
        """How many files were there already and have not been written anew."""
        return len(self._given)

    def ready(self) -> list[Path]:
        """The files that have not changed since the call before, those of long ago first.

        A file is given out again when it is written anew. Call this once in a second or so: a
        program that writes is expected to write something in that time.
        """
        before, self._seen = self._seen, self._look()
        whole = {
            path: stamp
            for path, stamp in self._seen.items()
            if stamp.size and before.get(path) == stamp and self._given.get(path) != stamp
        }
        self._given = {p: s for p, s in self._given.items() if p in self._seen} | whole
        return sorted(whole, key=lambda path: (whole[path].modified, path))

    def _look(self) -> dict[Path, _Stamp]:
        """The files that are there now.

        Raises:
            InputError: if the folder has gone.
        """
        found = {}
        try:
            for path in self._folder.iterdir():
                hidden = path.name.startswith(".")  # also what is being copied, on some systems
                if not hidden and path.suffix.lower() in MUSIC_SUFFIXES and path.is_file():
                    stat = path.stat()
                    found[path] = _Stamp(stat.st_size, stat.st_mtime_ns)
        except FileNotFoundError as error:
            if not self._folder.is_dir():
                raise InputError(f"the folder {self._folder} has gone") from error
            return self._look()  # a file went away between two looks at it
        return found


def check_folders(folder: Path, out: Path) -> None:
    """Refuse to write into the folder that is watched: results would be taken for new music.

    Raises:
        InputError: if `out` is the same folder.
    """
    if folder.resolve() == out.resolve():
        raise InputError(
            f"results cannot go into the folder that is watched, {folder}; name another"
        )
