"""`musenet average A B … --out MEAN`: one model from several runs that began alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Figures, Notices, Remarks


def average(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL MODEL…",
            help="Checkpoints that runs with the same `initial` weights exported.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="The new model's folder.", show_default=False)],
    figures: Figures = None,
    notices: Notices = None,
    remarks: Remarks = None,
) -> None:
    """Average the parameters of models that were trained from the same weights."""
    from musenet.training import average as averaging
    from musenet.training.publish import CardExtras

    found = averaging.average(folders, out, CardExtras(figures, notices, remarks))
    print(f"{out}: the mean of {len(folders)} models, {found}")
