from __future__ import annotations

from data_prep.report.report import EXAMPLES, DatasetReport
from data_prep.sources.label import NO_METADATA, Metadata
from data_prep.worker.worker import FileRecord


def record(name: str, seconds: float = 20.0, tempo: float | None = 119.9) -> FileRecord:
    return FileRecord(
        "c", name, notes=10, rows=11, seconds=seconds, instruments=(0, 40), tempo=tempo, fifths=-3
    )


def test_meters_that_the_vocabulary_lacks_are_named() -> None:
    report = DatasetReport(known_meters=frozenset({"3/4"}))
    for name, meter in (("1", "3/4"), ("2", "3/64"), ("3", "")):
        report.keep(
            record(name)._replace(time_signature=meter), NO_METADATA, "train", f"group {name}"
        )
    assert report.to_json()["time_signatures_not_in_vocabulary"] == ["3/64"]


def test_pieces_are_counted_by_split_corpus_and_label() -> None:
    report = DatasetReport()
    bach = Metadata("bach", "", ("baroque", "mass"), "CC0", None)
    report.keep(record("1"), bach, "train", "g")
    report.keep(record("2", 3599.0, 1000.0), bach, "train", "g")
    report.keep(record("3", 0.5, None), NO_METADATA, "test", "h")
    plain = report.to_json()
    assert plain["files"] == plain["kept"]["pieces"] == 3
    assert plain["kept"]["tokens"] == 33
    assert {name: split["pieces"] for name, split in plain["splits"].items()} == {
        "test": 1,
        "train": 2,
    }
    assert plain["corpora"]["c"] == plain["splits"]
    assert plain["composers"] == {"bach": 2, "unknown": 1}
    assert plain["styles"] == {"baroque": 2, "mass": 2}
    assert plain["instruments"] == {"0": 3, "40": 3}
    assert plain["tempos"] == {"100": 1, "300": 1}
    assert plain["lengths_seconds"] == {"0": 1, "15": 1, "1920": 1}
    assert (plain["near_duplicate_groups"], plain["pieces_in_groups"]) == (1, 2)


def test_reasons_are_ranked_and_have_a_few_examples() -> None:
    report = DatasetReport()
    report.refuse(record("x"), "no_notes", "it has no notes")
    for number in range(EXAMPLES + 3):
        report.refuse(record(str(number)), "too_short", f"0.{number} s")
    plain = report.to_json()
    assert list(plain["refused"].items()) == [("too_short", EXAMPLES + 3), ("no_notes", 1)]
    assert plain["refused_by_corpus"] == {"c": plain["refused"]}
    assert len(plain["examples"]["too_short"]) == EXAMPLES
    assert plain["examples"]["no_notes"] == [{"file": "c/x", "detail": "it has no notes"}]
