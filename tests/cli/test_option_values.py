from __future__ import annotations

from contextlib import suppress

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.cli.option_values import (
    parse_channel,
    parse_colors,
    parse_downsample,
    parse_kinds,
    parse_view,
    prompts_and_templates,
)
from napari_clip_heatmap.errors import ClipHeatmapError, SettingsError
from napari_clip_heatmap.imaging.view import View


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    channels = parse_colors if ":" in text else parse_channel
    for parse in (channels, parse_downsample, parse_view):
        with suppress(typer.BadParameter, SettingsError):
            assert parse(text) is not None


def test_what_is_written_follows_from_four_options() -> None:
    assert parse_kinds("maps,overlays") == ("maps", "overlays")
    assert parse_kinds("maps,overlays", no_overlay=True, csv=True) == ("maps", "table")
    assert parse_kinds("labels,table", into_source=True, csv=True) == ("table", "source-labels")


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_two_values_in_order_are_a_range(low: float, high: float) -> None:
    text = f"{low!r},{high!r}"
    if low < high:
        assert parse_view(text) == View(limits=(low, high))
    else:
        with pytest.raises(SettingsError, match="limits"):
            parse_view(text)


@pytest.mark.parametrize("text", ["inf,1", "1", "1,2,3", "a,b", "nan,nan", "", "viewer"])
def test_other_views_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="accepted"):
        parse_view(text)


def test_views_by_name() -> None:
    assert parse_view(None) == View()
    assert parse_view("min-max") == View("min-max")
    assert parse_view("-1e308,1e308") == View(limits=(-1e308, 1e308))


def test_channels() -> None:
    assert parse_channel(None) is None
    assert parse_channel(" 2 ") == 2
    assert parse_channel("2, 0,1") == (2, 0, 1)
    for text in ("1,2", "-1", "1.0", "", "a", "0,1,2,3"):
        with pytest.raises(typer.BadParameter, match="--channel"):
            parse_channel(text)


def test_channels_in_colors() -> None:
    assert parse_colors(None) == parse_colors("2,0,1") == ()
    text = "0:blue, 12 : #FF8800,3:hsl(120, 100%, 50%)"
    assert parse_channel(text) is None
    found = [(each.number, each.color) for each in parse_colors(text)]
    assert found == [(0, "#0000ff"), (12, "#ff8800"), (3, "#00ff00")]
    for text in ("0:", ":blue", "0:blue,1", "-1:blue", "a:blue", "0:blue,,1:red", "1:red,1:blue"):
        with pytest.raises(typer.BadParameter, match="--channel"):
            parse_colors(text)
    with pytest.raises(SettingsError, match="no color 'bleu'"):
        parse_colors("0:bleu")


def test_downsample() -> None:
    assert parse_downsample("auto") == "auto"
    assert parse_downsample("1.5") == 1.5
    assert parse_downsample("0.5") == 0.5
    for text in ("0.1", "0", "-1", "inf", "nan", "x", ""):
        with pytest.raises(typer.BadParameter, match="--downsample"):
            parse_downsample(text)


def test_prompts_of_a_set_come_first() -> None:
    prompts, templates = prompts_and_templates(["my own"], "blood smear", [])
    assert prompts[-1] == "my own"
    assert len(prompts) > 2
    assert all("{}" in template for template in templates)
    with pytest.raises(typer.BadParameter, match="--prompt"):
        prompts_and_templates([], None, [])
    with pytest.raises(ClipHeatmapError, match="no such set"):
        prompts_and_templates([], "no such set", [])
