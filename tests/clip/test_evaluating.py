from __future__ import annotations

import pytest
from torch import nn

from napari_clip_heatmap.clip.weights import eval_mode


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
