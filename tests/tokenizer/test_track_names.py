"""What names of tracks mean, as people of many countries and programs write them."""

from __future__ import annotations

import pytest

from tokenizer.instruments import FAMILIES, family_of, program
from tokenizer.track_names import instrument_in, words_of

NAMES = {
    "drums": [
        *("Drum Rack", "Drums", "Kick", "Hi-Hat", "909", "bass drum", "Schlagzeug", "Batería"),
        *("Batterie", "Batteria", "Bateria", "ドラム", "Ударные", "鼓", "드럼", "Perkusja"),
    ],
    "bass": [
        *("Sub Bass", "Bass", "808", "SynthBass", "E-Bass", "Bajo", "Basse", "Basso", "Baixo"),
        *(
            "ベース",
            "シンセベース",
            "Бас",
            "贝斯",
            "베이스",
            "Upright",
            "Kontrabass",
            "Contrebasse",
        ),
    ],
    "guitar": [
        *("Gtr muted", "Lead Guitar", "Rhythmusgitarre", "Guitarra eléctrica", "Guitare"),
        *("Chitarra", "Violão", "エレキギター 1", "Гитара", "吉他", "기타", "01 Dist Gtr L"),
    ],
    "piano": [
        *("Keys", "Grand Piano", "Rhodes ♪ Übung", "E-Klavier", "Klavier", "Piano électrique"),
        *("ピアノ", "エレピ", "Фортепиано", "钢琴", "피아노", "Cembalo"),
    ],
    "strings": ["Violin II", "Geige", "Violín", "Violon", "Bratsche", "チェロ", "Скрипка", "Harfe"],
    "ensemble": ["Streicher", "Cuerdas", "Cordes", "Archi", "ストリングス", "Струнные", "Chor"],
    "brass": ["Trompete", "Posaune", "Trompette", "Corni in F", "トランペット", "Brass"],
    "reed": ["Alto Sax", "Klarinette", "Fagotto", "Oboe 1", "サックス", "Bass Clarinet"],
    "pipe": ["Querflöte", "Flauta", "Flûte", "フルート", "Флейта", "Blockflöte"],
    "synth lead": ["Lead Synth", "Lead", "Arp", "Lead Ω", "シンセリード"],
    "synth pad": ["Warm Pad", "Fläche", "Nappe", "パッド"],
    "organ": ["Orgel", "Hammond B3", "Órgano", "オルガン"],
}


@pytest.mark.parametrize(("family", "names"), NAMES.items())
def test_names_of_instruments(family: str, names: list[str]) -> None:
    assert family in FAMILIES
    for name in names:
        found = instrument_in(name)
        assert found is not None, name
        assert family_of(found) == family, name


@pytest.mark.parametrize("name", ["", "Track 3", "1-MIDI", "Untitled", "Élégie", "Clés", "Übung"])
def test_other_names_mean_no_instrument(name: str) -> None:
    assert instrument_in(name) is None


@pytest.mark.parametrize("name", ["ドラム", "ピアノ", "エレキギター"])
def test_shift_jis_that_was_read_as_latin_1(name: str) -> None:
    assert instrument_in(name.encode("cp932").decode("latin-1")) == instrument_in(name)


def test_the_instrument_wins_over_its_role_and_a_phrase_over_a_word() -> None:
    assert instrument_in("Lead Vox") == program("voice oohs")
    assert instrument_in("Synth Strings") == program("synth strings")
    assert instrument_in("Gtr Lead") == instrument_in("Lead Gtr") == program("overdriven guitar")


def test_words_of_a_name() -> None:
    assert words_of("01 SubBass_L") == ("01", "sub", "bass", "l")
    assert words_of("Piano à queue") == ("piano", "a", "queue")
