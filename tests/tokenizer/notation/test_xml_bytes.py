from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tokenizer.errors import InputError
from tokenizer.notation import xml_bytes
from tokenizer.notation.write import compressed
from tokenizer.notation.xml_bytes import read_bytes_of, xml_root

PLAIN = b'<?xml version="1.0"?><!DOCTYPE score-partwise PUBLIC "x" "http://www.musicxml.org/dtds/partwise.dtd"><score-partwise><part-list/></score-partwise>'
BOMB = b"""<?xml version="1.0"?><!DOCTYPE score-partwise [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><score-partwise>&b;</score-partwise>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE score-partwise [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<score-partwise>&a;</score-partwise>"""


def archive(**files: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as own:
        for name, data in files.items():
            own.writestr(name, data)
    return held.getvalue()


def test_a_document_with_its_usual_doctype_is_read_and_nothing_is_fetched() -> None:
    assert xml_root(PLAIN, "a.xml").tag == "score-partwise"


@pytest.mark.parametrize("data", [BOMB, OUTSIDE])
def test_entities_are_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="defines XML entities"):
        xml_root(data, "a.xml")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "a.xml is damaged XML"),
        (b"<score-partwise>", "a.xml is damaged XML: no element found in line 1"),
        (b"no xml", "a.xml is damaged XML"),
        (b"<html/>", "begins with <html>"),
        (b"<score-timewise/>", "partwise"),
        (b"<a>" * 200 + b"</a>" * 200, "nested too deep"),
        (b"PK\x03\x04rubbish", "damaged .mxl archive"),
        (archive(readme=b"x"), "an archive without a score"),
        (compressed(PLAIN)[:-30], "damaged .mxl archive"),
        (b'<?xml version="1.0" encoding="no-such"?><score-partwise/>', "a.xml is damaged XML"),
    ],
)
def test_what_is_no_musicxml_is_one_sentence(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        xml_root(data, "a.xml")
    assert "\n" not in str(caught.value)


def test_archives_are_read_by_their_container_or_without_one() -> None:
    assert xml_root(compressed(PLAIN), "a.mxl").tag == "score-partwise"
    assert xml_root(archive(**{"song.xml": PLAIN}), "a.mxl").tag == "score-partwise"


def test_a_member_is_read_no_further_than_the_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(xml_bytes, "LARGEST_XML", 1000)
    bomb = archive(**{"song.xml": PLAIN + b" " * 10_000_000})
    assert len(bomb) < 20_000
    with pytest.raises(InputError, match="too large"):
        xml_root(bomb, "a.mxl")
    file = tmp_path / "a.xml"
    file.write_bytes(PLAIN + b" " * 2000)
    with pytest.raises(InputError, match="too large"):
        read_bytes_of(file)
