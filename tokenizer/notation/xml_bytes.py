"""The XML in a MusicXML file, .mxl archives included, read as what a stranger may have made.

Bounded in size before anything is read or unpacked; a document that defines entities is refused, so
that none can expand, and nothing outside the file is ever loaded.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.parsers import expat

from tokenizer.errors import InputError

LARGEST_XML = 64 * 2**20
"""Bytes of XML that are read at most."""
DEEPEST = 100
"""Elements inside one another; MusicXML needs about ten."""
_ROOTS = ("score-partwise", "score-timewise", "opus")


def xml_root(data: bytes, said: str) -> Element:
    """The root of the MusicXML document in a file's bytes.

    Args:
        data: XML text, or an .mxl archive.
        said: the file's name in error messages.

    Raises:
        InputError: if it is no MusicXML, damaged, too large, or defines entities.
    """
    text = _unpacked(data, said) if data.startswith(b"PK\x03\x04") else data
    if len(text) > LARGEST_XML:
        raise InputError(f"{said} is too large: {LARGEST_XML // 2**20} MB of XML are read at most")
    root = _parsed(text, said)
    if root.tag not in _ROOTS:
        raise InputError(
            f"{said} is XML, but no MusicXML: it begins with <{str(root.tag)[:40]}>, not with "
            "<score-partwise>"
        )
    if root.tag != "score-partwise":
        raise InputError(
            f"{said} is MusicXML of the kind {root.tag}; save it again as a partwise score"
        )
    return root


def read_bytes_of(path: Path) -> bytes:
    """The bytes of a MusicXML file.

    Raises:
        InputError: if it cannot be read or is too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_XML + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > LARGEST_XML:
        raise InputError(f"{path} is too large: {LARGEST_XML // 2**20} MB of XML are read at most")
    return data


def _unpacked(data: bytes, said: str) -> bytes:
    """The score in an .mxl archive: what its container names, else its first XML file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            inner = [
                name
                for name in names
                if name.lower().endswith((".xml", ".musicxml")) and not name.startswith("META-INF")
            ]
            if "META-INF/container.xml" in names:
                container = _parsed(_member(archive, "META-INF/container.xml", said), said)
                files = (own.get("full-path") for own in container.iter("rootfile"))
                inner = [name for name in files if name in names] or inner
            if not inner:
                raise InputError(f"{said} is an archive without a score; export it again")
            return _member(archive, inner[0], said)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise InputError(f"{said} is a damaged .mxl archive; export it again") from error


def _member(archive: zipfile.ZipFile, name: str, said: str) -> bytes:
    with archive.open(name) as file:
        data = file.read(LARGEST_XML + 1)  # the size that the archive states may be a lie
    if len(data) > LARGEST_XML:
        raise InputError(f"{said} is too large: {LARGEST_XML // 2**20} MB of XML are read at most")
    return data


def _parsed(text: bytes, said: str) -> Element:
    """The root of a document without entities of its own."""
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise InputError(f"{said} is no MusicXML: its elements are nested too deep")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def entity(*_: object) -> None:
        raise InputError(
            f"{said} defines XML entities, which a score does not need and which can be used to "
            "attack its reader; it is not read"
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = entity
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(text, True)
        return builder.close()
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise InputError(f"{said} is damaged XML: {reason} in line {error.lineno}") from error
    except InputError:  # of a handler
        raise
    except LookupError as error:
        raise InputError(f"{said} is damaged XML: {error}") from error
    except (ParseError, AssertionError, ValueError) as error:
        raise InputError(f"{said} is no XML document") from error
