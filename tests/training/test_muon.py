"""Muon in single precision steps as PyTorch's own, which computes in half precision."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from training.muon import make_muon

from training import muon


@pytest.mark.parametrize("shape", [(24, 24), (16, 64), (64, 16)])
def test_it_steps_as_pytorch_does(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(shape) * 0.05, torch.randn(6, *shape)
    found = []
    for precision in (torch.float32, torch.bfloat16):
        monkeypatch.setattr(muon, "fast_type", lambda device, precision=precision: precision)
        matrix = nn.Parameter(start.clone())
        optimizer = make_muon([matrix])
        for gradient in gradients:
            optimizer.param_groups[0]["lr"] = 1e-2
            matrix.grad = gradient.clone()
            optimizer.step()
        found.append(matrix.detach() - start)
    ours, pytorchs = found
    assert ours.norm() > 0.1
    assert (ours - pytorchs).norm() < 0.03 * pytorchs.norm()


def test_a_run_that_was_interrupted_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "fast_type", lambda device: torch.float32)
    whole, first = (nn.Parameter(torch.ones(4, 4)) for _ in range(2))
    gradients = torch.randn(4, 4, 4)
    one, begun = make_muon([whole]), make_muon([first])
    for gradient in gradients:
        whole.grad = gradient.clone()
        one.step()
    for gradient in gradients[:2]:
        first.grad = gradient.clone()
        begun.step()
    resumed = nn.Parameter(first.detach().clone())
    going_on = make_muon([resumed])
    going_on.load_state_dict(begun.state_dict())
    for gradient in gradients[2:]:
        resumed.grad = gradient.clone()
        going_on.step()
    assert torch.equal(resumed, whole)


def test_singular_values_come_near_to_one() -> None:
    values = torch.linalg.svdvals(muon._orthogonal(torch.randn(40, 12)))
    assert 0.5 < values.min() < values.max() < 1.5
