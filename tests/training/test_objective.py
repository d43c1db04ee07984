"""The contrastive loss knows several right answers, and leaves the unclear ones out."""

from __future__ import annotations

import torch
from training.captions import FALSE, TRUE, UNCLEAR
from training.objective import contrastive


def test_right_answers_do_not_compete() -> None:
    states = torch.tensor([[TRUE, TRUE, FALSE], [FALSE, FALSE, TRUE]], dtype=torch.int8)
    separated = torch.where(states == TRUE, 20.0, -20.0)
    assert contrastive(separated, states) < 1e-6
    assert contrastive(-separated, states) > 10


def test_unclear_pairs_change_nothing() -> None:
    states = torch.tensor([[TRUE, UNCLEAR, FALSE], [FALSE, TRUE, TRUE]], dtype=torch.int8)
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    moved = logits.clone()
    moved[0, 1] += 5
    torch.testing.assert_close(contrastive(moved, states), contrastive(logits, states))


def test_chance_is_the_logarithm_of_the_choices() -> None:
    states = torch.eye(8, dtype=torch.int8)
    chance = torch.log(torch.tensor(8.0))
    torch.testing.assert_close(contrastive(torch.zeros(8, 8), states), chance)
