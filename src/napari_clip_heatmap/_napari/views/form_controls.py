"""Controls that are always visible: the form at the top, and the buttons and texts below."""

from __future__ import annotations

from magicgui.widgets import ComboBox, FloatSlider, Label, ProgressBar, PushButton

from napari_clip_heatmap._napari.colormaps import OPACITY
from napari_clip_heatmap._napari.controllers.help.first_steps import DARK_PROMPTS
from napari_clip_heatmap._napari.views.choices import (
    ChannelChoice,
    EditableChoice,
    FixedButtons,
    ImageChoice,
    PromptList,
)
from napari_clip_heatmap._napari.views.control_spec import ControlSection, ControlSpec
from napari_clip_heatmap._napari.views.prompt_table import PromptTable
from napari_clip_heatmap.clip.provenance import BUNDLED
from napari_clip_heatmap.pipeline.score_registry import SCORES

__all__ = ["ACTION_CONTROLS", "FORM_CONTROLS", "REMOVE", "RESTORE", "RUN", "RUN_SLICE"]

RUN, RUN_SLICE = "Run", "Run slice"
"""Texts of the button: of any image, and on a slice that has no maps while others have."""

REMOVE, RESTORE = "Remove all", "Restore"
"""Texts of the button: before and after it was pressed."""

KNOWN_MODELS = (
    *BUNDLED,
    "ViT-B-32/laion2b_s34b_b79k",
    "ViT-B-16/laion2b_s34b_b88k",
    "ViT-L-14/laion2b_s32b_b82k",
    "ViT-L-14/openai",
    "ViT-H-14/laion2b_s32b_b79k",
    "hf-hub:imageomics/bioclip",
    "hf-hub:wisdomik/QuiltNet-B-32",
)

FORM_CONTROLS = (
    ControlSpec(
        "image",
        ControlSection.FORM,
        lambda sources, **given: ImageChoice(sources.viewer, **given),
        "The image layer to make heatmaps of; it follows the layer you select. Of a stack, the "
        "slice you see is used, or the slices you choose below.",
        shrinks=True,
    ),
    ControlSpec(
        "channels",
        ControlSection.FORM,
        lambda sources, **given: ChannelChoice(sources.viewer, sources.image, **given),
        "More channels of the same image, for the model to see together: each with its colormap, "
        "contrast, opacity and blending, as the viewer draws them. Visible additive ones are "
        "ticked by default.",
        shrinks=True,
    ),
    ControlSpec(
        "model",
        ControlSection.FORM,
        lambda _, **given: EditableChoice(value="demo", choices=KNOWN_MODELS, **given),
        "demo and micrographs: small microscopy models that come with the plugin, no download. "
        "demo finds nine kinds of structures; micrographs names 52, and places them less well.\n"
        "Or type any open_clip model: ARCH/TAG, hf-hub:ORG/NAME, local-dir:FOLDER.",
        has_value=True,
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
        "opacity",
        ControlSection.FORM,
        lambda _, **given: FloatSlider(
            value=OPACITY, min=0.0, max=1.0, step=0.05, readout=False, **given
        ),
        "Of all maps; one that is not to be trusted is drawn fainter.",
        has_value=True,
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "scale",
        ControlSection.FORM,
        lambda _, **given: FixedButtons(  # type: ignore[call-arg] # magicgui passes it on
            value="shared",
            choices=(("shared scale", "shared"), ("own", "own")),
            orientation="horizontal",
            **given,
        ),
        "shared: one range of values for the colors of all maps, clear where the score says that "
        "a prompt fits no better than the others, so that what is not there stays dark.\n"
        "own: each map from its own lowest to its own highest value, as in published pictures.",
        right_of="opacity",
        has_value=True,
        persisted=True,
    ),
    ControlSpec(
        "prompts",
        ControlSection.FORM,
        lambda sources, **given: PromptTable(value=DARK_PROMPTS, style=sources.style, **given),
        "What to look for, one prompt per row; Ctrl+Enter runs. Once the image is encoded, the "
        "maps follow while you type.",
        label="",
        persisted=True,
    ),
    ControlSpec(
        "score",
        ControlSection.FORM,
        lambda _, **given: ComboBox(value="balanced", choices=tuple(SCORES), **given),
        "\n".join(f"{name}: {each.help}." for name, each in SCORES.items()),
        has_value=True,
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "help",
        ControlSection.FORM,
        lambda _, **given: PushButton(text="?", **given),
        "What the figures mean, which score and which model to choose, and a tour of the dock.",
        label="",
        right_of="score",
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
        has_value=True,
    ),
)


def _wide_enough(button: PushButton, text: str) -> PushButton:
    """Let a button have room for another text too, so that nothing moves when it comes."""
    metrics = button.native.fontMetrics()
    button.native.setMinimumWidth(metrics.horizontalAdvance(text) + 24)
    return button


ACTION_CONTROLS = (
    ControlSpec(
        "run",
        ControlSection.RUN,
        lambda _, **given: _wide_enough(PushButton(text=RUN, **given), RUN_SLICE),
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
        ControlSection.RUN,
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
        lambda _, **given: PushButton(text=REMOVE, **given),
        "Remove all heatmap layers, other layers stay; pressed again, bring them back.",
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
