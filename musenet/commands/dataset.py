"""`musenet dataset info|verify|merge|sample`: look at, check and join dataset folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

dataset = typer.Typer(help="Look at, check and join datasets.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="A dataset folder.", show_default=False)]


@dataset.command()
def info(folder: Folder) -> None:
    """Say what is in a dataset."""
    from rich.console import Console
    from rich.table import Table

    from data_prep.shards import read_index

    index = read_index(folder)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    table = Table("corpus", "split", "pieces", "notes", "tokens", "hours")
    for column in table.columns[2:]:
        column.justify = "right"
    rows = [(c, s, t) for c, splits in report["corpora"].items() for s, t in splits.items()]
    rows += [("all", split, total) for split, total in report["splits"].items()]
    for corpus, split, total in rows:
        numbers = (f"{total[key]:,}" for key in ("pieces", "notes", "tokens"))
        table.add_row(corpus, split, *numbers, f"{total['hours']:,.1f}")
    console = Console()
    console.print(table)
    console.print(f"{index.pieces:,} pieces in {len(index.shards)} shards")
