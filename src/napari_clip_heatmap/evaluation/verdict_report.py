"""The verdicts on gibberish and on names, as text and as numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from napari_clip_heatmap.evaluation.verdict_trial import ABSENT, PRESENT, JudgedPrompt
from napari_clip_heatmap.pipeline.verdicts import CLEAR_FROM, LIKE_NONSENSE, Verdict

__all__ = ["VerdictReport"]


@dataclass(frozen=True)
class VerdictReport:
    """All verdicts and their figures; `str` gives the tables.

    Attributes
    ----------
    model : mapping
        The model's description, as JSON-able values.
    judged : tuple of JudgedPrompt
    """

    model: dict[str, object]
    judged: tuple[JudgedPrompt, ...]

    def __str__(self) -> str:
        """Return the report as Markdown."""
        return "\n".join(self._lines())

    def write(self, folder: Path) -> None:
        """Write ``honesty.md`` and ``honesty.json`` into ``folder``."""
        (folder / "honesty.md").write_text(f"{self}\n", encoding="utf-8")
        values = {"model": self.model, "judged": [asdict(each) for each in self.judged]}
        (folder / "honesty.json").write_text(json.dumps(values), encoding="utf-8")

    @property
    def missed(self) -> tuple[JudgedPrompt, ...]:
        """Gibberish that was not flagged."""
        return tuple(
            each
            for each in self.judged
            if each.group not in (PRESENT, ABSENT) and each.verdict is not Verdict.HARDLY
        )

    @property
    def falsely_flagged(self) -> tuple[JudgedPrompt, ...]:
        """Names of what is present that were flagged."""
        return tuple(
            each for each in self.judged if each.group == PRESENT and each.verdict is Verdict.HARDLY
        )

    def _lines(self) -> Iterator[str]:
        yield f"# Verdicts of {self.model.get('name')}\n"
        yield (
            f"Dependence below {LIKE_NONSENSE}: hardly depends on the text; from {CLEAR_FROM}, and "
            "with a similarity above half of all nonsense: clear; else weak.\n"
        )
        yield "| prompts | image | judged | hardly | weak | clear | least | median | most |"
        yield "|---" * 9 + "|"
        for group in dict.fromkeys(each.group for each in self.judged):
            for source in dict.fromkeys(each.source for each in self.judged):
                found = [e for e in self.judged if (e.group, e.source) == (group, source)]
                if found:
                    yield f"| {group} | {source} | {_figures(found)} |"
        yield ""
        yield from _named("Gibberish that was not flagged", self.missed)
        yield from _named("Names of what is there that were flagged", self.falsely_flagged)


def _figures(found: list[JudgedPrompt]) -> str:
    dependence = [each.dependence for each in found]
    fractions = (
        sum(each.verdict is verdict for each in found) / len(found)
        for verdict in (Verdict.HARDLY, Verdict.WEAK, Verdict.CLEAR)
    )
    return " | ".join(
        [
            str(len(found)),
            *(f"{fraction:.1%}" for fraction in fractions),
            *(f"{value:.2f}" for value in np.quantile(dependence, (0, 0.5, 1))),
        ]
    )


def _named(what: str, found: tuple[JudgedPrompt, ...]) -> Iterator[str]:
    yield f"{what}: {len(found) or 'none'}."
    for prompt in dict.fromkeys(each.prompt for each in found):
        values = [each.dependence for each in found if each.prompt == prompt]
        images = "1 image" if len(values) == 1 else f"{len(values)} images"
        yield f"- '{prompt}' on {images}, dependence up to {max(values):.2f}"
