"""Files and folders written whole or not at all, and formats by suffix."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import InputError


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`, and rename it to `path` when the block succeeds.

    The temporary name keeps the target's suffix. If the block raises, the temporary file is
    removed and the target is left as it was.

    Raises:
        InputError: if the folder cannot be made or written, or the disk is full.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent
        )
        os.close(handle)
    except OSError as error:
        raise _unwritable(target, error) from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except IsADirectoryError as error:
        raise InputError(f"cannot write {target}: it is a folder; name a file") from error
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_replaceable(path: str | os.PathLike[str], sign: str) -> None:
    """Refuse to replace a folder of other things: it has files, and none that is called `sign`.

    Raises:
        InputError: naming the folder.
    """
    folder = Path(path)
    if folder.is_dir() and not (folder / sign).exists() and any(folder.iterdir()):
        raise InputError(f"{folder} contains other files; choose a new folder")


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a new folder beside `path`, and put it in its place when the block succeeds.

    A folder that is there already goes only when the new one is complete. If the block raises, the
    new folder is removed and the old one is left as it was.

    Raises:
        InputError: if the folder cannot be made or written, or `path` is a file.
    """
    target = Path(path)
    if target.is_file():
        raise InputError(f"cannot write {target}: it is a file; name a folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise _unwritable(target, error) from error
    old = temporary.with_name(temporary.name + "-old")
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if target.exists():
            target.rename(old)
        temporary.rename(target)
    except OSError as error:
        if old.exists() and not target.exists():
            old.rename(target)
        raise _unwritable(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a whole file atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a whole UTF-8 file atomically, with `\\n` line ends on every platform."""
    write_bytes(path, text.encode())


def format_of(path: str | os.PathLike[str], what: str, formats: Sequence[str]) -> str:
    """The suffix of a path, lower-case and without its dot.

    Args:
        path: the file to write.
        what: what is written there, as the error names it.
        formats: the suffixes that it can have.

    Raises:
        InputError: if it is another.
    """
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in formats:
        known = " or ".join(f".{form}" for form in formats)
        raise InputError(f"{what} is {known}, not '{Path(path).name}'")
    return suffix


def _unwritable(target: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {target}: {error.strerror or error}; {advice(error)}")


def advice(error: OSError) -> str:
    """What to do about a file that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room and run this again"
    return "choose a folder that you can write to"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
