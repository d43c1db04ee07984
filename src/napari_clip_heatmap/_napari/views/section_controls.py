"""Controls in the tabs below the table."""

from __future__ import annotations

from magicgui.widgets import CheckBox, ComboBox, Label, PushButton, SpinBox

from napari_clip_heatmap._napari.colormaps import COLORMAPS
from napari_clip_heatmap._napari.inputs.layer_planes import axis_choices
from napari_clip_heatmap._napari.views.choices import (
    AS_SAID,
    PROMPTS_ONLY,
    RANKING_LISTS,
    EditableChoice,
    Thumbnail,
    WhereChoice,
)
from napari_clip_heatmap._napari.views.control_spec import ControlSection, ControlSpec
from napari_clip_heatmap.imaging.lattice import PARTS
from napari_clip_heatmap.prompting.language import TEMPLATES

__all__ = ["PRECISIONS", "PREPROCESSINGS", "RESOLUTIONS", "SECTION_CONTROLS", "VIEWS"]

VIEWS = (
    ("as shown", "shown"),
    ("percentiles", "percentile"),
    ("min-max", "min-max"),
    ("raw", "raw"),
)

PRECISIONS = ("auto", "fp32", "fp64", "bf16", "fp16")

PREPROCESSINGS = ("openai", "imagenet", "half", "none")
"""Names that `api.load_model` knows; written out, as importing them would import torch."""

SLICES = (("current", "current"), ("a range", "range"), ("all", "all"))

RESOLUTIONS = ("auto", "1", "2", "4", "8")

QUALITIES = tuple(PARTS)

LAST_SLICE = 1_000_000

_LOADING = (
    ControlSpec(
        "device",
        ControlSection.LOADING,
        lambda sources, **given: EditableChoice(
            value="auto", choices=lambda _: sources.devices(), **given
        ),
        "Where the model runs; auto takes an accelerator if there is one. Or type the address of a "
        "Dask scheduler, such as tcp://127.0.0.1:8786: its workers encode, the rest stays here.",
        has_value=True,
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "templates",
        ControlSection.LOADING,
        lambda _, **given: EditableChoice(value="plain", choices=tuple(TEMPLATES), **given),
        "Sentences around your words, averaged; plain uses the words alone. Or type your own, "
        "such as: a photo of {}; a drawing of {}",
        has_value=True,
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "precision",
        ControlSection.LOADING,
        lambda _, **given: ComboBox(value="auto", choices=PRECISIONS, **given),
        "auto: half precision for large models if the device is fast with it and the maps stay "
        "within 1 % of their range. fp32 is exact to 1e-5.",
        has_value=True,
        shrinks=True,
    ),
    ControlSpec(
        "preprocess",
        ControlSection.LOADING,
        lambda _, **given: EditableChoice(
            value=AS_SAID, choices=(AS_SAID, *PREPROCESSINGS), **given
        ),
        "Mean and standard deviation of the colors that the model was trained with, if its files "
        "do not state them: a name, or three numbers each, such as .5,.5,.5/.2,.2,.2.",
        has_value=True,
        shrinks=True,
    ),
)

_VIEW = (
    ControlSpec(
        "preview",
        ControlSection.VIEW,
        lambda _, **given: Thumbnail(**given),
        "The part of the image that you see, as the model sees it.",
        label="",
    ),
    ControlSpec(
        "view",
        ControlSection.VIEW,
        lambda _, **given: ComboBox(value="shown", choices=VIEWS, **given),
        "How values become the colors that the model sees. as shown: by the layer's own contrast "
        "limits, gamma and colormap.\npercentiles: from the 1st to the 99.8th; min-max: over the "
        "whole range; raw: over the range of the data type.",
        has_value=True,
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "invert",
        ControlSection.VIEW,
        lambda _, **given: CheckBox(text="invert", **given),
        "Show the model the negative, for example of dark lines on a bright background.",
        label="",
        has_value=True,
    ),
    ControlSpec(
        "resolution",
        ControlSection.VIEW,
        lambda _, **given: EditableChoice(value="auto", choices=RESOLUTIONS, **given),
        "The pixel size at which the model sees the image: auto, a number of image pixels per "
        "model pixel (such as 2), or a size in the layer's unit (such as 0.65 um). Larger pixels "
        "show larger things, and are faster.",
        has_value=True,
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "quality",
        ControlSection.VIEW,
        lambda _, **given: ComboBox(value="standard", choices=QUALITIES, **given),
        "How many values a patch has: fine 2 x 2, in 4 times the time; finest 4 x 4, in 16 times. "
        "They come from tiles shifted by parts of a patch, the ones in the middle of the view "
        "first. Choose the view as the region to have only that part finer.",
        has_value=True,
        shrinks=True,
    ),
    ControlSpec(
        "resolution_info",
        ControlSection.VIEW,
        lambda _, **given: Label(**given),
        "How fine the map will be, and how far the model sees.",
        label="",
        wraps=True,
    ),
)

