"""A field more is an option more: its keyword, its range, its JSON, and its place in `--help`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from musenet.cli.options import takes
from musenet.options.fill_options import FillOptions
from musenet.options.generate_options import GenerateOptions
from musenet.options.knob import (
    Knob,
    check_ranges,
    from_json_values,
    from_keywords,
    knobs,
)
from tokenizer import records
from tokenizer.errors import InputError


@dataclass(frozen=True)
class Swung(GenerateOptions):
    """The options, and one more."""

    swing: Annotated[
        float,
        Knob("How late every second eighth comes.", "Feel", low=0, high=1, typed=float),
    ] = 0.25


@dataclass(frozen=True)
class Coloured(GenerateOptions):
    """The options, and one more that is read from words."""

    colour: Annotated[
        tuple[int, ...], Knob("Its colour.", "Feel", parse=lambda given: (len(given),), accepts=str)
    ] = ()


def run(kind: type[GenerateOptions], *words: str) -> tuple[str, list[GenerateOptions]]:
    """What a command says that takes the options, and the options that it was given."""
    found: list[GenerateOptions] = []

    def command(options: GenerateOptions) -> None:
        found.append(options)

    command.__annotations__["options"] = kind
    app = typer.Typer()
    app.command()(takes(kind)(command))
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200", "TERM": "dumb"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output, found


def test_a_new_field_is_an_option_of_the_command_line() -> None:
    shown, _ = run(Swung, "--help")
    (line,) = [line for line in shown.splitlines() if "--swing" in line]
    assert "How late every second eighth comes (0 to 1)." in line
    assert "[default: 0.25]" in line
    assert "Feel" in shown
    _, (options,) = run(Swung, "--swing", "0.5", "--bars", "3")
    assert isinstance(options, Swung)
    assert (options.swing, options.bars) == (0.5, 3)
    assert run(Coloured, "--colour", "blue")[1][0] == Coloured(colour=(4,), seed=run_seed())


def run_seed() -> int:
    """The seed that the command line drew, made the same every time by the fixture."""
    return 11


@pytest.fixture(autouse=True)
def same_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda most: run_seed())


def test_a_new_field_is_a_keyword() -> None:
    assert knobs(Swung)["swing"][0] is float
    own, knob = knobs(Coloured)["colour"]
    assert (own, knob.accepts) == (tuple[int, ...], str)
    assert from_keywords(Swung, {"swing": 0.5}).swing == 0.5
    with pytest.raises(TypeError, match="did you mean 'swing'"):
        from_keywords(Swung, {"swimg": 0.5})


def test_a_new_field_is_checked() -> None:
    with pytest.raises(InputError, match="swing 2 is outside 0 to 1"):
        Swung(swing=2)
    with pytest.raises(InputError, match=r"swing 1\.5 is outside 0 to 1"):
        run(Swung, "--swing", "1.5")


def test_a_new_field_is_in_the_json() -> None:
    options = Swung(swing=0.75, bars=3)
    text = records.to_json(options)
    assert '"swing":0.75' in text
    assert records.from_json(Swung, text, "the options") == options


def test_a_field_without_a_knob_is_a_mistake_in_the_program() -> None:
    @dataclass(frozen=True)
    class Bare:
        number: int = 0

    with pytest.raises(TypeError, match="number has no Knob"):
        knobs(Bare)
    with pytest.raises(TypeError, match="number has no Knob"):
        check_ranges(Bare())


def test_keywords_may_be_written_as_on_the_command_line() -> None:
    typed = from_keywords(FillOptions, {"bars": "5-8", "distance": "0.3", "variations": "4"})
    assert typed == FillOptions(bars=((5, 8),), distance=0.3, variations=(1, 2, 3, 4))
    assert from_keywords(FillOptions, {"bars": "5-8", "keep_rhythm": "true"}).keep_rhythm
    for name, text in (("distance", "some"), ("drafts", "4.5"), ("keep_rhythm", "perhaps")):
        with pytest.raises(InputError, match=f"'{name}' does not take '{text}'"):
            from_keywords(FillOptions, {"bars": "5-8", name: text})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bars", "x"),
        ("bars", 2.5),
        ("bars", [1]),
        ("bars", True),
        ("seed", "abc"),
        ("ending", "maybe"),
        ("ending", 3),
        ("tempo", "fast"),
        ("composer", 5),
        ("scale", 5),
        ("form", 3),
        ("chords", 3),
        ("key", 5),
        ("meter", 3),
        ("then", 5),
        ("variations", "x"),
        ("temperature", {"pitch": "a"}),
        ("temperature", [1]),
    ],
)
@pytest.mark.parametrize("read", [from_keywords, from_json_values])
def test_what_is_of_another_type_is_named_with_its_option(
    read: Callable[..., GenerateOptions], name: str, value: object
) -> None:
    with pytest.raises(InputError) as refused:
        read(GenerateOptions, {name: value})
    assert str(refused.value).startswith(f"the option '{name}' does not take {value!r} (")


def test_numbers_of_numpy_are_numbers() -> None:
    options = from_keywords(GenerateOptions, {"bars": np.int64(3), "tempo": np.float32(96)})
    assert (options.bars, options.tempo) == (3, 96)
    assert (type(options.bars), type(options.tempo)) == (int, float)


@pytest.mark.parametrize(
    "more", [{"distance": 1}, {"temperature": 1}, {"top_p": {"pitch": 1}}, {"chord_guidance": 2}]
)
def test_whole_numbers_are_in_a_recipe_what_they_are_when_it_is_read(more: dict[str, Any]) -> None:
    options = from_keywords(FillOptions, {"bars": "5-8", **more})
    text = records.to_json(options)
    assert records.to_json(records.from_json(FillOptions, text, "the options")) == text
