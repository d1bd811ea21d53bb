"""`musenet generate` in an empty folder, with an untrained model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from musenet.model.checkpoint import save_checkpoint
from musenet.model.transformer import Transformer
from tokenizer.encoding.tokenizer import Tokenizer

PIANO = Path(__file__).parents[3] / "examples" / "prompts" / "piano.mid"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def model(model_for: Callable[..., Transformer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model of one layer."""
    tokenizer = Tokenizer.default(composers=["bach", "chopin"], styles=["baroque"])
    folder = tmp_path_factory.mktemp("model") / "tiny"
    save_checkpoint(
        folder, model_for(tokenizer, layers=1, context=256, patterns=("dense",)), tokenizer, {}
    )
    return folder


@pytest.fixture
def run(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """Run the command in an empty folder; gives exit code, output and errors."""
    from musenet.cli.main import main

    monkeypatch.chdir(tmp_path)

    def go(*arguments: str | Path, model: Path | str = model) -> tuple[int, str, str]:
        words = ["generate", *map(str, arguments), "--weights", str(model)]
        code = 0
        try:
            main(words)
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return go


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
