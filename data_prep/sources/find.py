"""Finding MIDI files: folders, globs, zip and tar archives read in place, and lists of files.

Everything is a stream of `MidiFile` and `ManifestEntry` in an order that depends on the inputs
alone. An archive is read once as a stream: nothing is unpacked or held in memory.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tokenizer.errors import InputError
from tokenizer.midi.read import LARGEST_FILE

from .archives import (
    ARCHIVE_SUFFIXES,
    DAMAGE,
    LARGEST_MANIFEST,
    MIDI_SUFFIXES,
    is_archive,
    is_midi,
    is_packed,
    members,
)
from .manifest import (
    MANIFEST_NAMES,
    MANIFEST_SUFFIXES,
    ManifestRow,
    file_of,
    read_manifest,
    read_manifest_bytes,
)

Inputs = str | os.PathLike[str] | Sequence["str | os.PathLike[str]"]
"""A path or glob, or several."""
_PACKED = "files packed like this are not opened; unpack it"


class MidiFile(NamedTuple):
    """One MIDI file to be read.

    Attributes:
        corpus: the name of the folder or archive that it came from.
        name: its path in there, with `/`, without the name of the corpus.
        path: its path, or None if it is from an archive.
        data: its bytes, if it is from an archive.
        size: its length in bytes; above `LARGEST_FILE` it has no data.
        modified: its modification time in nanoseconds, if it is on disk.
        refused: why it cannot be read, as the report names it, and in words; or None.
    """

    corpus: str
    name: str
    path: str | None
    data: bytes | None
    size: int
    modified: int = 0
    refused: tuple[str, str] | None = None

    @classmethod
    def on_disk(cls, corpus: str, name: str, path: str) -> MidiFile:
        """A file on disk; one that is not there, is no file, or is packed, is refused."""
        if is_packed(name):
            return cls.without_data(corpus, name, "packed", _PACKED)
        try:
            status = os.stat(path)  # noqa: PTH116 (a Path for each of a million files takes time)
        except OSError as error:
            return cls.without_data(corpus, name, "unreadable", error.strerror or str(error))
        if stat.S_ISDIR(status.st_mode):
            return cls.without_data(corpus, name, "unreadable", _about_folder(path))
        if not stat.S_ISREG(status.st_mode):
            return cls.without_data(corpus, name, "unreadable", "it is not a regular file")
        return cls(corpus, printable(name), path, None, status.st_size, status.st_mtime_ns)

    @classmethod
    def without_data(cls, corpus: str, name: str, reason: str, detail: str) -> MidiFile:
        """A file, or an archive, that cannot be read."""
        return cls(corpus, printable(name), None, None, 0, refused=(reason, detail))

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            OSError: if they cannot be read.
        """
        if self.data is not None or self.path is None:
            return self.data or b""
        handle = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:  # `open` and its `read` take twice as many calls of the system
            return b"".join(iter(partial(os.read, handle, self.size + 1), b""))
        finally:
            os.close(handle)


def _about_folder(path: str) -> str:
    """Why a folder stands where a file should: what `_walk` could not list stands for itself."""
    try:
        os.scandir(path).close()
    except OSError as error:
        return f"what is in this folder is not known: {error.strerror or error}"
    return "it is a folder"


def printable(name: str) -> str:
    """A name as UTF-8 can hold it: bytes that are not UTF-8 become escapes such as `\\xe9`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class ManifestEntry(NamedTuple):
    """A manifest's row about one file."""

    corpus: str
    name: str
    row: ManifestRow


@dataclass(frozen=True)
class Corpus:
    """One corpus: where it is and what it is called.

    Attributes:
        name: unique among the corpora of a run.
        path: the folder, archive, list of files or single file.
        files: for a folder, its files; for a glob, those that matched; else nothing.
    """

    name: str
    path: Path
    files: tuple[Path, ...] = ()


def find_corpora(inputs: Inputs) -> list[Corpus]:
    """The corpora at a path or glob, or at several, in the given order, each with its own name.

    A folder of archives gives a corpus for each archive; a folder inside a folder is a corpus by
    itself if it has a manifest.

    Raises:
        InputError: if an input does not exist or contains no MIDI.
    """
    found: list[Corpus] = []
    for given in [inputs] if isinstance(inputs, (str, os.PathLike)) else inputs:
        some = list(_corpora_of(os.fspath(given)))
        if not some:
            raise InputError(
                f"{given} contains no MIDI files and no archives; "
                f"a MIDI file ends in {', '.join(MIDI_SUFFIXES)}"
            )
        found += some
    taken: dict[str, int] = {}
    named = []
    for corpus in found:
        count = taken[corpus.name] = taken.get(corpus.name, 0) + 1
        name = corpus.name if count == 1 else f"{corpus.name}-{count}"
        named.append(replace(corpus, name=printable(name)))
    return named


