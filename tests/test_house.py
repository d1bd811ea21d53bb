"""The house: imports only go down, rooms stay small, importing is cheap."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("tokenizer", "data_prep", "musenet")
FORBIDDEN = {
    "tokenizer": {"torch", "data_prep", "musenet"},
    "data_prep": {"torch", "musenet"},
    "musenet": {"train", "generate"},
}
ROOMS = {
    "tokenizer": (
        *("errors", "typing", "files", "malloc", "records", "aliases", "instruments"),
        *("track_names", "players"),
        *("theory", "chords"),
        *("score", "labels", "midi", "encoding", "interop", "notation"),
    ),
    "data_prep": (
        *(
            "sources",
            "worker",
            "corpus",
            "dataset",
            "report",
            "output",
            "pipeline",
            "merge",
            "bands",
        ),
    ),
    "musenet": (
        *(
            "attention",
            "model",
            "decoding",
            "sampling",
            "export",
            "evaluation",
            "options",
            "generation",
            "editing",
        ),
        *("data", "tree", "training", "hub", "api", "studio", "live", "bridges", "cli"),
    ),
}
"""The rooms of each floor from the bottom up: a room imports from itself and from those before."""

MOST_LINES = 400
MOST_FILES = {
    "musenet/decoding": 14,
    "musenet/evaluation": 17,
    "musenet/model": 17,
    "musenet/studio": 17,
    "musenet/training": 20,
    "musenet/cli": 20,
    "musenet/live": 14,
    "tokenizer/encoding": 14,
}
MOST_FILES_ELSEWHERE = 13
SHORT, MOST_SHORT = 40, 30

FILES = [path for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py"))]
INNER = [path for path in FILES if path.name != "__init__.py"]


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


MODULES = {module(path) for path in INNER}


def imports_in(source: str, name: str) -> Iterator[str]:
    """The full name of everything that the module of this name imports, in functions too."""
    package = name.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def imports(path: Path) -> set[str]:
    return set(imports_in(path.read_text(encoding="utf-8"), module(path)))


def imported(path: Path) -> set[str]:
    """The modules of the house that a file imports."""
    names = imports(path)
    return {name for name in names | {n.rpartition(".")[0] for n in names} if name in MODULES}


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_only_go_down(floor: str) -> None:
    for path in FILES:
        if path.is_relative_to(ROOT / floor):
            assert not {name.partition(".")[0] for name in imports(path)} & FORBIDDEN[floor], path


@pytest.mark.parametrize("script", ["train.py", "generate.py"])
def test_the_roof_only_hands_on(script: str) -> None:
    names = {name.partition(".")[0] for name in imports(ROOT / script)}
    assert names == {"musenet"}


@pytest.mark.parametrize("floor", FLOORS)
def test_every_room_stands_in_the_order(floor: str) -> None:
    rooms = {name.split(".")[1] for name in MODULES if name.startswith(f"{floor}.")}
    assert rooms == set(ROOMS[floor])


@pytest.mark.parametrize("path", INNER, ids=module)
def test_a_room_imports_from_no_room_above_it(path: Path) -> None:
    floor, room, *_ = module(path).split(".")
    order = ROOMS[floor]
    for name in imported(path):
        if name.startswith(f"{floor}."):
            assert order.index(name.split(".")[1]) <= order.index(room), name


def test_the_documentation_lists_the_rooms_in_their_order() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    floor, found = "", dict[str, list[str]]({name: [] for name in FLOORS})
    for indent, name in re.findall(r"^(  )?([a-z_]+)(?:/|\.py) ", text, re.MULTILINE):
        if not indent:
            floor = name
        elif floor in FLOORS:
            found[floor].append(name)
    assert found["musenet"].pop() == "pretrained"
    assert {floor: tuple(rooms) for floor, rooms in found.items()} == ROOMS


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module(path): imported(path) - {module(path)} for path in INNER}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" → ".join(error.args[1])) from None


def test_late_and_relative_imports_are_seen() -> None:
    source = "def f():\n    from ..cli import main\n    from .b import c\n    import torch\n"
    assert set(imports_in(source, "musenet.model.a")) == {
        "musenet.cli.main",
        "musenet.model.b.c",
        "torch",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_too_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_no_room_is_too_full() -> None:
    for folder in {path.parent for path in INNER}:
        name = str(folder.relative_to(ROOT))
        files = [path for path in INNER if path.parent == folder]
        assert len(files) <= MOST_FILES.get(name, MOST_FILES_ELSEWHERE), name


def test_few_files_are_crumbs() -> None:
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in INNER]
    assert sum(length < SHORT for length in lines) < MOST_SHORT


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*(m.partition('.')[0] for m in sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(result.stdout.split())


def test_the_ground_floor_is_light() -> None:
    heavy = {"torch", "xformers", "matplotlib", "pyarrow", "pretty_midi", "miditoolkit", "mido"}
    assert not loaded_by("import tokenizer") & heavy


def test_the_command_line_and_the_package_load_nothing_heavy() -> None:
    heavy = {"torch", "xformers", "matplotlib", "pretty_midi", "miditoolkit"}
    assert not loaded_by("import musenet.cli.main") & heavy
    assert "xformers" not in loaded_by("import musenet.model.transformer")


@pytest.mark.parametrize("command", ["demo", "studio"])
def test_what_a_plain_install_runs_needs_no_extra(command: str) -> None:
    """`demo` finds its openings, and `studio` says what is missing, where there is no Starlette."""
    code = "import sys; sys.modules['starlette'] = None; import musenet.studio.about as about; "
    code += "print(about.openings() if sys.argv[1] == 'demo' else about.missing())"
    subprocess.run([sys.executable, "-c", code, command], check=True, cwd=ROOT)


def test_music_is_generated_without_pytorch(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    run = (
        "import sys; sys.argv = ['musenet', 'generate', 'examples/prompts/folk.mid', '--bars', '1',"
        f" '--out', {str(tmp_path / 'o.mid')!r}]; from musenet.cli.main import main; main()"
    )
    assert not loaded_by(run) & {"torch", "matplotlib", "scipy", "pandas", "pyarrow"}


ACROSS = {
    "tests/benchmarks/test_scripts.py",  # every benchmark as a script
    "tests/data_prep/bands/test_styles.py",  # the style files
    "tests/musenet/bridges/reaper/test_script.py",  # the script
    "tests/musenet/generation/test_docs.py",
    "tests/musenet/generation/test_outside.py",  # other programs
    "tests/musenet/studio/page/test_other_sites.py",  # the page and its server
    "tests/test_docs.py",
    "tests/test_house.py",
    "tests/test_library.py",
    "tests/test_notebooks.py",
    "tests/test_packaging.py",
    "tests/test_security.py",
    "tests/test_site.py",
    "tests/tokenizer/midi/test_mido.py",  # reading and writing together
    "tests/tokenizer/test_corpora.py",
    "tests/tokenizer/test_docs.py",
}
"""Tests of more than one module."""


def test_every_test_stands_where_its_module_does() -> None:
    tests = {path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    modules = {Path(*path.parts[1:-1], path.name.removeprefix("test_")): path for path in tests}
    without = {
        str(test)
        for module, test in modules.items()
        if not any((ROOT / module.with_suffix(suffix)).is_file() for suffix in (".py", ".js"))
    }
    assert without == ACROSS
