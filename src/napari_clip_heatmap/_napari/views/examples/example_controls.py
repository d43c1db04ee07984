"""The controls of the section Examples."""

from __future__ import annotations

from magicgui.widgets import FloatSlider, Label, LineEdit, PushButton

from napari_clip_heatmap._napari.views.choices import FixedButtons
from napari_clip_heatmap._napari.views.control_spec import ControlSection, ControlSpec

__all__ = ["EXAMPLE_CONTROLS", "NEGATIVE", "POSITIVE"]

POSITIVE, NEGATIVE = "+", "-"
"""Signs of places, as the feature `sign` of their layer has them."""

EXAMPLE_CONTROLS = (
    ControlSpec(
        "new_example",
        ControlSection.EXAMPLES,
        lambda _, **given: PushButton(text="New example: click on places", **given),
        "Add a layer of points. Click on places that show what you look for: a row and a map of "
        "what looks like them follow each click. Right-click on the image for more.",
        label="",
    ),
    ControlSpec(
        "example_from_layer",
        ControlSection.EXAMPLES,
        lambda _, **given: PushButton(text="Example of the selected layer", **given),
        "Take what the selected Labels or Shapes layer marks as the places.",
        label="",
    ),
    ControlSpec(
        "example_sign",
        ControlSection.EXAMPLES,
        lambda _, **given: FixedButtons(  # type: ignore[call-arg] # magicgui passes it on
            value=POSITIVE,
            choices=(("+ shows it", POSITIVE), ("\N{MINUS SIGN} does not", NEGATIVE)),
            orientation="horizontal",
            **given,
        ),
        "What the next clicks mean; selected points get the sign too. Good places that do not "
        "show it are those where the map is high and should not be.",
        label="Clicks",
    ),
    ControlSpec(
        "example_words",
        ControlSection.EXAMPLES,
        lambda _, **given: LineEdit(**given),
        "Words for the same thing, to mix in; leave it blank to go by the places alone.\n"
        "If another thing looks alike, subtract it: 'platelets - red blood cells'.",
        label="Words",
        shrinks=True,
    ),
    ControlSpec(
        "example_weight",
        ControlSection.EXAMPLES,
        lambda _, **given: FloatSlider(value=0.5, min=0, max=1, step=0.05, **given),
        "Of the places against the words: 0 is the words alone, 1 the places alone.",
        label="Weight",
    ),
    ControlSpec(
        "example_search",
        ControlSection.EXAMPLES,
        lambda _, **given: PushButton(text="Find it in a folder of encodings", **given),
        "Rank the encodings of a folder (clip-heatmap encode) by the current example, and say "
        "where in each to look.",
        label="",
    ),
    ControlSpec(
        "example_info",
        ControlSection.EXAMPLES,
        lambda _, **given: Label(**given),
        "How well the places of the current example agree.",
        label="",
        wraps=True,
    ),
)
"""Controls that make prompts of places."""
