"""The controls of the sections Annotate and Classify objects."""

from __future__ import annotations

from magicgui.widgets import CheckBox, ComboBox, FloatSlider, Label, PushButton, SpinBox

from napari_clip_heatmap._napari.annotation_state import BY_HAND
from napari_clip_heatmap._napari.views.annotation.labels_choice import LabelsChoice, PromptChoice
from napari_clip_heatmap._napari.views.annotation.native_control import (
    ClassTableControl,
    GateControl,
    MakeControl,
    SlicePlotControl,
)
from napari_clip_heatmap._napari.views.control_spec import ControlSection, ControlSpec

__all__ = ["ANNOTATE_CONTROLS", "LARGEST_SIZE", "RULES"]

RULES = (
    ("one prompt", "prompt"),
    ("every prompt", "every"),
    ("the winning prompt", "winner"),
)

THRESHOLDS = (
    ("learnt (Otsu)", "otsu"),
    ("learnt (triangle)", "triangle"),
    ("learnt (Yen)", "yen"),
    (BY_HAND, BY_HAND),
)

LARGEST_SIZE = 1_000_000

_OBJECTS = (
    ControlSpec(
        "objects_of",
        ControlSection.ANNOTATE,
        lambda _, **given: ComboBox(value="prompt", choices=RULES, **given),
        "one prompt, every prompt: where a map is above its threshold. the winning prompt: where "
        "one map is above all others.",
        label="Objects of",
        has_value=True,
        shrinks=True,
    ),
    ControlSpec(
        "object_prompt",
        ControlSection.ANNOTATE,
        lambda _, **given: PromptChoice(**given),
        "Whose threshold the slider sets.",
        label="Prompt",
        has_value=True,
        shrinks=True,
    ),
    ControlSpec(
        "threshold_by",
        ControlSection.ANNOTATE,
        lambda _, **given: ComboBox(value="otsu", choices=THRESHOLDS, **given),
        "learnt: from the map itself, one value per patch. by hand: with the slider, for each "
        "prompt its own.",
        label="Threshold",
        has_value=True,
        shrinks=True,
    ),
    ControlSpec(
        "threshold",
        ControlSection.ANNOTATE,
        lambda _, **given: FloatSlider(value=0.5, min=0, max=1, step=0.005, **given),
        "Position in the map's range, 0 to 1. The outline on the image follows.",
        label="",
        has_value=True,
    ),
    ControlSpec(
        "margin",
        ControlSection.ANNOTATE,
        lambda _, **given: FloatSlider(value=0.0, min=0, max=1, step=0.01, **given),
        "By how much the winning map must be above every other, in units of its own range.",
        has_value=True,
    ),
    ControlSpec(
        "min_size",
        ControlSection.ANNOTATE,
        lambda _, **given: SpinBox(value=25, max=LARGEST_SIZE, **given),
        "Objects of fewer image pixels are left out.",
        label="Least size",
        has_value=True,
    ),
    ControlSpec(
        "split",
        ControlSection.ANNOTATE,
        lambda _, **given: CheckBox(text="separate objects that touch", **given),
        "Cut objects where they are narrow; without outlines of the image, at the valleys between "
        "the map's peaks (watershed).",
        label="",
        has_value=True,
    ),
    ControlSpec(
        "fill_holes",
        ControlSection.ANNOTATE,
        lambda _, **given: CheckBox(value=True, text="fill holes", **given),
        "What an object encloses belongs to it: maps of large objects may lie on their rims.",
        label="",
        has_value=True,
    ),
    ControlSpec(
        "by_image",
        ControlSection.ANNOTATE,
        lambda _, **given: CheckBox(value=True, text="outlines of the image", **given),
        "Where the map is high, separate what has the color that goes with it: much finer than a "
        "patch. Otherwise outlines are those of the map.",
        label="",
        has_value=True,
    ),
    ControlSpec(
        "outline",
        ControlSection.ANNOTATE,
        lambda _, **given: CheckBox(value=True, text="draw the outline on the image", **given),
        "While this section is open. The outline is no annotation yet: To Labels makes one.",
        label="",
        has_value=True,
    ),
    ControlSpec(
        "object_slices",
        ControlSection.ANNOTATE,
        lambda _, **given: ComboBox(
            value="current", choices=(("the one in view", "current"), ("all", "all")), **given
        ),
        "all: every slice that has heatmaps. Count and area per slice are drawn below.",
        label="Slices",
        has_value=True,
        shrinks=True,
    ),
    ControlSpec(
        "object_count",
        ControlSection.ANNOTATE,
        lambda _, **given: Label(**given),
        "Objects in the slice in view.",
        label="Count",
        wraps=True,
    ),
    ControlSpec(
        "make_objects",
        ControlSection.ANNOTATE,
        lambda _, **given: MakeControl(**given),
        "Make layers of the objects, or write them to a file.",
        label="",
    ),
    ControlSpec(
        "slice_plot",
        ControlSection.ANNOTATE,
        lambda _, **given: SlicePlotControl(**given),
        "Objects in each slice, of those made last.",
        label="",
    ),
)

_CLASSES = (
    ControlSpec(
        "classified_layer",
        ControlSection.CLASSIFY,
        lambda sources, **given: LabelsChoice(sources.viewer, **given),
        "Objects that exist already: a segmentation of the chosen image.",
        label="Labels",
        shrinks=True,
    ),
    ControlSpec(
        "classify",
        ControlSection.CLASSIFY,
        lambda _, **given: PushButton(text="Name the objects by the prompts", **given),
        "Give each object its best prompt. The figures become features of the layer.",
        label="",
    ),
    ControlSpec(
        "class_table",
        ControlSection.CLASSIFY,
        lambda _, **given: ClassTableControl(**given),
        "Click a row to select the object; click an object in the image to find its row.",
        label="",
    ),
    ControlSpec(
        "gate_plot",
        ControlSection.CLASSIFY,
        lambda _, **given: GateControl(**given),
        "Scores of the objects for one prompt: 0 is the image's mean, 1 its highest patch. Drag "
        "the line: objects to its left become faint.",
        label="",
    ),
)

ANNOTATE_CONTROLS = (*_OBJECTS, *_CLASSES)
"""Controls that turn heatmaps into annotations, and name annotations by heatmaps."""
