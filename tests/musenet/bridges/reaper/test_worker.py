"""The program's side: an answer is left whatever happens, and signs of life before."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import mido
import pytest

from musenet.bridges.reaper import worker
from musenet.bridges.reaper.request import FIRST_LINE
from musenet.bridges.reaper.worker import Worker
from tokenizer.errors import InputError

REQUEST = f"""{FIRST_LINE}
action\tcontinue
option\tbars\tBARS
option\tvariations\t2
option\tseed\t3
end\t16.0
bar\t0.0\t4\t4\t120.0
track\t0\tselected\tLead
""" + "".join(f"note\t0\t{n}.0\t{n + 1}.0\t0\t{60 + n % 5}\t80\n" for n in range(16))


def request(folder: Path, text: str) -> Path:
    path = folder / "A1.request.txt"
    path.write_text(text, encoding="utf-8")
    return path


def answered(folder: Path) -> str:
    return (folder / "A1.answer.txt").read_text(encoding="utf-8")


def test_takes_and_their_files(tmp_path: Path, lively: Path) -> None:
    Worker(request(tmp_path, REQUEST.replace("BARS", "2"))).run(str(lively))
    said = answered(tmp_path)
    assert said.startswith("ok\nspan\t16.000000\t24.000000\n")
    assert re.findall(r"^take\t(.*)$", said, re.MULTILINE) == [
        "MuseNet continue 1",
        "MuseNet continue 2",
    ]
    assert "remove" not in said
    starts = [float(line.split("\t")[2]) for line in said.splitlines() if line.startswith("add")]
    assert starts
    assert min(starts) >= 16.0
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [
        f"A1.{n}" for n in ("1.mid", "2.mid", "answer.txt", "progress.txt", "request.txt")
    ]
    assert mido.MidiFile(tmp_path / "A1.2.mid").length > 8.0
    assert re.fullmatch(r"\d+\t[01]\.\d{3}\n", (tmp_path / "A1.progress.txt").read_text())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (REQUEST.replace("BARS", "0"), "Bars 0 is outside 1 to 10,000"),
        (REQUEST.replace("BARS", "x"), "bars"),
        ("", "The script in REAPER and this program are of different versions"),
        (re.sub("note.*\n", "", REQUEST).replace("BARS", "2"), "no notes"),
    ],
)
def test_what_is_wrong_is_the_answer(tmp_path: Path, lively: Path, text: str, words: str) -> None:
    Worker(request(tmp_path, text)).run(str(lively))
    said = answered(tmp_path)
    assert re.fullmatch("error\t[^\n]+\n", said)
    assert words in said


def test_weights_that_are_missing_and_other_errors(
    tmp_path: Path, lively: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = request(tmp_path, REQUEST.replace("BARS", "2"))
    Worker(path).run("missing")
    assert answered(tmp_path).startswith("error\t")
    monkeypatch.setattr(worker, "grow_any", lambda *_: 1 / 0)
    Worker(path).run(str(lively))
    assert "MuseNet met an error of its own: ZeroDivisionError" in answered(tmp_path)


def test_it_is_stopped_by_a_file(tmp_path: Path, lively: Path) -> None:
    path = request(tmp_path, REQUEST.replace("BARS", "10000"))
    (tmp_path / "A1.cancel.txt").touch()
    Worker(path).run(str(lively))
    assert answered(tmp_path) == "cancelled\n"


def test_signs_of_life_come_while_it_works(
    tmp_path: Path, lively: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(worker, "grow_any", lambda *_: go_on.wait(60) and [])
    monkeypatch.setattr(worker, "_SIGN_SECONDS", 0.01)
    path = request(tmp_path, REQUEST.replace("BARS", "2"))
    thread = threading.Thread(target=Worker(path).run, args=[str(lively)])
    thread.start()
    seen: set[str] = set()
    end = time.monotonic() + 60
    while len(seen) < 3 and time.monotonic() < end:
        if (tmp_path / "A1.progress.txt").exists():
            seen.add((tmp_path / "A1.progress.txt").read_text())
        time.sleep(0.005)
    go_on.set()
    thread.join()
    assert len(seen) >= 3
    assert answered(tmp_path) == "ok\n"


def test_only_requests_are_answered(tmp_path: Path) -> None:
    (tmp_path / "song.mid").touch()
    for name in ("song.mid", "missing.request.txt"):
        with pytest.raises(InputError, match="no request of REAPER's script"):
            Worker(tmp_path / name)
