"""A tree as text for the terminal: one line per node, and one node in detail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from musenet.generation.prompt import boundary_of
from musenet.options.fill_options import FillOptions
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place, composers
from tokenizer.instruments import name as instrument_name
from tokenizer.labels import composer_name
from tokenizer.midi.read import read
from tokenizer.score.bars import Bars
from tokenizer.score.score import Score

from .tree import CONTINUATION, Growth, Node, Tree

_NOTE = 60


def drawn(tree: Tree) -> str:
    """All prompts, each with what was grown from it below."""
    lines: list[str] = []
    for node in tree.nodes.values():
        if node.parent is None:
            lines.append(line(node))
            lines += _below(tree, node, "")
    return "\n".join(lines)


def _below(tree: Tree, node: Node, indent: str) -> Iterator[str]:
    children = tree.children(node)
    for child in children:
        last = child is children[-1]
        yield f"{indent}{'└─' if last else '├─'} {line(child)}"
        yield from _below(tree, child, indent + ("   " if last else "│  "))


def line(node: Node) -> str:
    """A node in one line: number, mark, name, bars, request, beginning of the note."""
    head = " ".join(part for part in (str(node.number), "★" * node.marked, node.name) if part)
    parts = [head, *(_grown(node.growth) if node.growth else [_prompt(node)])]
    if node.note:
        short = " ".join(node.note.split())
        parts.append(f"“{short if len(short) <= _NOTE else short[: _NOTE - 1] + '…'}”")
    return " · ".join(parts)


def _prompt(node: Node) -> str:
    if not node.data:
        return "from nothing"
    score = read(node.data)
    what = node.title if node.parent is None else "edited"
    return f"{what}, {_bars(score)} bars, {len(score.notes):,} notes"


def _bars(score: Score) -> int:
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    return bars.number(boundary_of(score, bars, score.end) - 1) + 1


def _grown(growth: Growth) -> list[str]:
    first, last = growth.bars
    bars = f"bar {first}" if first == last else f"bars {first}–{last}"
    options = growth.options
    task = [] if growth.task == CONTINUATION else [growth.task]
    made = f"seed {options.seed}, variation {options.variations[0]}"
    stopped = ["stopped early"] if growth.stopped else []
    return [*task, bars, f"{growth.notes:,} notes", *_asked(options), made, *stopped]


def _asked(options: GenerateOptions | FillOptions) -> list[str]:
    """The request, in a few words."""
    parts = [" and ".join(map(composer_name, shares)) for shares in composers(options.composer)]
    parts += options.styles
    parts += [f"with {_names(options.instruments)}"] if options.instruments else []
    if isinstance(options, FillOptions):
        parts += [f"track {', '.join(options.tracks)}"] if options.tracks else []
        return parts + ([f"and {_names(options.added)}"] if options.added else [])
    if options.only_instruments is not None:
        parts.append(f"only {_names(options.only_instruments)}")
    parts += [f"tempo {options.tempo:g}"] if options.tempo else []
    parts += [f"form {options.form}"] if options.form else []
    parts += [f"other labels from bar {change.bar}" for change in options.then]
    return parts + (["an ending"] if options.ending else [])


def _names(programs: tuple[int, ...]) -> str:
    return ", ".join(instrument_name(program) for program in programs)


def described(tree: Tree, node: Node) -> str:
    """All facts about a node, one per line."""
    facts = [("node", line(node)), ("path", " → ".join(str(n) for n in tree.path(node)))]
    if node.note:
        facts.append(("note", node.note))
    growth = node.growth
    if growth is not None:
        fresh = not tree.path(node)[-2].data
        facts += _places(growth.options)
        facts.append(("weights", f"{growth.model} ({growth.weights})"))
        facts.append(("version", growth.program))
        facts += [(key, _value(value)) for key, value in _changed(growth.options, fresh)]
    facts.append(("file", f"{len(node.data):,} bytes, SHA-256 {node.digest}…"))
    width = max(len(name) for name, _ in facts)
    return "\n".join(f"{name:{width}}  {value}" for name, value in facts)


def _places(options: GenerateOptions | FillOptions) -> list[tuple[str, str]]:
    """Where in its parent's music a node was grown."""
    if not isinstance(options, FillOptions):
        return [
            ("continued from", _place(options.begin, "the beginning")),
            ("grown at", _place(options.stop, "the end of the music")),
        ]
    if options.bars:
        spans = [f"{first}–{last}" if first < last else f"{first}" for first, last in options.bars]
        return [("holes in bars", ", ".join(spans))]
    return [
        ("hole from", _place(options.begin, "the beginning")),
        ("hole to", _place(options.stop, "the end of the music")),
    ]


def _changed(options: GenerateOptions | FillOptions, fresh: bool) -> Iterator[tuple[str, Any]]:
    """The options that differ from their defaults, except the positions."""
    inside = isinstance(options, FillOptions)
    if inside:
        default = vars(FillOptions(begin=Place(bar=1)).completed("auto"))
    else:
        default = vars(GenerateOptions().completed(fresh=fresh))
    for key, value in vars(options).items():
        if value != default[key] and key not in ("begin", "stop", *(["bars"] * inside)):
            yield key.replace("_", " "), value


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items() if v is not None)
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _place(place: Place | None, otherwise: str) -> str:
    if place is None:
        return otherwise
    return f"bar {place.bar}" if place.bar is not None else f"{place.seconds:g} s"
