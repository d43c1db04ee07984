from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from napari_clip_heatmap.clip.weights import (
    Notices,
    eval_mode,
    hash_weights,
    log_once,
    require_finite,
)
from napari_clip_heatmap.errors import ModelLoadError


def test_it_depends_on_every_weight_and_on_nothing_else(tiny_clip: Any) -> None:
    same = copy.deepcopy(tiny_clip)
    assert hash_weights(same) == hash_weights(tiny_clip)
    for name in ("visual.proj", "token_embedding.weight", "logit_scale"):
        other = copy.deepcopy(tiny_clip)
        with torch.no_grad():
            other.get_parameter(name).view(-1)[-1] += 1e-3
        assert hash_weights(other) != hash_weights(tiny_clip)
    assert hash_weights(same.bfloat16()) != hash_weights(tiny_clip)


def test_every_part_gets_its_own_mode_back_even_after_a_failure() -> None:
    module = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    module[1].eval()
    before = [part.training for part in module.modules()]
    with eval_mode(module):
        assert not any(part.training for part in module.modules())
    assert [part.training for part in module.modules()] == before
    with pytest.raises(ZeroDivisionError), eval_mode(module):
        _ = 1 / 0
    assert [part.training for part in module.modules()] == before == [True, True, False, False]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_that_are_not_finite_are_refused_by_name(value: float, dtype: torch.dtype) -> None:
    bad = torch.zeros(4, 5, dtype=dtype)
    bad[2, 3] = value
    weights = {"good": torch.ones(3), "count": torch.tensor(7), "empty": torch.empty(0), "bad": bad}
    with pytest.raises(ModelLoadError, match=r"w\.bin cannot be used: tensor 'bad' holds NaN"):
        require_finite(weights.items(), origin="w.bin")
    del weights["bad"]
    require_finite(weights.items(), origin="w.bin")
    require_finite({"text.attn_mask": bad}.items(), origin="w.bin")  # infinite on purpose


def test_the_newest_notice_of_a_subject_counts_and_each_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log_once.cache_clear()
    notices = Notices()
    for subject, message in [("a", "one"), ("b", "two"), ("a", "three"), ("a", "three")]:
        notices.add(subject, message)
    assert list(notices) == ["three", "two"]
    assert [record.getMessage() for record in caplog.records] == ["one", "two", "three"]
