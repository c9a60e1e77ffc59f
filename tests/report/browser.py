"""A real browser that opens pages from disk, and tells what they ask for and complain about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from docs.screenshots import NAMES, SWITCHES

__all__ = ["browser", "opened"]


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the Chromium of this machine; skip the test where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser: install Chromium, as one of {', '.join(NAMES)}")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=list(SWITCHES))
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def opened(chromium: Browser, path: Path, **options: Any) -> Iterator[Page]:
    """Open a file; fail if it complains, or asks for anything but itself."""
    complaints: list[str] = []
    usual = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
    context = chromium.new_context(**{**usual, **options})
    page = context.new_page()
    page.on("console", lambda message: complaints.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("request", lambda request: complaints.append(f"request: {request.url}"))
    page.goto(path.as_uri())
    yield page
    own = f"request: {path.as_uri()}"
    context.close()
    assert [it for it in complaints if not it.startswith((own, "request: blob:"))] == []
