"""The controls of the dock widget: a table of them, a spec each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, ComboBox, Label, ProgressBar, PushButton, SpinBox

from napari_clip_heatmap._napari.colormaps import COLORMAPS
from napari_clip_heatmap._napari.inputs.layer_planes import axis_choices
from napari_clip_heatmap._napari.views.choices import (
    AS_SAID,
    PROMPTS_ONLY,
    RANKING_LISTS,
    ChannelChoice,
    EditableChoice,
    ImageChoice,
    PromptList,
    Thumbnail,
    WhereChoice,
)
from napari_clip_heatmap._napari.views.control_spec import (
    ControlSection,
    ControlSources,
    ControlSpec,
)
from napari_clip_heatmap._napari.views.prompt_table import PromptTable
from napari_clip_heatmap.prompting.templates import TEMPLATES

if TYPE_CHECKING:
    from magicgui.widgets import Widget

__all__ = ["CONTROLS", "make_controls"]

DEFAULT_PROMPTS = ("nuclei", "filaments", "mitochondria")
"""Words that the bundled model knows, to be typed over."""

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

SCORES = ("relative", "absolute", "contrast", "softmax")

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

LAST_SLICE = 1_000_000


def make_controls(sources: ControlSources) -> list[Widget]:
    """Return new controls, in the order in which Tab goes through them."""
    return [spec.widget(sources) for spec in CONTROLS]


_FORM = (
    ControlSpec(
        "image",
        ControlSection.FORM,
        lambda sources, **given: ImageChoice(sources.viewer, **given),
        "The image layer to make heatmaps of; it follows the layer you select. Of a stack, the "
        "slice you see is used, or the slices you choose below.",
        shrinks=True,
    ),
    ControlSpec(
        "model",
        ControlSection.FORM,
        lambda _, **given: EditableChoice(value="demo", choices=KNOWN_MODELS, **given),
        "demo: the small microscopy model that comes with the plugin, no download.\n"
        "Or type any open_clip model: ARCH/TAG, hf-hub:ORG/NAME, local-dir:FOLDER.",
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "choose",
        ControlSection.FORM,
        lambda _, **given: PushButton(text="\N{HORIZONTAL ELLIPSIS}", **given),
        "Choose a model from a list with sizes, training data and licenses; download one; open "
        "your own weights.",
        right_of="model",
    ),
    ControlSpec(
        "device",
        ControlSection.FORM,
        lambda sources, **given: ComboBox(
            value="auto", choices=lambda _: sources.devices(), **given
        ),
        "Where the model runs; auto takes an accelerator if there is one.",
        shrinks=True,
    ),
    ControlSpec(
        "prompts",
        ControlSection.FORM,
        lambda sources, **given: PromptTable(value=DEFAULT_PROMPTS, style=sources.style, **given),
        "What to look for, one prompt per row; Ctrl+Enter runs. Once the image is encoded, the "
        "maps follow while you type.",
        label="",
        shrinks=True,
    ),
    ControlSpec(
        "score",
        ControlSection.FORM,
        lambda _, **given: ComboBox(value="relative", choices=SCORES, **given),
        "relative: how much better a prompt fits here than the average of all prompts; a single "
        "prompt is compared with neutral ones.\n"
        "absolute: what the patch contributes to the similarity between image and prompt.\n"
        "contrast: how much better a prompt fits here than the baseline prompts.\n"
        "softmax: the probability of each prompt, by the model's own scale.",
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "templates",
        ControlSection.FORM,
        lambda _, **given: EditableChoice(value="plain", choices=tuple(TEMPLATES), **given),
        "Sentences around your words, averaged; plain uses the words alone. Or type your own, "
        "such as: a photo of {}; a drawing of {}",
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "baseline",
        ControlSection.FORM,
        lambda _, **given: PromptList(
            lines=2, grows=False, placeholder="baseline, such as: background", **given
        ),
        "One per line: the prompts to contrast with; for softmax, prompts that compete but get no "
        "map.",
        label="",
    ),
)

_LOADING = (
    ControlSpec(
        "precision",
        ControlSection.LOADING,
        lambda _, **given: ComboBox(value="auto", choices=PRECISIONS, **given),
        "auto: half precision for large models if the device is fast with it and the maps stay "
        "within 1 % of their range. fp32 is exact to 1e-5.",
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
        "channels",
        ControlSection.VIEW,
        lambda sources, **given: ChannelChoice(sources.viewer, sources.image, **given),
        "More channels of the same image, for the model to see together: each with its colormap, "
        "contrast, opacity and blending, as the viewer draws them. Ctrl+click selects several.",
        label="Also",
        shrinks=True,
    ),
    ControlSpec(
        "view",
        ControlSection.VIEW,
        lambda _, **given: ComboBox(value="shown", choices=VIEWS, **given),
        "How values become the colors that the model sees. as shown: by the layer's own contrast "
        "limits, gamma and colormap.\npercentiles: from the 1st to the 99.8th; min-max: over the "
        "whole range; raw: over the range of the data type.",
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "invert",
        ControlSection.VIEW,
        lambda _, **given: CheckBox(text="invert", **given),
        "Show the model the negative, for example of dark lines on a bright background.",
        label="",
    ),
    ControlSpec(
        "resolution",
        ControlSection.VIEW,
        lambda _, **given: EditableChoice(value="auto", choices=RESOLUTIONS, **given),
        "The pixel size at which the model sees the image: auto, a number of image pixels per "
        "model pixel (such as 2), or a size in the layer's unit (such as 0.65 um). Larger pixels "
        "show larger things, and are faster.",
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
        "The part of the image to use. Outside of it, maps stay as they are, or empty.",
        shrinks=True,
    ),
    ControlSpec(
        "slices",
        ControlSection.REGION,
        lambda _, **given: ComboBox(value="current", choices=SLICES, **given),
        "Of a stack: the slice you see, a range along one axis, or all slices. All of them go into "
        "one layer per prompt, the slice you see first.",
        shrinks=True,
    ),
    ControlSpec(
        "along",
        ControlSection.REGION,
        lambda sources, **given: ComboBox(choices=lambda _: axis_choices(sources.image()), **given),
        "The axis of the slices. An axis of channels is used only if you choose it.",
        shrinks=True,
    ),
    ControlSpec(
        "first",
        ControlSection.REGION,
        lambda _, **given: SpinBox(max=LAST_SLICE, **given),
        "The first slice along the axis, counted from 0.",
        shrinks=True,
    ),
    ControlSpec(
        "last",
        ControlSection.REGION,
        lambda _, **given: SpinBox(max=LAST_SLICE, **given),
        "The last slice along the axis.",
        shrinks=True,
    ),
)

_STYLE = (
    ControlSpec(
        "colormap",
        ControlSection.STYLE,
        lambda _, **given: ComboBox(value="jet", choices=COLORMAPS, **given),
        "Colors of the maps whose row has none of its own. signed: blue below zero, red above.",
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "scale",
        ControlSection.STYLE,
        lambda _, **given: ComboBox(
            value="own", choices=(("each map its own", "own"), ("one for all", "shared")), **given
        ),
        "Whether the colors of each map run over its own range, or over one range for all, so that "
        "maps can be compared; then their contrast limits are linked.",
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "transparent_low",
        ControlSection.STYLE,
        lambda _, **given: CheckBox(text="transparent where values are low", **given),
        "Make a map more transparent the lower its values are, so that the image shows through.",
        label="",
        persisted=True,
        former_name="fade",
    ),
    ControlSpec(
        "color_bar",
        ControlSection.STYLE,
        lambda _, **given: CheckBox(text="color bar", **given),
        "Draw the colors of each visible map, with their values, on the canvas.",
        label="",
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

_ACTIONS = (
    ControlSpec(
        "run",
        ControlSection.RUN,
        lambda _, **given: PushButton(text="Run", **given),
        "Make a heatmap layer per prompt (Ctrl+Enter).",
    ),
    ControlSpec(
        "cancel",
        ControlSection.RUN,
        lambda _, **given: PushButton(text="Cancel", **given),
        "Stop after the current tile (Esc). What is done stays, and Run continues from there.",
    ),
    ControlSpec(
        "progress",
        ControlSection.PROGRESS,
        lambda _, **given: ProgressBar(min=0, max=1, value=0, **given),
        "Tiles of the image that are done, or megabytes of a model that are downloaded.",
    ),
    ControlSpec(
        "show_all",
        ControlSection.LAYERS,
        lambda _, **given: PushButton(text="Show all", **given),
        "Show all heatmap layers.",
    ),
    ControlSpec(
        "hide_all",
        ControlSection.LAYERS,
        lambda _, **given: PushButton(text="Hide all", **given),
        "Hide all heatmap layers; they are kept.",
    ),
    ControlSpec(
        "remove_all",
        ControlSection.LAYERS,
        lambda _, **given: PushButton(text="Remove all", **given),
        "Remove all heatmap layers; other layers stay.",
    ),
    ControlSpec(
        "more",
        ControlSection.LAYERS,
        lambda _, **given: PushButton(text="More", **given),
        "Copy a layer as a Python script or as a text for a methods section; save, open and clear "
        "encodings.",
    ),
    ControlSpec(
        "status",
        ControlSection.STATUS,
        lambda _, **given: Label(**given),
        "What the last run did.",
        wraps=True,
    ),
    ControlSpec(
        "notes",
        ControlSection.NOTES,
        lambda _, **given: Label(**given),
        "How to read these heatmaps.",
        wraps=True,
    ),
)

CONTROLS: tuple[ControlSpec, ...] = (
    *_FORM,
    *_LOADING,
    *_VIEW,
    *_REGION,
    *_STYLE,
    *_CLICK,
    *_ACTIONS,
)
"""All controls, from top to bottom. A new one is a spec here, and a controller that reads it."""
