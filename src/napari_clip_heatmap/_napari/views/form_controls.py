"""Controls that are always visible: the form at the top, and the buttons and texts below."""

from __future__ import annotations

from magicgui.widgets import ComboBox, Label, ProgressBar, PushButton

from napari_clip_heatmap._napari.views.choices import EditableChoice, ImageChoice, PromptList
from napari_clip_heatmap._napari.views.control_spec import ControlSection, ControlSpec
from napari_clip_heatmap._napari.views.prompt_table import PromptTable
from napari_clip_heatmap.pipeline.score_registry import SCORES
from napari_clip_heatmap.prompting.language import TEMPLATES

__all__ = ["ACTION_CONTROLS", "FORM_CONTROLS"]

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
        "model",
        ControlSection.FORM,
        lambda _, **given: EditableChoice(value="demo", choices=KNOWN_MODELS, **given),
        "demo: the small microscopy model that comes with the plugin, no download.\n"
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
        "device",
        ControlSection.FORM,
        lambda sources, **given: ComboBox(
            value="auto", choices=lambda _: sources.devices(), **given
        ),
        "Where the model runs; auto takes an accelerator if there is one.",
        has_value=True,
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
        lambda _, **given: ComboBox(value="balanced", choices=tuple(SCORES), **given),
        "\n".join(f"{name}: {each.help}." for name, each in SCORES.items()),
        has_value=True,
        persisted=True,
        shrinks=True,
    ),
    ControlSpec(
        "templates",
        ControlSection.FORM,
        lambda _, **given: EditableChoice(value="plain", choices=tuple(TEMPLATES), **given),
        "Sentences around your words, averaged; plain uses the words alone. Or type your own, "
        "such as: a photo of {}; a drawing of {}",
        has_value=True,
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
        has_value=True,
    ),
)

ACTION_CONTROLS = (
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
