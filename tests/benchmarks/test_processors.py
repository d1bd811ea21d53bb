"""The settings that are compared switch every processor that there is."""

from __future__ import annotations

from dataclasses import fields

from benchmarks.processors import SETTINGS
from musenet.options.generate_options import GenerateOptions


def test_every_setting_changes_what_it_names() -> None:
    default = GenerateOptions()
    for name, given in SETTINGS.items():
        options = GenerateOptions.from_keywords(**given)
        assert (options == default) == (name == "default")
        for changed in given:
            assert getattr(options, changed) != getattr(default, changed)


def test_no_strength_is_left_on_without_processors() -> None:
    strengths = {
        field.name
        for field in fields(GenerateOptions)
        if field.name.endswith(("balance", "entrance", "penalty"))
    }
    assert set(SETTINGS["no processors"]) == strengths
    one_by_one = {name for given in SETTINGS.values() if len(given) == 1 for name in given}
    assert strengths <= one_by_one
