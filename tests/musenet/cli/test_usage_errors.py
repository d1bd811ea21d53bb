"""A mistyped command line: one sentence on standard error, exit code 2, nothing written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from musenet.cli.main import COMMANDS, main, named

PROMPT = Path(__file__).parents[3] / "examples" / "prompts" / "folk.mid"
Refusal = Callable[..., str]


@pytest.fixture
def refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refusal:
    """Run a command in an empty folder; gives the sentence with which it is refused."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as stop:
            main(words)
        printed = capsys.readouterr()
        assert stop.value.code == 2
        assert printed.out == ""
        assert printed.err.startswith("musenet: ")
        assert printed.err.count("\n") == 1
        assert not list(tmp_path.iterdir())
        return printed.err.removeprefix("musenet: ").rstrip("\n")

    return run


def leaves(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that runs, with the words that name it."""
    children = getattr(command, "commands", None)
    if not children:
        yield path, command
    for name, child in (children or {}).items():
        yield from leaves(child, *path, name)


ALL = [found for name in COMMANDS for found in leaves(named(name), name)]
NUMBERS = [
    (*path, parameter.opts[0])
    for path, command in ALL
    for parameter in command.params
    if {int, float}
    & {hint := get_type_hints(command.callback).get(parameter.name), *getattr(hint, "__args__", ())}
]
PATHS = [
    (path, parameter)
    for path, command in ALL
    for parameter in command.params
    if "Path" in str(get_type_hints(command.callback).get(parameter.name))
]


def test_the_lists_are_of_what_they_say() -> None:
    assert ("generate", "--bars") in NUMBERS
    assert ("tree", "grow", "--bars") in NUMBERS
    assert len(NUMBERS) > 100
    assert len(PATHS) > 50


@pytest.mark.parametrize("words", NUMBERS, ids=" ".join)
def test_a_word_for_a_number_is_said_in_one_sentence(
    words: tuple[str, ...], refusal: Refusal
) -> None:
    said = refusal(*words, "four")
    assert said.startswith(f"{words[-1]} is 'four'; give a ")
    assert said.endswith("number")


@pytest.mark.parametrize(("path", "parameter"), PATHS, ids=lambda it: str(it)[:60])
def test_an_empty_path_is_not_the_current_folder(
    path: tuple[str, ...], parameter: Any, refusal: Refusal
) -> None:
    words = []
    for other in dict(ALL)[path].params:
        value = "" if other is parameter else str(PROMPT)
        if other.param_type_name == "argument":
            words.append(value)
        elif other.required or other is parameter:
            words = [other.opts[0], value, *words]
    assert " is empty, as from an unset variable; give a path" in refusal(*path, *words)


@pytest.mark.parametrize(
    "words",
    [
        ["prepare", "", "--out", "d"],
        ["prepare", str(PROMPT), "", "--out", "d"],
        ["prepare", str(PROMPT), "--out="],
        ["prepare", str(PROMPT), "--exclude", "", "--out", "d"],
        ["finetune", "", "--out", "mine"],
        ["finetune", str(PROMPT), "--from", "", "--out", "mine"],
        ["generate", str(PROMPT), "--out", "o.mid", "--weights", ""],
    ],
    ids=lambda words: " ".join(Path(word).name for word in words),
)
def test_empty_paths_among_globs_and_names_are_refused(words: list[str], refusal: Refusal) -> None:
    assert "is empty" in refusal(*words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["generate", "--bras", "4"],
            "there is no option of `musenet generate` called '--bras'; did you mean '--bars'?",
        ),
        (["tree", "show", "t", "--json"], "called '--json'; known are --help"),
        (["genrate"], "there is no command of `musenet` called 'genrate'; did you mean 'generate'"),
        (["tree", "gorw"], "of `musenet tree` called 'gorw'; did you mean 'grow'?"),
        (["tree", "grow"], "TREE is missing; see `musenet tree grow --help`"),
        (["train-critic", "d", "--out", "x", "--pieces", "3"], "--pieces is '3'; it should be "),
        (["demo", "--out"], "--out has no value; give one after it"),
        (["generate", "--force=yes"], "--force takes no value; leave out what follows the ="),
        (["dataset", "info", "x", "y", "z"], "(y z); see `musenet dataset info --help`"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_what_is_missing_or_too_much_is_named(
    words: list[str], said: str, refusal: Refusal
) -> None:
    assert said in refusal(*words)


@pytest.mark.parametrize("words", [[], ["dataset"]], ids=str)
def test_without_a_command_the_help_is_printed_alone(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    printed = capsys.readouterr()
    assert "Usage: musenet" in printed.out
    assert printed.err == ""
