"""Putting the script into REAPER's folder, with the command that starts this program."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path

from musenet import __version__
from tokenizer.errors import InputError
from tokenizer.files import write_bytes

SCRIPT = Path(__file__).with_name("musenet.lua")
NAME = "musenet.lua"
_COMMAND = 'local COMMAND = "musenet bridge run"'
_HEAD = re.compile(rb"-- Installed by musenet \S+, digest ([0-9a-f]{16})\.\n(.*)", re.DOTALL)


def resource_folder() -> Path:
    """REAPER's resource folder on this system, as REAPER makes it at its first start."""
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home() / "AppData" / "Roaming")) / "REAPER"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "REAPER"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "REAPER"


def command(weights: str) -> str:
    """The command line that answers a request with this program, but for the request's file."""
    if Path(weights).is_dir():
        weights = str(Path(weights).resolve())  # REAPER starts programs in another folder
    words = [sys.executable, "-m", "musenet.cli.start", "bridge", "run", "--weights", weights]
    # REAPER starts it without a shell; a word with blanks stands in double quotes.
    return " ".join(f'"{word}"' if " " in word else word for word in words)


def script(weights: str = "mini") -> bytes:
    """The script as it is installed: the command in it, and a digest that tells changes."""
    text = SCRIPT.read_text(encoding="utf-8")
    if text.count(_COMMAND) != 1:
        raise AssertionError("the script has one line with the command")
    words = command(weights)
    text = text.replace(_COMMAND, f"local COMMAND = [==[{words}]==]")
    data = text.encode()
    digest = hashlib.sha256(data).hexdigest()[:16]
    return f"-- Installed by musenet {__version__}, digest {digest}.\n".encode() + data


def install(folder: Path | None, *, force: bool = False, weights: str = "mini") -> Path:
    """Write the script.

    Args:
        folder: where to; None writes into `Scripts` of REAPER's resource folder.
        force: whether a file that was changed is overwritten.
        weights: that make the music.

    Returns:
        The file.

    Raises:
        InputError: if REAPER's folder is not there, or the file was changed by somebody.
    """
    if folder is None:
        reaper = resource_folder()
        if not reaper.is_dir():
            raise InputError(
                f"REAPER's folder is not at {reaper}; name the one that REAPER opens with Options, "
                "Show REAPER resource path: --to FOLDER/Scripts"
            )
        folder = reaper / "Scripts"
    path = folder / NAME
    if path.exists() and not force and not _untouched(path.read_bytes()):
        raise InputError(
            f"{path} was changed since it was installed; --force overwrites it, or name another "
            "folder with --to"
        )
    write_bytes(path, script(weights))
    return path


def _untouched(data: bytes) -> bool:
    """Whether a file is as an installation left it."""
    found = _HEAD.fullmatch(data)
    return found is not None and hashlib.sha256(found[2]).hexdigest()[:16] == found[1].decode()
