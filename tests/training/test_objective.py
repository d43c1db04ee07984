"""The losses know several right answers, and leave the unclear ones out."""

from __future__ import annotations

import math

import pytest
import torch
from training.captions import FALSE, TRUE, UNCLEAR
from training.objective import (
    Heads,
    agreement,
    contrastive,
    mean_of_bags,
    of_bags,
    place_losses,
    strongest,
    yes_or_no,
)


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


def test_one_strong_place_makes_a_picture_say_yes() -> None:
    evidence = torch.full((1, 2, 4, 4), -10.0)
    evidence[0, 1, 2, 3] = 10.0
    no, yes = strongest(evidence)[0]
    assert no < -5 < 5 < yes


def test_unclear_judgements_change_nothing() -> None:
    states = torch.tensor([[TRUE, UNCLEAR, FALSE]], dtype=torch.int8)
    logits = torch.tensor([[3.0, 0.0, -3.0]])
    moved = torch.tensor([[3.0, 9.0, -3.0]])
    torch.testing.assert_close(yes_or_no(logits, states), yes_or_no(moved, states))
    assert yes_or_no(-logits, states) > yes_or_no(logits, states)


def test_a_patch_agrees_best_with_the_cells_it_covers() -> None:
    taught = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 4
    shares = taught.sigmoid()[0, 0]
    means = [shares[y : y + 2, x : x + 2].mean() for y in (0, 2) for x in (0, 2)]
    right = torch.stack(means).logit().reshape(1, 4, 1)
    states = torch.full((1, 1), TRUE)
    assert agreement(right, taught, states) < agreement(right.flip(1), taught, states)


def test_the_teacher_is_not_believed_where_a_caption_is_false() -> None:
    taught, evidence = torch.full((1, 1, 4, 4), 9.0), torch.full((1, 4, 1), -9.0)
    assert agreement(evidence, taught, torch.full((1, 1), FALSE)) < 1e-3
    assert agreement(evidence, taught, torch.full((1, 1), UNCLEAR)) > 5


def test_one_view_makes_its_bag_say_yes() -> None:
    evidence = torch.tensor([[-9.0], [9.0], [-9.0], [2.0]])
    states = torch.tensor([[TRUE], [TRUE], [TRUE], [FALSE]])
    joined, of_bag = of_bags(evidence, states, torch.tensor([5, 5, 5, 8]))
    assert joined[0].item() == pytest.approx(9 - math.log(3), abs=1e-3)
    assert joined[1].item() == pytest.approx(2, abs=1e-5)
    assert of_bag.tolist() == [[TRUE], [FALSE]]


def test_a_bag_is_as_similar_as_its_views_on_average() -> None:
    similarity = torch.tensor([[3.0, -3.0], [1.0, 5.0], [-1.0, 2.0]])
    states = torch.tensor([[TRUE, FALSE], [TRUE, FALSE], [FALSE, TRUE]])
    found, kept = mean_of_bags(similarity, states, torch.tensor([4, 4, 9]))
    assert found.tolist() == [[2.0, 1.0], [-1.0, 2.0]]
    assert kept.tolist() == [[TRUE, FALSE], [FALSE, TRUE]]


def test_a_row_with_nothing_wrong_leaves_gradients_finite() -> None:
    logits = torch.zeros(2, 2, requires_grad=True)
    contrastive(logits, torch.tensor([[TRUE, UNCLEAR], [TRUE, TRUE]])).backward()
    assert torch.isfinite(logits.grad).all()


def _places(known: bool = True) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return a token map of two patches, two texts, and which patch each covers."""
    texts = torch.eye(2)
    shares = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0 if known else torch.nan]]]])
    return torch.eye(2)[None], texts, shares


def test_patches_learn_what_covers_them() -> None:
    heads = Heads()
    tokens, texts, shares = _places()
    right = place_losses(heads, tokens, texts, shares)
    turned = place_losses(heads, tokens.flip(1), texts, shares)
    for name in ("place", "apart"):
        assert right[name] < turned[name]


def test_patches_that_nobody_knows_change_nothing() -> None:
    heads = Heads()
    tokens, texts, shares = _places(known=False)
    moved = tokens.clone()
    moved[0, 1, 1] += 5
    before, after = (place_losses(heads, each, texts, shares) for each in (tokens, moved))
    for name in ("place", "apart"):
        torch.testing.assert_close(before[name], after[name])


def test_views_without_anything_known_can_be_learned_from() -> None:
    tokens = torch.eye(2)[None].requires_grad_()
    losses = place_losses(Heads(), tokens, torch.eye(2), torch.full((1, 2, 1, 2), torch.nan))
    sum(losses.values(), torch.zeros(())).backward()
    assert not tokens.grad.any()  # type: ignore[union-attr]