def _corpora_of(given: str) -> Iterator[Corpus]:
    path = Path(given)
    if not path.exists():
        matches = _matches(given)
        if not matches:
            raise InputError(f"{given} does not exist; give a folder, an archive or a glob")
        yield from _corpora_of_matches(given, [Path(match) for match in matches])
    elif path.is_dir():
        yield from _corpora_of_folder(path)
    elif is_archive(path) or path.suffix.casefold() in MANIFEST_SUFFIXES:
        yield Corpus(_stem(path), path)
    elif is_midi(path.name):
        yield Corpus(path.parent.resolve().name or "files", path.parent, (path,))
    else:
        raise InputError(f"{given} is neither MIDI nor an archive ({', '.join(ARCHIVE_SUFFIXES)})")


def _matches(pattern: str) -> list[str]:
    # Path.glob takes no absolute pattern.
    return sorted(glob.iglob(pattern, recursive=True)) if glob.has_magic(pattern) else []  # noqa: PTH207


def _corpora_of_matches(pattern: str, matches: list[Path]) -> Iterator[Corpus]:
    """A glob's matches: archives and folders as themselves, its single files as one corpus."""
    single = tuple(path for path in matches if not path.is_dir() and is_midi(path.name))
    if single:
        fixed = Path(pattern.split("*")[0].split("?")[0].split("[")[0])
        folder = fixed if fixed.is_dir() else fixed.parent
        yield Corpus(folder.resolve().name or "files", folder, single)
    for path in matches:
        if path.is_dir():
            yield from _corpora_of_folder(path)
        elif is_archive(path):
            yield Corpus(_stem(path), path)


def _corpora_of_folder(folder: Path, known: list[Path] | None = None) -> Iterator[Corpus]:
    """The files of a folder as one corpus, then archives and folders with manifests as others.

    Args:
        folder: the folder; one inside it that cannot be listed is given as a file of it.
        known: the folders, without links, that this one and those beside it were reached through.
    """
    loose: list[Path] = []
    others: list[Corpus] = []
    known = known or [folder.resolve()]
    for here, folders, files in _walk(folder, loose, known):
        if here != folder and any((here / manifest).is_file() for manifest in MANIFEST_NAMES):
            others += _corpora_of_folder(here, known)
            folders.clear()
            continue
        loose += [here / file for file in files if is_midi(file) or is_packed(file)]
        others += [
            Corpus(_stem(here / file), here / file) for file in files if is_archive(Path(file))
        ]
    if loose:
        loose.sort(key=Path.as_posix)
        yield Corpus(folder.resolve().name or "files", folder, tuple(loose))
    yield from sorted(others, key=lambda corpus: corpus.path.as_posix())


