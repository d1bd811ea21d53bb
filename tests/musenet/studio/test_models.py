"""The weights, and that the page need not wait for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from musenet.studio.models import Weights
from tokenizer.errors import InputError

ROOT = Path(__file__).parents[3]


def test_the_studio_is_there_before_pytorch() -> None:
    code = (
        "import sys; from musenet.studio import about, models, server; "
        "about.info(models.Weights('mini')); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_weights_that_are_not_there_are_refused_at_once() -> None:
    with pytest.raises(InputError, match="did you mean 'mini'"):
        Weights("mimi")
