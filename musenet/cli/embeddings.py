"""`musenet embeddings --weights mini --out map.png`: which composers and styles are alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from musenet.evaluation.style_map import StyleMap


def embeddings(
    weights: Annotated[
        str, typer.Option(help="A shipped model's name, or a checkpoint folder.")
    ] = "mini",
    out: Annotated[Path | None, typer.Option(help="Picture to draw, .png or .svg.")] = None,
    kind: Annotated[str, typer.Option(help="composer, style or all.")] = "composer",
    most: Annotated[
        int, typer.Option(min=3, help="Show at most this many labels, the most frequent ones.")
    ] = 80,
    dataset: Annotated[
        Path | None,
        typer.Option(help="The training dataset, to count which labels are frequent."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print every label's neighbours as JSON.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the t-SNE map.")] = 0,
) -> None:
    """Draw which composers and styles a model finds alike, or list their neighbours."""
    from musenet.evaluation.style_map import style_map
    from musenet.export.piano_roll import check_format
    from musenet.model.checkpoint import load_checkpoint

    form = None if out is None else check_format(out)
    checkpoint = load_checkpoint(weights)
    found = style_map(checkpoint, kind, most, dataset)
    if out is not None and form is not None:
        from musenet.evaluation.style_map_picture import render
        from tokenizer.files import write_bytes

        what = {"composer": "composers", "style": "styles", "all": "composers and styles"}[kind]
        title = f"How alike {checkpoint.folder.name} finds {what}"
        write_bytes(out, render(found, form, title=title, seed=seed))
    if json:
        from json import dumps

        print(dumps(found.to_json(), indent=1, ensure_ascii=False))
    elif out is None:
        _print_table(found)


def _print_table(found: StyleMap) -> None:
    """Every label with those most like it."""
    from rich.console import Console
    from rich.table import Table

    names = {label.control: label.name for label in found.labels}
    table = Table("label", "period", "most like it")
    for index, label in enumerate(found.labels):
        near = ", ".join(f"{names[c]} {value:.2f}" for c, value in found.neighbours(index))
        table.add_row(label.name, label.group, near)
    Console().print(table)
