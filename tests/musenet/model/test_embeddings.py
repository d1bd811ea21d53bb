"""One summed look-up equals separate look-ups, forward and backward."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from musenet.model.embeddings import SummedEmbedding


def test_it_is_the_sum_of_separate_tables() -> None:
    torch.manual_seed(0)
    sizes = (7, 3, 5)
    embedding = SummedEmbedding(sizes, 4, 1.0).double()
    values = torch.stack([torch.randint(0, size, (2, 6)) for size in sizes], -1)
    tables = [t.detach().requires_grad_() for t in torch.split(embedding.weight, list(sizes))]
    expected = torch.stack([F.embedding(values[..., i], t) for i, t in enumerate(tables)]).sum(0)
    found = embedding(values[..., :1], values[..., 1:])
    assert torch.allclose(found, expected, atol=1e-12)
    g = torch.randn(found.shape, dtype=torch.float64)
    (whole,) = torch.autograd.grad(found, [embedding.weight], g)
    assert torch.allclose(whole, torch.cat(torch.autograd.grad(expected, tables, g)), atol=1e-12)


def test_a_single_column_is_its_own_table() -> None:
    embedding = SummedEmbedding((7, 3, 5), 4, 1.0)
    values = torch.tensor([[0, 4], [2, 1]])
    assert torch.equal(embedding.column(2, values), embedding.weight[10:][values])


def test_buffers_can_be_filled_in_after_meta() -> None:
    with torch.device("meta"):
        embedding = SummedEmbedding((7, 3, 5), 4, 1.0)
    embedding.to_empty(device="cpu")
    embedding.reset_buffers()
    assert embedding.offsets.tolist() == [0, 7, 10]
    assert list(embedding.state_dict()) == ["weight"]
