"""Build the documentation site into ``site/``: ``python -m docs.build``.

Pages are Markdown, and Zensical makes the site of them; it stops at a link to a page that is not
there. ``--pictures`` first makes every picture again, in a real viewer: run it where a window can
open, or under Xvfb (``xvfb-run -s "-screen 0 2800x1800x24" python -m docs.build --pictures``).
Nothing is loaded from a network.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from docs import make_reference

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PICTURES = (
    "make_screenshot.py",
    "make_annotate_screenshots.py",
    "make_map_examples.py",
    "make_method_figures.py",
    "make_why_screenshots.py",
    "make_tutorial_pictures.py",
    "make_table_plot.py",
)


def main() -> None:
    """Make what is generated, then the site."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", action="store_true", help="make all pictures again")
    if parser.parse_args().pictures:
        for script in PICTURES:
            subprocess.run([sys.executable, str(DOCS / script)], check=True)
    make_reference.main()
    subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=ROOT, check=True
    )
    for script in (ROOT / "site").rglob("*.py"):
        script.unlink()  # the programs of this folder are no pages


if __name__ == "__main__":
    main()
