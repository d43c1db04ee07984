"""The teacher sees the same everywhere, and learns where things are from captions alone."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F
from training.objective import strongest, yes_or_no
from training.teacher import STRIDE, Teacher


def test_one_answer_for_every_cell() -> None:
    texts = F.normalize(torch.randn(3, 16), dim=-1)
    evidence = Teacher(16).eval()(torch.randn(2, 3, 32, 48), texts)
    assert evidence.shape == (2, 3, 32 // STRIDE, 48 // STRIDE)


@pytest.mark.long
def test_it_finds_what_only_whole_pictures_were_said_to_show() -> None:
    torch.manual_seed(0)
    teacher, texts = Teacher(8), torch.eye(8)[:2]
    optimizer = torch.optim.AdamW(teacher.parameters(), 3e-3)
    for _ in range(30):
        images, states, _ = _red_or_green_spots(16)
        loss = yes_or_no(strongest(teacher(images, texts)), states)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    images, _, where = _red_or_green_spots(16)
    with torch.no_grad():
        evidence = teacher.eval()(images, texts)
    for number, (color, y, x) in enumerate(where):
        own = evidence[number, color]
        assert own[y // STRIDE, x // STRIDE] > own.mean()


def _red_or_green_spots(n: int) -> tuple[torch.Tensor, torch.Tensor, list[tuple[int, int, int]]]:
    images, states, where = 0.1 * torch.randn(n, 3, 32, 32), torch.zeros(n, 2), []
    for image, state in zip(images, states, strict=True):
        color, y, x = int(torch.randint(2, ())), *torch.randint(4, 28, (2,)).tolist()
        image[color, y - 3 : y + 4, x - 3 : x + 4] += 2
        state[color] = 1
        where.append((color, y, x))
    return images, states.to(torch.int8), where
