from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap._napari.job.request import (
    HeatmapRequest,
    HeatmapResult,
    PlaneRequest,
    ResultStatus,
)
from napari_clip_heatmap.imaging.channel import Channel, as_channels
from napari_clip_heatmap.imaging.view import View


def request(**settings):
    planes = (PlaneRequest((), as_channels(np.zeros((4, 4)))),)
    return HeatmapRequest(planes, ("red",), **settings)


def result(status):
    return HeatmapResult(
        stack=None,
        limits=(),
        scoring=None,
        keys=(),
        similarity=np.zeros(0, np.float32),
        unowned=np.zeros(0, np.float32),
        tiling={},
        encodings={},
        tiles=0,
        seconds=0.0,
        status=status,
    )


def test_a_model_is_loaded_with_the_options_that_were_set_and_no_others():
    assert request().loading == ("demo", {"device": "auto"})
    other = request(model="ViT-B-32/openai", device="cpu", precision="fp32", preprocess="half")
    options = {"device": "cpu", "precision": "fp32", "preprocess": "half"}
    assert other.loading == ("ViT-B-32/openai", options)


@pytest.mark.parametrize("mode", ["raw", "min-max"])
def test_a_view_is_described_by_its_mode(mode):
    assert request(view=View(mode)).view_record == {"mode": mode, "invert": False}


def test_a_view_as_shown_is_described_by_limits_and_gamma():
    channel = Channel((np.zeros((4, 4)),), limits=(1.0, 9.0), gamma=0.5)
    shown = HeatmapRequest((PlaneRequest((), (channel,)),), ("red",), view=View("shown"))
    assert shown.view_record["limits"] == [[1.0, 9.0]]
    assert shown.view_record["gamma"] == [0.5]


@pytest.mark.parametrize("status", ResultStatus)
def test_all_but_a_partial_result_are_final_and_only_one_is_complete(status):
    assert result(status).final is (status is not ResultStatus.PARTIAL)
    assert result(status).complete is (status is ResultStatus.COMPLETE)
