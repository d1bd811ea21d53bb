from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from musenet.model.checkpoint import load_checkpoint
from musenet.training.publish import CardExtras, export
from musenet.training.settings import settings_of
from musenet.training.start import start_run
from tokenizer.errors import InputError

TINY: dict[str, Any] = {
    "steps": 4,
    "context": 64,
    "batch": 2,
    "threads": 1,
    "validate_windows": 1,
    "device": "cpu",
    "weights": {"up": 2.0},
    "model": {"layers": 3, "width": 32, "heads": 2, "row_length": 16},
}


@pytest.fixture(scope="module")
def run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    start_run(dataset, out, settings_of(TINY)).train()
    return out


MEAN = {"real": 2.25, "interval": [2.125, 2.75]}
SHARED = {"median_longest": 9.0, "percentile_99": 21.0, "longest": 44.0, "mean_covered": 0.125}


def figures(weights_hash: str) -> dict[str, Any]:
    part = {"bits_per_note": 4.5, "interval": [4.0, 5.0], "pieces": 2, "notes": 90}
    return {
        **part,
        "per_field": {"wait": 1.5, "pitch": 3.0},
        "per_source": {"up": {**part, "per_field": {}}},
        "baselines": {"order_1": {"bits_per_note": 9.25}},
        "weights_hash": weights_hash,
        "music": {
            "made": 7,
            "real": 8,
            "statistics": {
                "polyphony": {**MEAN, "ours": 2.5, "inside": True, "distance": 0.1},
                "pitch_range": {**MEAN, "ours": 9.5, "inside": False, "distance": 1.25},
            },
        },
        "originality": {
            "library": 13,
            "covered_means_more_than": 16,
            "made": SHARED,
            "held_out": {**SHARED, "percentile_99": 31.0},
            "too_close": [{"name": "b.mid", "longest": 44, "at_note": 3, "piece": "ave.mid"}],
        },
    }


def test_the_card_states_the_facts(run: Path, dataset: Path, tmp_path: Path) -> None:
    for corpus in ("up", "down"):
        (tmp_path / "corpora" / corpus).mkdir(parents=True)
        (tmp_path / "corpora" / corpus / "ATTRIBUTION.txt").write_text(f"By {corpus} & Co.")
    found = tmp_path / "figures.json"
    found.write_text(json.dumps(figures(load_checkpoint(run / "best").hash)))
    remarks = tmp_path / "remarks.md"
    remarks.write_text("## Endings\n\nThey end.\n")
    out = tmp_path / "shipped"
    hash_ = export(run, out, CardExtras(found, tmp_path / "corpora", remarks))
    loaded = load_checkpoint(out)
    assert loaded.hash == hash_ == load_checkpoint(run / "best").hash
    card = (out / "README.md").read_text(encoding="utf-8")
    for fact in (
        "**4.500 bits per note**",
        "9.250",
        "4 steps",
        "up × 2",
        "By up & Co.",
        "weights.up=2.0",
    ):
        assert fact in card, fact
    music = (
        "| polyphony | 2.500 | 2.250 | 2.125–2.750 | inside |",
        "| pitch range | 9.500 | 2.250 | 2.125–2.750 | +1.25 standard deviations |",
        "| held-out | 9 | 31 | 44 | 12.5 % |",
        "- b.mid: 44 notes, as in ave.mid",
        "## Endings\n\nThey end.",
    )
    for fact in music:
        assert fact in card, fact
    assert loaded.training["evaluation"]["bits_per_note"] == 4.5
    assert not {"remarks", "notices"} & loaded.training.keys()
    assert not list(out.glob("*.pt"))


def test_the_command_in_the_card_can_be_parsed(run: Path, tmp_path: Path) -> None:
    import shlex

    from musenet.training import settings as tables

    export(run, tmp_path / "shipped")
    card = (tmp_path / "shipped" / "README.md").read_text(encoding="utf-8")
    command = card.split("```")[1]
    words = shlex.split(command.replace("\\\n", " "))
    changes = [tables.from_override(words[i + 1]) for i, w in enumerate(words) if w == "--set"]
    assert tables.settings_of(*changes) == settings_of(TINY)


def test_figures_of_other_weights_are_refused(run: Path, tmp_path: Path) -> None:
    found = tmp_path / "figures.json"
    found.write_text(json.dumps(figures("000000000000")))
    with pytest.raises(InputError, match="results of other weights"):
        export(run, tmp_path / "shipped", CardExtras(evaluation=found))
    with pytest.raises(InputError, match="has no best model"):
        export(tmp_path / "nothing", tmp_path / "shipped")
    with pytest.raises(InputError, match="every source needs its attribution"):
        export(run, tmp_path / "shipped", CardExtras(notices=tmp_path))
    assert not (tmp_path / "shipped").exists()
