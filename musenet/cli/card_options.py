"""Options of the commands that write a model card: what it holds beside the record of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Figures = Annotated[
    Path | None, typer.Option(help="For the card: what `musenet evaluate --json` wrote.")
]
Notices = Annotated[
    Path | None, typer.Option(help="For the card: a folder of CORPUS/ATTRIBUTION.txt.")
]
Remarks = Annotated[
    Path | None, typer.Option(help="For the card: a text of what else was found out.")
]
