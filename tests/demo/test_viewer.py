"""The derived series in the viewer that radiologists use; `make viewer` fetches it first."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from playwright.sync_api import expect, sync_playwright

from demo.pacs import DemoError
from demo.viewer import PLACE, installed, viewer
from node.__main__ import main
from tests.servers import OrthancServer, program

SAMPLE = Path("demo/samples/low_dose_chest")
PATIENCE_MS = 300_000
SOFTWARE_WEBGL = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--ignore-gpu-blocklist"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
]


@pytest.mark.orthanc
@pytest.mark.chromium
@pytest.mark.skipif(
    not (PLACE / "dist" / "index.html").exists(),
    reason="OHIF (53 MB from npm) is not fetched by the tests; `make viewer` does it",
)
def test_ohif_shows_the_derived_series(orthanc: OrthancServer, tmp_path: Path) -> None:
    assert main(["process", str(SAMPLE), str(tmp_path)]) == 0
    paths = sorted(tmp_path.rglob("*.dcm"))
    for path in paths:
        orthanc.upload(path)
    study = pydicom.dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID
    with viewer(orthanc.url) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program("chromium"), args=SOFTWARE_WEBGL
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}viewer?StudyInstanceUIDs={study}")
        expect(page.get_by_text("SYNTHETIC DENOISED").first).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_text("SYNTHETIC QC").first).to_be_visible(timeout=PATIENCE_MS)
        canvas = page.locator("canvas.cornerstone-canvas").first
        expect(canvas).to_be_visible(timeout=PATIENCE_MS)
        page.wait_for_function(GREYS_ABOVE_100, timeout=PATIENCE_MS)
        browser.close()


GREYS_ABOVE_100 = """() => {
  const canvas = document.querySelector('canvas.cornerstone-canvas');
  if (!canvas || !canvas.width) return false;
  const copy = document.createElement('canvas');
  copy.width = copy.height = 128;
  const context = copy.getContext('2d');
  context.drawImage(canvas, 0, 0, 128, 128);
  const seen = new Set();
  const data = context.getImageData(0, 0, 128, 128).data;
  for (let i = 0; i < data.length; i += 4) seen.add(data[i]);
  return seen.size > 100;
}"""
"""An image is on the canvas, not one grey."""


def test_a_viewer_that_cannot_be_fetched_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DemoError, match="needs npm"):
        installed(tmp_path)
