"""The controls of the dock widget, each with its name, choices and tooltip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, ComboBox, Label, ProgressBar, PushButton, SpinBox

from napari_clip_heatmap._napari.colormaps import COLORMAPS, LayerStyle
from napari_clip_heatmap._napari.controllers.click_ranking import LISTS, PROMPTS_ONLY
from napari_clip_heatmap._napari.inputs.layer_planes import axis_choices
from napari_clip_heatmap._napari.views.choices import (
    AS_SAID,
    ChannelChoice,
    EditableChoice,
    ImageChoice,
    PromptList,
    Thumbnail,
    WhereChoice,
)
from napari_clip_heatmap._napari.views.prompt_table import PromptTable
from napari_clip_heatmap.pipeline.score_registry import SCORES
from napari_clip_heatmap.prompting.templates import TEMPLATES

if TYPE_CHECKING:
    from magicgui.widgets import Widget
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["ControlSources", "make_controls"]

DEFAULT_PROMPTS = ("nuclei", "filaments", "mitochondria")
"""Words that the bundled model knows; to be typed over."""

KNOWN_MODELS = (
    "demo",
    "ViT-B-32/laion2b_s34b_b79k",
    "ViT-B-16/laion2b_s34b_b88k",
    "ViT-L-14/laion2b_s32b_b82k",
    "ViT-L-14/openai",
    "ViT-H-14/laion2b_s32b_b79k",
    "hf-hub:imageomics/bioclip",
    "hf-hub:wisdomik/QuiltNet-B-32",
)


VIEWS = (
    ("as shown", "shown"),
    ("percentiles", "percentile"),
    ("min-max", "min-max"),
    ("raw", "raw"),
)

PRECISIONS = ("auto", "fp32", "fp64", "bf16", "fp16")

PREPROCESSINGS = ("openai", "imagenet", "half", "none")
"""Names that `api.load_model` knows; spelt out, as importing them would import torch."""

SLICES = (("current", "current"), ("a range", "range"), ("all", "all"))

RESOLUTIONS = ("auto", "1", "2", "4", "8")

LAST_SLICE = 1_000_000


@dataclass(frozen=True)
class ControlSources:
    """What the choices are read from, each time they are needed.

    Parameters
    ----------
    viewer : callable
        Returns the viewer, or None while there is none.
    image : callable
        Returns the chosen image layer, or None.
    devices : callable
        Returns the devices known so far.
    look : callable
        Returns how maps become colours.
    """

    viewer: Callable[[], ViewerModel | None]
    image: Callable[[], Image | None]
    devices: Callable[[], tuple[str, ...]]
    look: Callable[[], LayerStyle]


def make_controls(known: ControlSources) -> list[Widget]:
    """Return the controls, in the order in which Tab goes through them."""
    return [
        *_question(known),
        *_loading(),
        *_view(known),
        *_where(known),
        *_look(),
        *_actions(),
        *_results(),
        *_there(),
    ]


def _question(known: ControlSources) -> list[Widget]:
    return [
        ImageChoice(
            known.viewer,
            name="image",
            tooltip="The image layer to ask; it follows the layer you select. Of a stack, the "
            "slice you see is asked, or those you choose below.",
        ),
        EditableChoice(
            name="model",
            value="demo",
            choices=KNOWN_MODELS,
            tooltip="demo: the small microscopy model that comes with the plugin, no download.\n"
            "Or type any open_clip model: ARCH/TAG, hf-hub:ORG/NAME, local-dir:FOLDER.",
        ),
        PushButton(
            name="choose",
            text="\N{HORIZONTAL ELLIPSIS}",
            tooltip="Choose a model from a list with sizes, training data and licences; download "
            "one; open weights of your own.",
        ),
        ComboBox(
            name="device",
            value="auto",
            choices=lambda _: known.devices(),
            tooltip="Where the model runs; auto takes an accelerator if there is one.",
        ),
        PromptTable(
            name="prompts",
            value=DEFAULT_PROMPTS,
            look=known.look,
            tooltip="What to look for, a row each; Ctrl+Enter runs. Once the image is encoded, "
            "the maps follow while you type.",
        ),
        ComboBox(
            name="score",
            value="relative",
            choices=tuple(SCORES),
            tooltip="\n".join(f"{name}: {each.help}." for name, each in SCORES.items()),
        ),
        PromptList(
            name="baseline",
            lines=2,
            grows=False,
            placeholder="baseline, such as: background",
            tooltip="One a line: the prompts to contrast with; for softmax, prompts that compete "
            "but get no map.",
        ),
        EditableChoice(
            name="templates",
            value="plain",
            choices=tuple(TEMPLATES),
            tooltip="Sentences around your words, averaged: plain is the words alone. Or type your "
            "own, such as: a photo of {}; a drawing of {}",
        ),
    ]


def _loading() -> list[Widget]:
    return [
        ComboBox(
            name="precision",
            value="auto",
            choices=PRECISIONS,
            tooltip="auto: half precision for large models, where the device is fast in it and the "
            "maps stay within 1 % of their range. fp32 is exact to 1e-5.",
        ),
        EditableChoice(
            name="preprocess",
            value=AS_SAID,
            choices=(AS_SAID, *PREPROCESSINGS),
            tooltip="Mean and deviation of the colours that the model was trained with, where its "
            "files do not say them: a name, or three numbers each, such as .5,.5,.5/.2,.2,.2.",
        ),
    ]


def _view(known: ControlSources) -> list[Widget]:
    return [
        Thumbnail(name="preview", tooltip="What the model is shown of the part that you see."),
        ChannelChoice(
            known.viewer,
            known.image,
            name="channels",
            tooltip="Further channels of the same image, looked at together: each in its colormap "
            "and contrast, added up as the viewer does. Ctrl+click for several.",
        ),
        ComboBox(
            name="view",
            value="shown",
            choices=VIEWS,
            tooltip="How values become what the model sees. as shown: by the layer's own contrast "
            "limits, gamma and colormap.\npercentiles: from the 1st to the 99th; min-max: over the "
            "whole range; raw: over the range of the data type.",
        ),
        CheckBox(
            name="invert",
            text="invert",
            tooltip="Show the model the negative, such as dark lines on a bright ground.",
        ),
        EditableChoice(
            name="resolution",
            value="auto",
            choices=RESOLUTIONS,
            tooltip="The pixel size at which the model looks: auto, a number of image pixels per "
            "pixel of the model (such as 2), or a size in the layer's unit (such as 0.65 um). "
            "Larger sees larger things, and is faster.",
        ),
        Label(
            name="resolution_info", tooltip="How fine the map will be, and how far the model sees."
        ),
    ]


def _where(known: ControlSources) -> list[Widget]:
    return [
        WhereChoice(
            known.viewer,
            name="where",
            tooltip="The part of the image to look at. What lies outside stays as it is, or empty.",
        ),
        ComboBox(
            name="slices",
            value="current",
            choices=SLICES,
            tooltip="Of a stack: the slice you see, steps of one axis, or all of them. All go into "
            "one layer per prompt, the slice you see first.",
        ),
        ComboBox(
            name="along",
            choices=lambda _: axis_choices(known.image()),
            tooltip="The axis to go along. Channels are only gone along when you choose them.",
        ),
        SpinBox(name="first", max=LAST_SLICE, tooltip="The first step along the axis, from 0."),
        SpinBox(name="last", max=LAST_SLICE, tooltip="The last step along the axis."),
    ]


def _look() -> list[Widget]:
    return [
        ComboBox(
            name="colormap",
            value="jet",
            choices=COLORMAPS,
            tooltip="Colours of the maps whose row has none of its own. signed: blue below zero, "
            "red above.",
        ),
        ComboBox(
            name="scale",
            value="own",
            choices=(("each map its own", "own"), ("one for all", "shared")),
            tooltip="Whether colours run over each map's own range, or over one for all, so that "
            "maps can be compared; then their contrast limits are linked.",
        ),
        CheckBox(
            name="transparent_low",
            text="clear where there is little",
            tooltip="Make maps the more transparent the less they find, so the image shows.",
        ),
        CheckBox(
            name="color_bar",
            text="colour bar",
            tooltip="Draw each visible map's colours with their values onto the canvas.",
        ),
    ]


def _there() -> list[Widget]:
    return [
        ComboBox(
            name="ranking_list",
            value=PROMPTS_ONLY,
            choices=LISTS,
            tooltip="What a click on the image ranks: your prompts, or these words with them.",
        ),
        Label(name="ranked", tooltip="What fits best where you clicked; values beyond the mean."),
    ]


def _actions() -> list[Widget]:
    return [
        PushButton(name="run", text="Run", tooltip="Make a heatmap layer per prompt (Ctrl+Enter)."),
        PushButton(
            name="cancel",
            text="Cancel",
            tooltip="Stop after the tile now in work (Esc); what is done stays, and running again "
            "goes on from there.",
        ),
        ProgressBar(
            name="progress",
            min=0,
            max=1,
            value=0,
            tooltip="Tiles of the image done, or megabytes of a model downloaded.",
        ),
    ]


def _results() -> list[Widget]:
    return [
        PushButton(name="show_all", text="Show all", tooltip="Show all heatmap layers."),
        PushButton(name="hide_all", text="Hide all", tooltip="Hide all heatmap layers, keep them."),
        PushButton(
            name="remove_all",
            text="Remove all",
            tooltip="Remove all heatmap layers; layers of yours stay.",
        ),
        PushButton(
            name="more",
            text="More",
            tooltip="Copy a layer as a Python script or as a methods text; save, open and clear "
            "encodings.",
        ),
        Label(name="status", tooltip="What the last run did."),
        Label(name="notes", tooltip="How these heatmaps are to be read."),
    ]
