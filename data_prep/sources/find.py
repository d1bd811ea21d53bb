"""Finding MIDI files: folders, globs, zip and tar archives read in place, and lists of files.

Everything is a stream of `MidiFile` and `ManifestRow` in an order that depends on the inputs
alone. An archive is read once from front to back, so nothing is unpacked and nothing is held.
"""

from __future__ import annotations

import bz2
import glob
import gzip
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, cast

from tokenizer.errors import InputError

from .manifest import (
    MANIFEST_NAMES,
    MANIFEST_SUFFIXES,
    Row,
    file_of,
    read_manifest,
    read_manifest_bytes,
)

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".smf", ".rmi")
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")
ARCHIVE_SUFFIXES = (*TAR_SUFFIXES, ".zip")

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # an encrypted zip file
    NotImplementedError,  # a compression that zipfile does not know
)

LARGEST_FILE = 16 << 20
"""A MIDI file longer than this many bytes is refused unread: the longest opera is under 2 MB."""


class MidiFile(NamedTuple):
    """One MIDI file to be read.

    Attributes:
        corpus: the name of the folder or archive that it came from.
        name: its path in there, with `/`, without the corpus's own folder.
        path: where it lies, or None if it came out of an archive.
        data: its bytes, if it came out of an archive.
        size: its length in bytes; above `LARGEST_FILE` it has no data.
        modified: when it was changed last, in nanoseconds, if it lies on disk.
    """

    corpus: str
    name: str
    path: str | None
    data: bytes | None
    size: int
    modified: int = 0

    @classmethod
    def on_disk(cls, corpus: str, name: str, path: str) -> MidiFile:
        """A file that lies on disk.

        Raises:
            OSError: if it does not.
        """
        status = os.stat(path)  # noqa: PTH116 (a Path for each of a million files takes its time)
        return cls(corpus, name, path, None, status.st_size, status.st_mtime_ns)

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


class ManifestRow(NamedTuple):
    """What a manifest says of one file."""

    corpus: str
    name: str
    row: Row


Item = MidiFile | ManifestRow


@dataclass(frozen=True)
class Source:
    """One corpus: where it is and what it is called.

    Attributes:
        corpus: its name, unique among the sources of a run.
        path: the folder, archive, list of files or single file.
        files: for a folder, its files; for a glob, those that matched; else nothing.
    """

    corpus: str
    path: Path
    files: tuple[Path, ...] = ()


def sources(inputs: Sequence[str | os.PathLike[str]]) -> list[Source]:
    """The corpora named by paths and globs, in the given order, each with its own name.

    A folder of archives gives a corpus an archive; a folder inside a folder that has a manifest
    of its own is a corpus of its own.

    Raises:
        InputError: if an input does not exist or holds no MIDI.
    """
    found: list[Source] = []
    for given in inputs:
        some = list(_sources_of(os.fspath(given)))
        if not some:
            raise InputError(
                f"{given} holds no MIDI files and no archives; "
                f"a MIDI file ends in {', '.join(MIDI_SUFFIXES)}"
            )
        found += some
    taken: dict[str, int] = {}
    named = []
    for source in found:
        count = taken[source.corpus] = taken.get(source.corpus, 0) + 1
        corpus = source.corpus if count == 1 else f"{source.corpus}-{count}"
        named.append(Source(corpus, source.path, source.files))
    return named


def _sources_of(given: str) -> Iterator[Source]:
    path = Path(given)
    if not path.exists():
        matches = _matches(given)
        if not matches:
            raise InputError(f"{given} does not exist; name a folder, an archive or a glob")
        yield from _sources_of_matches(given, [Path(match) for match in matches])
    elif path.is_dir():
        yield from _sources_of_folder(path)
    elif is_archive(path) or path.suffix.casefold() in MANIFEST_SUFFIXES:
        yield Source(_stem(path), path)
    elif is_midi(path.name):
        yield Source(path.parent.resolve().name or "files", path.parent, (path,))
    else:
        raise InputError(f"{given} is neither MIDI nor an archive ({', '.join(ARCHIVE_SUFFIXES)})")


def _matches(pattern: str) -> list[str]:
    # Path.glob takes no absolute pattern.
    return sorted(glob.iglob(pattern, recursive=True)) if glob.has_magic(pattern) else []  # noqa: PTH207


def _sources_of_matches(pattern: str, matches: list[Path]) -> Iterator[Source]:
    """A glob's matches: archives and folders as themselves, its single files as one corpus."""
    single = tuple(path for path in matches if path.is_file() and is_midi(path.name))
    if single:
        fixed = Path(pattern.split("*")[0].split("?")[0].split("[")[0])
        folder = fixed if fixed.is_dir() else fixed.parent
        yield Source(folder.resolve().name or "files", folder, single)
    for path in matches:
        if path.is_dir():
            yield from _sources_of_folder(path)
        elif is_archive(path):
            yield Source(_stem(path), path)


