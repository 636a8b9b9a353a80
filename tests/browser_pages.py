"""A real browser for the pages, and what every page must keep in it: contrast, no complaint, no request."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const page = getComputedStyle(document.body).backgroundColor;
  const behind = (e) => {
    if (e.closest('svg')) {
      return rgba(e.matches('.title, .line') ? getComputedStyle(document.querySelector('.chain .box')).fill : page);
    }
    for (; e; e = e.parentElement) {
      const style = getComputedStyle(e), tint = style.backgroundImage.match(/rgba?\\([^)]*\\)/);
      const colour = rgba(tint ? tint[0] : style.backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || e.tagName.toLowerCase() === 'title' || !e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const front = luminance(rgba(e.closest('svg') ? style.fill : style.color)), back = luminance(behind(e));
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (ratio < 4.5) poor.push(`${e.tagName} ${ratio.toFixed(2)} ${e.textContent.slice(0, 30)}`);
  }
  return poor;
}"""
"""Every text of less contrast to what is behind it than WCAG AA wants."""


@contextmanager
def chromium() -> Iterator:
    """A running Chromium; skips the test where there is none, fails it in CI."""
    if _BROWSER is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs Chromium: install chromium, or the page goes untested")
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=_BROWSER, args=_ARGUMENTS)
        yield running
        running.close()


class Visit:
    """One page, opened, with everything it complained about and asked for."""

    def __init__(self, browser, path, *, width: int, scheme: str) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
