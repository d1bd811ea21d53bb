from __future__ import annotations

import pytest

from data_prep.sources.label import Metadata, PathPattern, metadata_of
from data_prep.sources.manifest import split_name
from tokenizer import InputError


def test_sources_write_differently_and_mean_the_same() -> None:
    mutopia = metadata_of(
        {"composer": "BachJS", "genre": "Baroque", "licence": "Public Domain"}, {}
    )
    scores = metadata_of({"composer": "Bach, Johann Sebastian", "license": "Public Domain"}, {})
    assert mutopia.composer == scores.composer == "bach"
    assert mutopia.licence == scores.licence == "Public Domain"


def test_what_is_not_known_is_nothing() -> None:
    assert metadata_of({}, {}) == Metadata(None, "", (), "", None)
    assert metadata_of({"composer": "Anonim", "title": ""}, {}).composer is None
    assert metadata_of({"composer": "drummer1"}, {}).composer is None


def test_styles_are_taken_apart() -> None:
    assert "funk" in metadata_of({"style": "funk/groove1"}, {}).styles
    assert {"sacred", "mass"} <= set(metadata_of({"genre": "Sacred; Mass"}, {}).styles)


def test_a_manifest_wins_over_a_path() -> None:
    metadata = metadata_of({"composer": "Chopin"}, {"composer": "Bach", "title": "Air"})
    assert (metadata.composer, metadata.title) == ("chopin", "Air")
    assert metadata_of({"composer": ""}, {"composer": "Bach"}).composer == "bach"


@pytest.mark.parametrize(
    ("written", "split"),
    [("train", "train"), ("Valid", "validation"), ("dev", "validation"), ("TEST", "test")],
)
def test_splits_by_their_names(written: str, split: str) -> None:
    assert split_name(written) == split


def test_an_unknown_split_is_refused() -> None:
    assert split_name("") is None
    with pytest.raises(InputError, match="'trian'; it is train, validation, test"):
        split_name("trian")


def test_path_patterns() -> None:
    pattern = PathPattern("{composer}/{title}.mid")
    assert pattern.labels("piano/Bach/Air in G.mid") == {"composer": "Bach", "title": "Air in G"}
    assert pattern.labels("Air.mid") == {}
    assert PathPattern("{style}/*-{title}.*").labels("jazz/01-Take Five.midi") == {
        "style": "jazz",
        "title": "Take Five",
    }


def test_wrong_path_patterns_are_refused() -> None:
    for wrong in ("{compser}", "{Composer}", "{piece_1}", "{}"):
        with pytest.raises(InputError) as refused:
            PathPattern(f"music/{wrong}/*")
        assert f"'{wrong}' in --path-labels 'music/{wrong}/*'" in str(refused.value)
        assert "{composer}, {title}, {style}, {split}" in str(refused.value)
    with pytest.raises(InputError, match="names a label twice"):
        PathPattern("{title}/{title}.mid")


def test_a_split_in_a_path_is_one_or_refused_with_the_path_and_the_pattern() -> None:
    pattern = PathPattern("{split}/{title}.mid")
    assert pattern.labels("valid/Air.mid")["split"] == "valid"
    with pytest.raises(InputError, match=r"^more/Air\.mid: .* takes 'more' for the split"):
        pattern.labels("more/Air.mid")
