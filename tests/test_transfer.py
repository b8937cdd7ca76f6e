"""Made-up inputs: what they keep, and what they lose."""

from __future__ import annotations

import pytest
import torch

from distill_helpers import transfer

X = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))


def test_mixup_lies_on_the_lines_that_it_names() -> None:
    inputs, rows, share = transfer.mixup(X, 500, seed=1)
    first, second = X[rows[:, 0]], X[rows[:, 1]]
    expected = share[:, None] * first + (1 - share[:, None]) * second
    torch.testing.assert_close(inputs, expected)
    assert share.min() >= 0 and share.max() <= 1 and share.mean() == pytest.approx(0.5, abs=0.05)
    assert rows.unique().numel() == len(X)


def test_perturbed_inputs_stay_around_their_rows() -> None:
    inputs, rows = transfer.perturb(X, 4000, seed=1, scale=0.2)
    apart = inputs - X[rows]
    assert apart.std().item() == pytest.approx(0.2, rel=0.05)
    assert torch.bincount(rows).tolist() == [100] * 40
    assert torch.equal(transfer.perturb(X, 40, seed=1, scale=0.0)[0], X)


def test_shuffled_columns_keep_each_column_and_lose_what_they_say_together() -> None:
    x = torch.stack([X[:, 0], -X[:, 0]], 1)
    made = transfer.shuffle_columns(x, 4000, seed=1)
    for column in range(2):
        assert set(made[:, column].tolist()) == set(x[:, column].tolist())
    assert abs(torch.corrcoef(made.T)[0, 1].item()) < 0.05


def test_munge_goes_to_the_nearest_neighbour() -> None:
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [50.0, 50.0], [50.0, 53.0]])
    made = transfer.munge(x, 4000, seed=1)
    first = made.view(1000, 4, 2)
    assert (first[:, 0, 0] == 0).all(), "the neighbour has the same value, so there is no noise"
    swapped = first[:, 0, 1] != 0
    assert swapped.float().mean().item() == pytest.approx(0.5, abs=0.06)
    assert first[swapped, 0, 1].mean().item() == pytest.approx(1, abs=0.15), "around the neighbour"
    assert first[swapped, 0, 1].std().item() == pytest.approx(1, abs=0.15), "by the distance"
    far = first[first[:, 2, 1] != 50, 2, 1]
    assert far.std().item() == pytest.approx(3, rel=0.15)


def test_munge_has_two_knobs() -> None:
    assert torch.equal(transfer.munge(X, 40, seed=1, swap=0.0), X)
    near = transfer.munge(X, 40, seed=1, swap=1.0, variance=1e9)
    apart = torch.cdist(X, X).fill_diagonal_(torch.inf)
    torch.testing.assert_close(near, X[apart.argmin(1)])


@pytest.mark.parametrize(
    "make",
    [
        lambda x, n, seed: transfer.mixup(x, n, seed)[0],
        lambda x, n, seed: transfer.perturb(x, n, seed)[0],
        transfer.shuffle_columns,
        transfer.munge,
    ],
)
def test_seeds_sizes_and_refusals(make) -> None:  # type: ignore[no-untyped-def]
    before = X.clone()
    state = torch.get_rng_state()
    made = make(X, 70, 3)
    assert made.shape == (70, 3) and made.dtype == X.dtype and made.isfinite().all()
    assert torch.equal(made, make(X, 70, 3)) and not torch.equal(made, make(X, 70, 4))
    assert torch.equal(X, before) and torch.equal(state, torch.get_rng_state())
    with pytest.raises(ValueError, match=r"^n is 0; it must be 1 or more"):
        make(X, 0, 0)
    with pytest.raises(ValueError, match=r"^x has shape \(3,\); it must be \(N, D\)"):
        make(X[0], 5, 0)


def test_a_neighbour_needs_two_rows() -> None:
    with pytest.raises(ValueError, match=r"^x has 1 rows; a neighbour needs two or more"):
        transfer.munge(X[:1], 5, 0)
