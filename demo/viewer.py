"""OHIF in front of the demonstration PACS: what radiologists see.

    python -m demo.viewer --orthanc http://127.0.0.1:8042

fetches OHIF once (npm, 53 MB), serves it with nginx on a free port of this machine, and prints
its address. It changes nothing in the PACS.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from demo.pacs import LOOPBACK, DemoError, await_port, free_port

console = Console()
PACKAGE = "@ohif/app@3.13.2"
"""MIT; the built viewer, as its makers publish it."""
ROOT = Path(__file__).parents[1]
PLACE = ROOT / "var" / "ohif"
CONFIGURATION = ROOT / "orthanc_config" / "ohif"


def installed(place: Path = PLACE) -> Path:
    """The folder of the viewer's files, fetched by npm where it is not there yet.

    Raises:
        DemoError: npm is missing or cannot fetch it.
    """
    files = place / "dist"
    if (files / "index.html").exists():
        return files
    npm = shutil.which("npm")
    if npm is None:
        raise DemoError("The viewer needs npm to fetch it, none was found; `apt install npm`.")
    place.mkdir(parents=True, exist_ok=True)
    console.print(f"Fetching {PACKAGE} ...")
    with tempfile.TemporaryDirectory(dir=place) as folder:
        fetched = subprocess.run(
            [npm, "pack", "--silent", PACKAGE],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if fetched.returncode:
            last = (fetched.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise DemoError(f"npm could not fetch {PACKAGE}: {last}")
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
        (Path(folder) / "package" / "dist").rename(files)
    return files


@contextlib.contextmanager
def viewer(orthanc_url: str, place: Path = PLACE) -> Iterator[str]:
    """Serve OHIF while the block runs; gives its address.

    Args:
        orthanc_url: root of Orthanc's HTTP server, with its DICOMweb below /dicom-web.
        place: where OHIF is, or is put.

    Raises:
        DemoError: nginx or npm is missing, or does not do its work.
    """
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if nginx is None:
        raise DemoError("The viewer needs nginx, none was found; `apt install nginx-light`.")
    files, port = installed(place), free_port()
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "nginx.conf"
        settings.write_text(_filled(folder, port, files, orthanc_url))
        log = Path(folder) / "nginx.log"
        with log.open("wb") as output:
            process = subprocess.Popen([nginx, "-c", str(settings)], stderr=output)
        try:
            await_port(port, process, log)
            yield f"http://{LOOPBACK}:{port}/"
        finally:
            process.terminate()
            process.wait()


def _filled(folder: str, port: int, files: Path, orthanc_url: str) -> str:
    text = (CONFIGURATION / "nginx.conf").read_text()
    words = {
        "FOLDER": folder,
        "PORT": str(port),
        "OHIF": str(files),
        "ORTHANC": orthanc_url.rstrip("/"),
        "CONFIG": str(CONFIGURATION / "app-config.js"),
    }
    filled = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for word, value in words.items():
        filled = filled.replace(word, value)
    return filled + "\n"


def main() -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="OHIF in front of an Orthanc on this machine.")
    parser.add_argument("--orthanc", required=True, metavar="URL", help="its HTTP address")
    arguments = parser.parse_args()
    try:
        with viewer(arguments.orthanc) as address:
            console.print(f"Viewer: {address}  (Ctrl-C ends it)")
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
    except DemoError as error:
        console.print(str(error))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