_REGION = (
    ControlSpec(
        "where",
        ControlSection.REGION,
        lambda sources, **given: WhereChoice(sources.viewer, **given),
        "The part of the image to use. What was computed outside of it stays, dimmed.",
        has_value=True,
        shrinks=True,
    ),
    ControlSpec(
        "draw",
        ControlSection.REGION,
        lambda _, **given: PushButton(text="\N{WHITE RECTANGLE}", **given),
        "Draw a rectangle on the image, and use its inside.",
        right_of="where",
    ),
    ControlSpec(
        "slices",
        ControlSection.REGION,
        lambda _, **given: ComboBox(value="current", choices=SLICES, **given),
        "Of a stack: the slice you see, a range along one axis, or all slices. All of them go into "
        "one layer per prompt, the slice you see first.",
        has_value=True,
        shrinks=True,
    ),
    ControlSpec(
        "follow",
        ControlSection.REGION,
        lambda _, **given: CheckBox(text="follow the slider", **given),
        "Compute the slice that you go to, as you move through the stack.",
        label="",
        has_value=True,
    ),
    ControlSpec(
        "along",
        ControlSection.REGION,
        lambda sources, **given: ComboBox(choices=lambda _: axis_choices(sources.image()), **given),
        "The axis of the slices. An axis of channels is used only if you choose it.",
        has_value=True,
        shrinks=True,
    ),
    ControlSpec(
        "first",
        ControlSection.REGION,
        lambda _, **given: SpinBox(max=LAST_SLICE, **given),
        "The first slice along the axis, counted from 0.",
        has_value=True,
        shrinks=True,
    ),
    ControlSpec(
        "last",
        ControlSection.REGION,
        lambda _, **given: SpinBox(max=LAST_SLICE, **given),
        "The last slice along the axis.",
        has_value=True,
        shrinks=True,
    ),
)

_STYLE = (
    ControlSpec(
        "compare",
        ControlSection.STYLE,
        lambda _, **given: CheckBox(text="compare side by side", **given),
        "Show each map in a cell of its own with the image beneath it; untick to go back.",
        label="",
        has_value=True,
    ),
    ControlSpec(
        "best",
        ControlSection.STYLE,
        lambda _, **given: CheckBox(text="best prompt per place", **given),
        "Show at each place which prompt fits best, in one color a prompt; the table has the "
        "colors, the status bar the prompt under the cursor.",
        label="",
        has_value=True,
    ),
    ControlSpec(
        "colormap",
        ControlSection.STYLE,
        lambda _, **given: ComboBox(value="jet", choices=COLORMAPS, **given),
        "Colors of the maps whose row has none of its own. signed: blue below zero, red above.",
        has_value=True,
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "transparent_low",
        ControlSection.STYLE,
        lambda _, **given: CheckBox(text="transparent where values are low", **given),
        "Make a map more transparent the lower its values are, so that the image shows through.",
        label="",
        has_value=True,
        persisted=True,
        former_name="fade",
    ),
    ControlSpec(
        "color_bar",
        ControlSection.STYLE,
        lambda _, **given: CheckBox(text="color bar", **given),
        "Draw the colors of each visible map, with their values, on the canvas.",
        label="",
        has_value=True,
        persisted=True,
        former_name="colour_bar",
    ),
)

_CLICK = (
    ControlSpec(
        "ranking_list",
        ControlSection.CLICK,
        lambda _, **given: ComboBox(value=PROMPTS_ONLY, choices=RANKING_LISTS, **given),
        "What a click on the image ranks: your prompts alone, or a list of words with them.",
        label="Words",
        has_value=True,
        persisted=True,
        former_name="words",
        shrinks=True,
    ),
    ControlSpec(
        "ranked",
        ControlSection.CLICK,
        lambda _, **given: Label(**given),
        "What fits best where you clicked; values relative to the mean.",
        label="",
        wraps=True,
    ),
)

SECTION_CONTROLS = (*_VIEW, *_REGION, *_STYLE, *_CLICK, *_LOADING)