def _walk(
    folder: Path, unlisted: list[Path], known: list[Path]
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Each folder with the names of its folders, which may be cleared, and of its files.

    A linked folder is entered once, if it lies outside of those known; links in circles end there.

    Args:
        folder: where to begin.
        unlisted: is given the folders that cannot be listed.
        known: the folders, without links, that were entered; the first is where all began.
    """
    for name, folders, files in os.walk(
        folder, onerror=lambda e: unlisted.append(Path(e.filename))
    ):
        here = Path(name)
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__MACOSX")))
        yield here, folders, files
        for link in (here / f for f in folders):
            if link.is_symlink():
                real = link.resolve()
                if real not in known[0].parents and not any(
                    real == root or root in real.parents for root in known
                ):
                    known.append(real)
                    yield from _walk(link, unlisted, known)


def find_midi_files(inputs: Sequence[str | os.PathLike[str]]) -> Iterator[MidiFile]:
    """Every MIDI file of the corpora at paths and globs.

    Raises:
        InputError: if an input does not exist or contains no MIDI.
    """
    for corpus in find_corpora(inputs):
        yield from (item for item in find_items(corpus) if isinstance(item, MidiFile))


def _stem(path: Path) -> str:
    name = path.name
    for suffix in sorted((*ARCHIVE_SUFFIXES, *MANIFEST_SUFFIXES), key=len, reverse=True):
        if name.casefold().endswith(suffix):
            return name[: -len(suffix)] or name
    return name


def find_items(corpus: Corpus) -> Iterator[MidiFile | ManifestEntry]:
    """Every MIDI file and every manifest row of a corpus, in a fixed order.

    What cannot be read, an archive too, is a refused file.

    Raises:
        InputError: if a manifest cannot be read.
    """
    if corpus.files:
        yield from _find_files(corpus)
    elif is_archive(corpus.path):
        yield from _manifest_beside(corpus)
        yield from _find_in_archive(corpus)
    else:
        yield from _find_listed(corpus)


def _find_files(corpus: Corpus) -> Iterator[MidiFile | ManifestEntry]:
    for name in MANIFEST_NAMES:
        if (corpus.path / name).is_file():
            for row in read_manifest(corpus.path / name):
                yield ManifestEntry(corpus.name, _inner(corpus, file_of(row)), row)
    for path in map(str, corpus.files):
        name = Path(os.path.relpath(path, corpus.path)).as_posix()
        yield MidiFile.on_disk(corpus.name, name, path)


def _find_listed(corpus: Corpus) -> Iterator[MidiFile | ManifestEntry]:
    """A manifest given as the input itself: its rows name the files, relative to its folder."""
    folder = str(corpus.path.parent)
    for row in read_manifest(corpus.path):
        name = file_of(row)
        path = os.path.join(folder, name)  # noqa: PTH118 (as above)
        yield ManifestEntry(corpus.name, name, row)
        yield MidiFile.on_disk(corpus.name, name, path)


def _manifest_beside(corpus: Corpus) -> Iterator[MidiFile | ManifestEntry]:
    for suffix in MANIFEST_SUFFIXES:
        path = corpus.path.parent / f"{_stem(corpus.path)}.manifest{suffix}"
        if path.is_file():
            for row in read_manifest(path):
                yield ManifestEntry(corpus.name, _inner(corpus, file_of(row)), row)


def _find_in_archive(corpus: Corpus) -> Iterator[MidiFile | ManifestEntry]:
    found = False
    detail = "it contains no MIDI files"
    try:
        for item in _archive_items(corpus):
            found |= isinstance(item, MidiFile)
            yield item
    except DAMAGE as error:
        found, detail = False, f"it cannot be read as an archive: {str(error) or 'it is cut off'}"
    if not found:
        yield MidiFile.without_data(corpus.name, corpus.path.name, "bad_archive", detail)


def _archive_items(corpus: Corpus) -> Iterator[MidiFile | ManifestEntry]:
    for member, size, stream in members(corpus.path):
        parts = PurePosixPath(member).parts
        if any(part.startswith((".", "__MACOSX")) for part in parts):
            continue
        name = _inner(corpus, member)
        if isinstance(stream, str):
            yield MidiFile.without_data(corpus.name, name, "unreadable", stream)
        elif is_archive(PurePosixPath(member)):
            what = "an archive inside an archive is not opened; unpack it"
            yield MidiFile.without_data(corpus.name, name, "nested_archive", what)
        elif is_packed(member):
            yield MidiFile.without_data(corpus.name, name, "packed", _PACKED)
        elif is_midi(member):
            data = stream.read(LARGEST_FILE) if size <= LARGEST_FILE else None
            yield MidiFile(corpus.name, name, None, data, size)
        elif parts and parts[-1] in MANIFEST_NAMES:
            if size > LARGEST_MANIFEST:
                raise InputError(
                    f"{corpus.path}:{member} has {size} bytes, too many for a manifest"
                )
            folder = PurePosixPath(name).parent
            for row in read_manifest_bytes(stream.read(), f"{corpus.path}:{member}", parts[-1]):
                inner = _inner(corpus, file_of(row))
                yield ManifestEntry(corpus.name, (folder / inner).as_posix(), row)


def _inner(corpus: Corpus, name: str) -> str:
    """A member's name without the archive's own top folder, so that it equals the unpacked one."""
    parts = PurePosixPath(name.replace("\\", "/").lstrip("/")).parts
    if len(parts) > 1 and parts[0] == _stem(corpus.path):
        parts = parts[1:]
    return printable("/".join(parts))
