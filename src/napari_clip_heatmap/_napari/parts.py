"""The controls of the dock widget, each with its name, choices and tooltip."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox, Label, ProgressBar, PushButton

from napari_clip_heatmap._napari.choices import EditableChoice, ImageChoice
from napari_clip_heatmap._napari.prompt_list import PromptList

if TYPE_CHECKING:
    from magicgui.widgets import Widget
    from napari.components import ViewerModel

__all__ = ["make_parts"]

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

SCORES = ("relative", "absolute", "contrast")


def make_parts(
    viewer: Callable[[], ViewerModel | None], devices: Callable[[object], tuple[str, ...]]
) -> list[Widget]:
    """Return the controls, in the order in which Tab goes through them.

    Parameters
    ----------
    viewer : callable
        Returns the viewer, or None while there is none.
    devices : callable
        Returns the devices known so far; its argument is for magicgui and counts for nothing.
    """
    return [*_question(viewer, devices), *_actions(), *_results()]


def _question(
    viewer: Callable[[], ViewerModel | None], devices: Callable[[object], tuple[str, ...]]
) -> list[Widget]:
    return [
        ImageChoice(
            viewer,
            name="image",
            tooltip="The image layer to ask; it follows the layer you select. Of a stack, the "
            "slice you see is asked.",
        ),
        PromptList(
            name="prompts",
            value=DEFAULT_PROMPTS,
            placeholder="one prompt a line, such as: nuclei",
            tooltip="What to look for, one prompt a line; paste as many lines as you like.\n"
            "Ctrl+Enter runs.",
        ),
        EditableChoice(
            name="model",
            value="demo",
            choices=KNOWN_MODELS,
            tooltip="demo: the small microscopy model that comes with the plugin, no download.\n"
            "Or type any open_clip model: ARCH/TAG, hf-hub:ORG/NAME, local-dir:FOLDER.",
        ),
        ComboBox(
            name="device",
            value="auto",
            choices=devices,
            tooltip="Where the model runs; auto takes an accelerator if there is one.",
        ),
        ComboBox(
            name="score",
            value="relative",
            choices=SCORES,
            tooltip="relative: how much more a prompt fits here than the prompts do on average; "
            "one prompt is compared with neutral ones.\n"
            "absolute: the patch's share of the similarity between image and prompt.\n"
            "contrast: how much more a prompt fits here than the baseline prompts.",
        ),
        PromptList(
            name="baseline",
            lines=2,
            grows=False,
            placeholder="baseline, such as: background",
            tooltip="The prompts to contrast with, one a line.",
        ),
    ]


def _actions() -> list[Widget]:
    return [
        PushButton(name="run", text="Run", tooltip="Make a heatmap layer per prompt (Ctrl+Enter)."),
        PushButton(name="cancel", text="Cancel", tooltip="Stop after the tiles now in work (Esc)."),
        ProgressBar(name="progress", min=0, max=1, value=0, tooltip="Tiles of the image done."),
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
        Label(name="status", tooltip="What the last run did."),
        Label(name="notes", tooltip="How these heatmaps are to be read."),
    ]
