"""Show a page as phones, tablets and desks do: `python docs/screenshots.py RUN FOLDER`.

Six PNG files, three widths in light and in dark, and the printed page as PDF. Needs the extra
`test` (Playwright) and Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, PdfMargins, sync_playwright

__all__ = ["NAMES", "SWITCHES", "Shot", "main", "photographed"]

WIDTHS = (390, 820, 1280)
SCHEMES = ("light", "dark")
NAMES = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MARGIN: PdfMargins = {"top": "14mm", "bottom": "14mm", "left": "14mm", "right": "14mm"}


class Shot(NamedTuple):
    """A picture: as wide as a screen, in which scheme, and of how much from above."""

    width: int
    scheme: str
    height: int | None = None

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.width}-{self.scheme}.png"


SHOTS = [Shot(width, scheme) for width in WIDTHS for scheme in SCHEMES]


def photographed(page: Path, folder: Path, shots: Sequence[Shot] = SHOTS) -> list[Path]:
    """Write what a page looks like, and its print, into a folder; return the files.

    Parameters
    ----------
    page, folder : Path
    shots : sequence of Shot
        Default: three widths in light and in dark, each of the whole page.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise SystemExit(f"no browser: install Chromium, as one of {', '.join(NAMES)}")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=list(SWITCHES))
        try:
            files = [_photograph(chromium, page, folder, shot) for shot in shots]
            return [*files, _printed(chromium, page, folder / "print.pdf")]
        finally:
            chromium.close()


def _photograph(chromium: Browser, page: Path, folder: Path, shot: Shot) -> Path:
    opened = chromium.new_page(
        viewport={"width": shot.width, "height": shot.height or 900},
        color_scheme="dark" if shot.scheme == "dark" else "light",
    )
    opened.goto(page.resolve().as_uri())
    opened.screenshot(path=folder / shot.name, full_page=shot.height is None)
    opened.close()
    return folder / shot.name


def _printed(chromium: Browser, page: Path, file: Path) -> Path:
    opened = chromium.new_page()
    opened.goto(page.resolve().as_uri())
    opened.pdf(path=file, format="A4", margin=MARGIN)
    opened.close()
    return file


def main(arguments: Sequence[str] | None = None) -> int:
    """Photograph the page of a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    given = parser.parse_args(arguments)
    print(*photographed(given.run / "report.html", given.folder), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
