"""Print the sources of real pictures for the model card, from the folder that holds them."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from napari_clip_heatmap.evaluation.micrographs.micrograph_index import Micrograph, read_micrographs

__all__ = ["attribution_table"]


def attribution_table(micrographs: Sequence[Micrograph]) -> str:
    """Return one row in Markdown for each source, author and licence, with its pictures counted."""
    counts = Counter(each.attribution for each in micrographs)
    rows = [f"| {name.replace('|', '/')} | {count} |" for name, count in sorted(counts.items())]
    return "\n".join(["| source, author, licence | pictures |", "|---|---|", *rows])


def main() -> None:
    """Read the command line, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of real pictures with an index.json")
    print(attribution_table(read_micrographs(parser.parse_args().folder)))


if __name__ == "__main__":
    main()
