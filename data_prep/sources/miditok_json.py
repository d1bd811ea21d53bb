"""MidiTok's JSON files as MIDI: what MidiTok users have, brought to where `prepare` begins."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizer.errors import InputError

PARAMETERS = "tokenizer.json"
"""MidiTok's own name for the file of a tokenizer's parameters."""


def midi_files(
    folder: str | os.PathLike[str], parameters: Path | None = None
) -> Iterator[tuple[str, bytes]]:
    """The name and the MIDI file of every JSON file of tokens in a folder, in order.

    Args:
        folder: with the JSON files, at any depth.
        parameters: what MidiTok's `tokenizer.save` wrote; by default its `tokenizer.json`.

    Raises:
        InputError: if MidiTok is not installed, the parameters or the folder cannot be read, or a
            file is no tokens of that tokenizer.
    """
    source = Path(folder)
    path = parameters or source / PARAMETERS
    tokenizer = _tokenizer(path)
    files = sorted(file for file in source.rglob("*.json") if file.resolve() != path.resolve())
    if not files:
        raise InputError(f"{source} has no JSON files of tokens")
    for file in files:
        name = file.relative_to(source).with_suffix(".mid").as_posix()
        yield name, _midi(tokenizer, file)


def _tokenizer(path: Path) -> Any:
    try:
        import miditok
    except ImportError as error:
        raise InputError("MidiTok is not installed; pip install 'musenet[miditok]'") from error
    try:
        kind = json.loads(path.read_text(encoding="utf-8"))["tokenization"]
        return getattr(miditok, kind)(params=path)
    except OSError as error:
        raise InputError(
            f"cannot read MidiTok's parameters {path}: {error.strerror}; save them with "
            "tokenizer.save, and name them with --parameters"
        ) from error
    except Exception as error:  # MidiTok has no error class of its own
        raise InputError(f"{path} holds no parameters of a MidiTok tokenizer ({error})") from error


def _midi(tokenizer: Any, file: Path) -> bytes:
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        programs = [tuple(program) for program in table.get("programs") or []]
        more = {"programs": programs} if programs else {}
        tokens = table["ids"]
        if table.get("ids_encoded"):
            tokens = _decoded(tokenizer, tokens)
        data: bytes = tokenizer.decode(tokens, **more).dumps_midi()
    except Exception as error:  # whatever MidiTok finds wrong
        raise InputError(f"{file} holds no tokens of this MidiTok tokenizer ({error!r})") from error
    return data


def _decoded(tokenizer: Any, ids: list[Any]) -> Any:
    """Tokens that were trained together (BPE) as the single ones that they stand for."""
    import miditok

    many = bool(ids) and isinstance(ids[0], list)
    found = [
        miditok.TokSequence(ids=part, are_ids_encoded=True) for part in (ids if many else [ids])
    ]
    for sequence in found:
        tokenizer.decode_token_ids(sequence)
    return found if many else found[0]