def _sources_of_folder(folder: Path) -> Iterator[Source]:
    """A folder's own files as one corpus, then archives and folders with manifests as others."""
    own: list[Path] = []
    others: list[Source] = []
    for name, folders, files in os.walk(folder):
        here = Path(name)
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__MACOSX")))
        if here != folder and any((here / manifest).is_file() for manifest in MANIFEST_NAMES):
            others += _sources_of_folder(here)
            folders.clear()
            continue
        own += [here / file for file in files if is_midi(file)]
        others += [
            Source(_stem(here / file), here / file) for file in files if is_archive(Path(file))
        ]
    if own:
        own.sort(key=Path.as_posix)
        yield Source(folder.resolve().name or "files", folder, tuple(own))
    yield from sorted(others, key=lambda source: source.path.as_posix())


def is_midi(name: str) -> bool:
    """Whether a file's name says that it is MIDI (and is not a hidden companion of one)."""
    base = name.rsplit("/", 1)[-1]
    return base.casefold().endswith(MIDI_SUFFIXES) and not base.startswith(".")


def is_archive(path: Path) -> bool:
    """Whether a file's name says that it is an archive that can be read in place."""
    return path.name.casefold().endswith(ARCHIVE_SUFFIXES)


def _stem(path: Path) -> str:
    name = path.name
    for suffix in sorted((*ARCHIVE_SUFFIXES, *MANIFEST_SUFFIXES), key=len, reverse=True):
        if name.casefold().endswith(suffix):
            return name[: -len(suffix)] or name
    return name


def find(source: Source) -> Iterator[Item]:
    """Every MIDI file and every manifest row of a source, in a fixed order.

    Raises:
        InputError: if an archive is damaged or a manifest cannot be read.
    """
    if source.files:
        yield from _find_files(source)
    elif is_archive(source.path):
        yield from _manifest_beside(source)
        yield from _find_in_archive(source)
    else:
        yield from _find_listed(source)


def _find_files(source: Source) -> Iterator[Item]:
    for name in MANIFEST_NAMES:
        if (source.path / name).is_file():
            for row in read_manifest(source.path / name):
                yield ManifestRow(source.corpus, _inner(source, file_of(row)), row)
    for path in map(str, source.files):
        name = Path(os.path.relpath(path, source.path)).as_posix()
        yield MidiFile.on_disk(source.corpus, name, path)


def _find_listed(source: Source) -> Iterator[Item]:
    """A manifest given as the input itself: its rows name the files, relative to its folder."""
    folder = str(source.path.parent)
    for row in read_manifest(source.path):
        name = file_of(row)
        path = os.path.join(folder, name)  # noqa: PTH118 (as above)
        try:
            file = MidiFile.on_disk(source.corpus, name, path)
        except OSError as error:
            raise InputError(f"{source.path} names {name}, which is not in {folder}") from error
        yield ManifestRow(source.corpus, name, row)
        yield file


def _manifest_beside(source: Source) -> Iterator[Item]:
    for suffix in MANIFEST_SUFFIXES:
        path = source.path.parent / f"{_stem(source.path)}.manifest{suffix}"
        if path.is_file():
            for row in read_manifest(path):
                yield ManifestRow(source.corpus, _inner(source, file_of(row)), row)


def _find_in_archive(source: Source) -> Iterator[Item]:
    try:
        yield from _archive_items(source)
    except _DAMAGE as error:
        what = str(error) or "it is cut off"
        raise InputError(f"{source.path} cannot be read as an archive: {what}") from error


def _archive_items(source: Source) -> Iterator[Item]:
    members = _zip_members if source.path.suffix.casefold() == ".zip" else _tar_members
    for member, size, stream in members(source.path):
        parts = PurePosixPath(member).parts
        if any(part.startswith((".", "__MACOSX")) for part in parts):
            continue
        name = _inner(source, member)
        if is_midi(member):
            data = stream.read() if size <= LARGEST_FILE else None
            yield MidiFile(source.corpus, name, None, data, size)
        elif parts and parts[-1] in MANIFEST_NAMES:
            folder = PurePosixPath(name).parent
            for row in read_manifest_bytes(stream.read(), f"{source.path}:{member}", parts[-1]):
                inner = _inner(source, file_of(row))
                yield ManifestRow(source.corpus, (folder / inner).as_posix(), row)


def _inner(source: Source, name: str) -> str:
    """A member's name without the archive's own top folder, so that it equals the unpacked one."""
    parts = PurePosixPath(name.replace("\\", "/").lstrip("/")).parts
    if len(parts) > 1 and parts[0] == _stem(source.path):
        parts = parts[1:]
    return "/".join(parts)


def _zip_members(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                with archive.open(info) as stream:
                    yield info.filename, info.file_size, stream


def _tar_members(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with _decompressed(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for info in archive:
            member = archive.extractfile(info) if info.isreg() else None
            if member is not None:
                yield info.name, info.size, member
            # tarfile remembers every member it saw; a stream never goes back to one.
            archive.members = []  # type: ignore[attr-defined]


def _decompressed(path: Path) -> IO[bytes]:
    name = path.name.casefold()
    if name.endswith((".xz", ".txz")):
        return cast("IO[bytes]", lzma.open(path))
    if name.endswith((".gz", ".tgz")):
        return cast("IO[bytes]", gzip.open(path))
    if name.endswith(".bz2"):
        return cast("IO[bytes]", bz2.open(path))
    if name.endswith((".zst", ".tzst")):
        import pyarrow

        stream: Any = pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd")
        return cast("IO[bytes]", stream)
    return path.open("rb")
