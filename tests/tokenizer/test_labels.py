"""Labels: one id a composer and style, however written, and what a score says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tokenizer.aliases import COMPOSERS, STYLE_KINDS, folded
from tokenizer.labels import (
    Labels,
    composer_name,
    labels_of,
    normalise_composer,
    normalise_style,
    normalise_styles,
    period_of,
    style_kind,
)
from tokenizer.score.score import KEY_SIGNATURES, NOTES, TEMPOS, TIME_SIGNATURES, Score, Track

CORPORA = Path(__file__).parents[3] / "shared" / "data" / "corpora"

SAME_COMPOSER = {
    "bach": ["bach", "Bach", "BachJS", "Bach, Johann Sebastian", "J.S. Bach", "J. S. Bach",
             "JS Bach", "johann sebastian bach", "BACH, J. S.", "Bach JS", "Johann Sebastian BACH"],
    "cpe_bach": ["BachCPE", "C.P.E. Bach", "Bach, Carl Philipp Emanuel", "cpe_bach"],
    "jc_bach": ["Bach, Johann Christian", "J.C. Bach", "BachJC"],
    "wf_bach": ["W. F. Bach", "Bach, Wilhelm Friedemann"],
    "haydn": ["HaydnFJ", "Haydn, Franz", "Haydn, Joseph", "Haydn, Franz Joseph", "Josef Haydn"],
    "michael_haydn": ["HaydnJM", "Haydn, Michael", "Johann Michael Haydn"],
    "johann_strauss": ["StraussJJ", "Johann Strauss", "Strauß, Johann"],
    "richard_strauss": ["Strauss, Richard", "R. Strauss"],
    "schumann": ["Schumann", "SchumannR", "Schumann, Robert"],
    "clara_schumann": ["Schumann, Clara", "Clara Schumann", "Clara Wieck", "clara_schumann"],
    "mendelssohn": ["Mendelssohn-BartholdyF", "Felix Mendelssohn", "Mendelssohn, Felix"],
    "hensel": ["Hensel, Fanny", "Hensel, Fanny (Mendelssohn)", "Fanny Mendelssohn"],
    "chopin": ["Chopin", "ChopinFF", "Chopin, Fryderyk", "Frédéric Chopin", "F. Chopin"],
    "beethoven": ["BeethovenLv", "Beethoven, Ludwig van", "L. van Beethoven", "Beethoven"],
    "handel": ["HandelGF", "Händel, Georg Friedrich", "G. F. Haendel"],
    "lassus": ["LassusOd", "Lasso, Orlando di", "Orlande de Lassus"],
    "boismortier": ["BoismortierJBd", "Joseph Bodin de Boismortier"],
    "rimsky_korsakov": ["Rimsky-KorsakovN", "Nikolai Rimsky-Korsakov", "rimsky-korsakov"],
    "indy": ["Indy, Vincent d’", "Vincent d'Indy"],
    "elgar": ["Edward Elgar (1857-1934)", "Sir Edward Elgar", "Elgar, Edward"],
    "dvorak": ["Dvořák, Antonín", "DvorakA", "dvorak"],
    "rachmaninoff": ["Rachmaninov", "RachmaninoffS", "Rachmaninoff, Sergei"],
}  # fmt: skip


@pytest.mark.parametrize("composer", SAME_COMPOSER)
def test_spellings_of_one_composer(composer: str) -> None:
    for text in SAME_COMPOSER[composer]:
        assert normalise_composer(text) == composer, text


@pytest.mark.parametrize(
    "text",
    ["", " ", None, "Anonim", "Anonymous", "[Traditional]", "Traditional", "drummer1", "drummer10",
     "English", "Latin", "Spiritual", "Scottish folk song", "american_folk_song",
     "14th century German melody", "1524, from Walter's Geistliche Gesangbüchlein",
     "M.M.", "A. S.", "continuum.mid", "m", "unknown", "Christmas", "…"],
)  # fmt: skip
def test_nobody(text: str | None) -> None:
    assert normalise_composer(text) is None


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Abbott, Jane Bingham", "jane_bingham_abbott"),
        ("Jane Bingham Abbott", "jane_bingham_abbott"),
        ("Żukowski, Łukasz", "lukasz_zukowski"),
        ('Ralph "Ralphis" Vickers (moved to E1M5, not removed)', "ralph_vickers"),
        ('Al "A" Martins & Jon "j" Martins', "al_martins_and_jon_martins"),
        ("George Washington Johnson [1]", "george_washington_johnson"),
        ("AbtF", "f_abt"),
    ],
)  # fmt: skip
def test_a_name_that_the_table_lacks_is_its_own_slug(text: str, slug: str) -> None:
    assert normalise_composer(text) == slug
    assert normalise_composer(slug) == slug


def test_ids_are_slugs_and_stay_themselves() -> None:
    for composer, (name, period) in COMPOSERS.items():
        assert composer == folded(composer).replace(" ", "_") == normalise_composer(composer)
        assert normalise_composer(name) == composer
        assert composer_name(composer) == name
        assert period == period_of(composer)
        assert period is None or style_kind(period) == "period"


def test_printed_names_and_periods() -> None:
    assert composer_name("bach") == "Johann Sebastian Bach"
    assert composer_name("jane_bingham_abbott") == "Jane Bingham Abbott"
    periods = {c: period_of(c) for c in ("bach", "mozart", "chopin", "bartok", "palestrina")}
    assert periods == {
        "bach": "baroque",
        "mozart": "classical",
        "chopin": "romantic",
        "bartok": "modern",
        "palestrina": "renaissance",
    }
    assert period_of("jane_bingham_abbott") is None


@pytest.mark.parametrize(
    ("text", "styles"),
    [
        ("Baroque", ("baroque",)),
        ("Sacred; Mass", ("sacred", "mass")),
        ("Secular; Song; Children", ("song", "children")),
        ("game/rock-metal-electronic", ("game", "rock", "metal", "electronic")),
        ("funk/groove1", ("funk",)),
        ("Lied/art song", ("song",)),
        ("String quartet", ("string_quartet",)),
        ("Folk, World, & Country", ("folk", "world", "country")),
        ("Mazurka", ("mazurka",)),
        ("Secular: Ballade", ("ballade",)),
        ("Popular / Dance", ("pop", "dance")),
        ("Mass; Mass section", ("mass",)),
        ("Classical piano", ()),
        ("", ()),
        (None, ()),
        ("grindcore", ()),
        ("- / ;;", ()),
    ],
)
def test_genre_texts(text: str | None, styles: tuple[str, ...]) -> None:
    assert normalise_styles(text) == styles


def test_a_known_composers_period_is_believed_before_the_text() -> None:
    assert normalise_styles("Classical", "albeniz") == ("romantic",)
    assert normalise_styles("Lied/art song", "schubert") == ("romantic", "song")
    assert normalise_styles("Classical; Waltz", "jane_bingham_abbott") == ("classical", "waltz")


def test_one_style_as_a_user_names_it() -> None:
    assert normalise_style("Waltzes") == "waltz"
    assert normalise_style("string quartet") == "string_quartet"
    assert normalise_style("Étude") == "etude"
    assert normalise_style("grindcore") is None
    for style, kind in STYLE_KINDS.items():
        assert normalise_style(style) == style
        assert style_kind(style) == kind
        assert kind in ("genre", "period")


def _score(notes: list[tuple[int, int, int, int]], **events: np.ndarray) -> Score:
    """(start, duration, pitch, program); velocity 80, one track a program."""
    programs = sorted({note[3] for note in notes})
    rows = [(s, d, p, 80, program, programs.index(program)) for s, d, p, program in notes]
    tracks = tuple(Track("", program, program == 128) for program in programs)
    return Score(480, tracks, np.array(rows, dtype=NOTES), **events)


def test_labels_of_a_score() -> None:
    scale = [0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0, 7, 0]
    notes = [(480 * i, 480, 62 + step, 40) for i, step in enumerate(scale)]  # D major
    notes += [(0, 960, 36, 128), (480, 480, 36, 128), (0, 480, 50, 32)]
    score = _score(
        notes,
        tempos=np.array([(0, 500_000), (480, 1_000_000), (13 * 480, 250_000)], dtype=TEMPOS),
        time_signatures=np.array([(0, 4, 4), (960, 3, 4)], dtype=TIME_SIGNATURES),
        key_signatures=np.array([(0, 2, False)], dtype=KEY_SIGNATURES),
    )
    assert labels_of(score) == Labels(
        instruments=(40, 128, 32), tempo=60.0, time_signature=(3, 4), key=(2, False)
    )


def test_the_tempo_is_the_median_by_time() -> None:
    # 4 quarters at 120 (2 s), 2 at 60 (2 s), 5 at 100 (3 s): half of 7 s is reached at 100.
    tempos = np.array([(0, 500_000), (4 * 480, 1_000_000), (6 * 480, 600_000)], dtype=TEMPOS)
    score = _score([(0, 11 * 480, 60, 0)], tempos=tempos)
    assert labels_of(score).tempo == pytest.approx(100.0)


A_MINOR = [57, 60, 64, 57, 59, 60, 62, 64, 65, 64, 68, 69, 64, 60, 57, 57]


@pytest.mark.parametrize(
    ("transposed", "written", "key"),
    [
        (0, [(0, 0, False)], (0, True)),  # every signature written as major: the mode is heard
        (0, [(0, 0, True)], (0, True)),
        (0, [], (0, True)),
        (3, [], (-3, True)),
        (3, [(0, 0, False)], (-3, True)),  # C major by default, and clearly not
        (3, [(0, 1, True)], (1, True)),  # a file that says minor is believed
        (3, [(0, -3, False)], (-3, True)),
    ],
)
def test_the_key(
    transposed: int, written: list[tuple[int, int, bool]], key: tuple[int, bool]
) -> None:
    notes = [(480 * i, 480, pitch + transposed, 0) for i, pitch in enumerate(A_MINOR)]
    score = _score(notes, key_signatures=np.array(written, dtype=KEY_SIGNATURES))
    assert labels_of(score).key == key


def test_drums_alone_have_no_key_but_keep_what_is_written() -> None:
    assert labels_of(_score([(0, 10, 36, 128)])).key is None
    signatures = np.array([(0, 2, False)], dtype=KEY_SIGNATURES)
    assert labels_of(_score([(0, 10, 36, 128)], key_signatures=signatures)).key == (2, False)


def test_a_score_without_notes_says_nothing() -> None:
    assert labels_of(_score([])) == Labels()


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora of ../shared/data are not here")
def test_every_manifest_is_understood() -> None:
    import tarfile

    seen: set[str | None] = set()
    for archive in sorted(CORPORA.glob("*.tar.*")):
        with tarfile.open(archive) as tar:
            member = next((m for m in tar if m.name.endswith("manifest.jsonl")), None)
            lines = tar.extractfile(member) if member else None
            for line in lines or ():
                row = json.loads(line)
                composer = normalise_composer(row.get("composer"))
                assert composer is None or folded(composer).replace(" ", "_") == composer
                seen.add(composer)
                normalise_styles(row.get("genre"), composer)
    assert {"bach", "chopin", "hensel", "moniuszko"} <= seen
