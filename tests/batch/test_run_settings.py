from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_clip_heatmap.batch.inputs.colored_channels import ChannelColor
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice
from napari_clip_heatmap.imaging.view import View


def settings(**changed: object) -> RunSettings:
    return RunSettings(("a.tif",), ("nuclei", "debris"), Path("/out"), **changed)  # type: ignore[arg-type]


ALL = settings(
    view=View(limits=(1, 2)),
    choice=PictureChoice(page=2, channel=(0, 1, 2)),
    layers=("3", "L4"),
    mpp=0.5,
    inside="tissue",
    write=("labels", "table"),
    threshold=0.25,
)


def test_a_record_is_json_and_read_back() -> None:
    record = json.loads(json.dumps(ALL.record()))
    assert RunSettings.from_record(record) == ALL
    assert (record["page"], record["channel"], record["z"]) == (2, [0, 1, 2], None)


def test_colors_of_channels_are_recorded_and_leave_other_identities_as_they_were() -> None:
    colored = settings(colors=(ChannelColor(0, "blue"), ChannelColor(3, "#ff8800")))
    record = json.loads(json.dumps(colored.record()))
    assert RunSettings.from_record(record) == colored
    assert colored.identity() != settings().identity()
    assert "colors" not in settings().record()


def test_channels_are_chosen_in_one_way() -> None:
    with pytest.raises(SettingsError, match="both say which channels"):
        settings(colors=(ChannelColor(0, "blue"),), choice=PictureChoice(channel=0))


def test_identity_is_of_what_decides_results() -> None:
    base = settings().identity()
    assert settings(write=("labels",), recursive=True, device="cpu").identity() == base
    assert RunSettings(("b.tif",), ("nuclei", "debris"), Path("/x")).identity() == base
    others = [
        settings(score="absolute"),
        settings(downsample=2.0),
        settings(quality="fine"),
        settings(threshold="yen"),
        settings(view=View("raw")),
        settings(choice=PictureChoice(z=1)),
        settings(layers=("3",)),
        RunSettings(("a.tif",), ("debris", "nuclei"), Path("/out")),
    ]
    assert len({base, *(each.identity() for each in others)}) == len(others) + 1


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"write": ("maps", "tables")}, "tables"),
        ({"write": ()}, "no output"),
        ({"format": "png"}, "png"),
        ({"mpp": -1.0}, "mpp"),
        ({"mpp": float("nan")}, "mpp"),
        ({"mpp": 0.5, "downsample": 2.0}, "one of them"),
    ],
)
def test_what_cannot_be_is_refused(changed: dict[str, object], word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        settings(**changed)


def test_the_standard_quality_leaves_identities_as_they_were() -> None:
    assert "quality" not in settings().decisive()
    assert settings(quality="finest").decisive()["quality"] == "finest"
    with pytest.raises(SettingsError, match="quality is 'best'"):
        settings(quality="best")
