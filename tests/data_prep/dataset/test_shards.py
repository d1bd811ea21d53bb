from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep.dataset.pieces import Pieces, splits_of
from data_prep.dataset.shards import (
    ROW_BYTES,
    ShardWriter,
    open_shards,
    piece_schema,
    read_index,
    table_rows,
    write_index,
)
from tokenizer import InputError


def columns(number: int) -> dict[str, Any]:
    """Every column but where the tokens are, empty except for the file's name."""
    row = {name: None for name in piece_schema().names if name not in ("shard", "offset", "length")}
    return row | {"source": f"{number}.mid"}


def test_tokens_come_back_from_several_shards(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    bodies = [random.integers(0, 99, (n, 5)).astype("<i2") for n in (3, 4, 1, 9, 2)]
    writer = ShardWriter(tmp_path, shard_rows=7)
    for number, body in enumerate(bodies):
        writer.add(body.tobytes(), columns(number))
    for name in ("tokenizer.json", "report.json", "report.html"):
        (tmp_path / name).touch()
    write_index(tmp_path, writer.close(), len(bodies))
    index = read_index(tmp_path)
    assert [shard.rows for shard in index.shards] == [7, 1, 9, 2]  # a long piece has its own
    assert index.pieces == 5
    shards = open_shards(tmp_path, index)
    for number, row in enumerate(table_rows(tmp_path)):
        assert row["source"] == f"{number}.mid"
        found = shards[row["shard"]][row["offset"] : row["offset"] + row["length"]]
        np.testing.assert_array_equal(found, bodies[number])
    last = index.shards[-1]
    assert (tmp_path / last.file).stat().st_size == last.rows * ROW_BYTES


def test_the_documented_columns_are_in_the_table() -> None:
    documented = set(re.findall(r"`([a-z_]+)`", str(piece_schema.__doc__)))
    assert len(documented) >= 5
    assert documented <= set(piece_schema().names)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "something else"}, "does not describe a dataset"),
        ({"version": 99}, "of version 99, and this program reads version 1"),
        ({"pieces": "many"}, "damaged"),
        ({"shards": [{"file": "tokens/00000.bin"}]}, "damaged"),
        ({"shrads": []}, "did you mean 'shards'"),
    ],
)
def test_a_wrong_index_is_refused(dataset: Path, change: dict[str, Any], message: str) -> None:
    path = dataset / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=message):
        read_index(dataset)


def test_an_index_that_is_not_json_is_refused(dataset: Path) -> None:
    (dataset / "dataset.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        read_index(dataset)


def test_a_table_that_is_missing_or_damaged_is_named(dataset: Path) -> None:
    table = dataset / "pieces.parquet"
    table.write_bytes(table.read_bytes()[:100])
    with pytest.raises(InputError, match=r"pieces\.parquet cannot be read .*; prepare the"):
        splits_of(dataset)
    with pytest.raises(InputError, match=r"pieces\.parquet cannot be read .*; prepare the"):
        list(table_rows(dataset))
    table.unlink()
    with pytest.raises(InputError, match=r"incomplete: it has no pieces\.parquet; prepare it"):
        splits_of(dataset)
    with pytest.raises(InputError, match=r"incomplete: it has no pieces\.parquet; prepare it"):
        Pieces(dataset, "train")
