"""Archives of MIDI files: zip and tar, compressed or not, read as streams in place."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import IO, Any, cast

from tokenizer.midi.read import LARGEST_FILE

from .manifest import MANIFEST_NAMES

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".smf", ".rmi")
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")
ARCHIVE_SUFFIXES = (*TAR_SUFFIXES, ".zip")

PACKED_SUFFIXES = (".7z", ".rar", *(f"{suffix}.gz" for suffix in MIDI_SUFFIXES))
"""Archives and packed files that are not opened."""

LARGEST_MANIFEST = 2**30  # bytes

_ENCRYPTED = 1
"""The bit of a zip member's flags that says it needs a password."""

DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # a zip file that has become encrypted on the way
    NotImplementedError,  # a compression that zipfile does not know
)
"""What reading a damaged archive raises."""


def is_midi(name: str) -> bool:
    """Whether a file's name says that it is MIDI (and not a hidden macOS metadata file)."""
    base = name.rsplit("/", 1)[-1]
    return base.casefold().endswith(MIDI_SUFFIXES) and not base.startswith(".")


def is_archive(path: PurePath) -> bool:
    """Whether a file's name says that it is an archive that can be read in place."""
    return path.name.casefold().endswith(ARCHIVE_SUFFIXES)


def is_packed(name: str) -> bool:
    """Whether a file's name says that it is packed in a way that is not opened."""
    base = name.rsplit("/", 1)[-1]
    return base.casefold().endswith(PACKED_SUFFIXES) and not base.startswith(".")


def members(path: Path) -> Iterator[tuple[str, int, IO[bytes] | str]]:
    """Name, size and stream of each file in an archive; for one that cannot be read, why.

    Raises:
        one of `DAMAGE`: if the archive is damaged.
    """
    return _zip_members(path) if path.suffix.casefold() == ".zip" else _tar_members(path)


def _zip_members(path: Path) -> Iterator[tuple[str, int, IO[bytes] | str]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            name = info.filename
            largest = LARGEST_MANIFEST if name.endswith(MANIFEST_NAMES) else LARGEST_FILE
            wanted = is_midi(name) or name.endswith(MANIFEST_NAMES)
            stream: IO[bytes] | str
            if wanted and info.flag_bits & _ENCRYPTED:
                stream = "it is encrypted; unpack the archive with its password"
            else:
                try:
                    data = archive.read(info) if wanted and info.file_size <= largest else b""
                    stream = io.BytesIO(data)
                except DAMAGE as error:
                    stream = str(error)
            yield name, info.file_size, stream


def _tar_members(path: Path) -> Iterator[tuple[str, int, IO[bytes] | str]]:
    with _decompressed(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for info in archive:
            member = archive.extractfile(info) if info.isreg() else None
            if member is not None:
                yield info.name, info.size, member
            # tarfile keeps every member; a stream never goes back to one.
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
