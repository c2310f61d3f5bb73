"""Rendering: templates, what they may call, and pages that stay new.

htmx asks for the same page every two seconds and renews what is live in it: `#live`, and `#details`
of a job. It gets 204 when nothing has changed since, so that a reader's focus and selection stay
where they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dicom_profiles.equipment import SOFTWARE_VERSION
from node.web.site import site_of
from node.web.steps import STEPS, current_step, strip
from node.web.words import error_title, evidence_kind, job_wording, verdict_wording

HERE = Path(__file__).parent
STATIC = HERE / "static"
SEEN = "digest-of-this-page"
"""Stands in a page's own address until the digest is known."""
BUTTONS_OF = {"jobs": "job", "series": "series"}
"""Pages whose buttons have addresses of their own, below that of the page."""


def make_templates() -> jinja2.Environment:
    """The templates of the pages."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        ago=ago,
        clock=clock,
        size=size,
        seconds=seconds,
        percent=percent,
        figure=figure,
        title_of=title_of,
    )
    environment.globals.update(
        SOFTWARE_VERSION=SOFTWARE_VERSION,
        STEPS=STEPS,
        current_step=current_step,
        evidence_kind=evidence_kind,
        job_wording=job_wording,
        strip=strip,
        time_zone=time_zone,
        verdict_wording=verdict_wording,
        static_version=_static_version(),
    )
    return environment


def render(
    request: Request, name: str, context: Mapping[str, Any], shown: Mapping[str, str] | None = None
) -> Response:
    """A page, or 204 where htmx has the same already.

    Args:
        request: what was asked for.
        name: of the template, without its `.html`.
        context: what the template shows.
        shown: what the page tells the server, when it asks again, that it shows.
    """
    templates: jinja2.Environment = request.app.state.templates
    asked = {**request.query_params, **(shown or {}), "seen": SEEN}
    facts = {
        "now": datetime.now(UTC),
        "config": site_of(request).config,
        "address": f"{request.url.path}?{urlencode(asked)}",
        **context,
    }
    page = templates.get_template(f"{name}.html").render(facts)
    digest = hashlib.sha256(page.encode()).hexdigest()[:16]
    is_asked_again = request.headers.get("hx-request") == "true"
    if is_asked_again and request.query_params.get("seen") == digest:
        return Response(status_code=204)
    return HTMLResponse(page.replace(SEEN, digest, 1))


def render_error(request: Request, status_code: int, sentence: str) -> Response:
    """A page that says what went wrong, and leads back to that of the button."""
    templates: jinja2.Environment = request.app.state.templates
    kind, name, *button = [*request.url.path.split("/"), "", ""][1:]
    page = templates.get_template("error.html").render(
        config=site_of(request).config,
        title=error_title(status_code),
        sentence=sentence,
        back=f"/{kind}/{name}" if kind in BUTTONS_OF and any(button) else "",
        back_to=BUTTONS_OF.get(kind, ""),
    )
    return HTMLResponse(page, status_code)


def ago(then: datetime, now: datetime) -> str:
    """How long ago, in words."""
    passed = max(0, int((now - then).total_seconds()))
    if passed < 10:
        return "just now"
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = passed // length
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    # Seconds in steps of ten: the page need not change at every look.
    return f"{passed // 10 * 10} seconds ago"


def clock(then: datetime) -> str:
    """Date and time of this machine's place, as in 2026-03-10 14:05:09."""
    return then.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def time_zone(now: datetime | None = None) -> str:
    """The zone of `clock`, as in CET, UTC+01:00."""
    here = (now or datetime.now(UTC)).astimezone()
    digits = here.strftime("%z")
    offset = f"UTC{digits[:3]}:{digits[3:5]}" if digits != "+0000" else "UTC"
    name = here.tzname() or ""
    return f"{name}, {offset}" if name[:1].isalpha() and name != offset else offset


def size(count: float) -> str:
    """Bytes in a readable unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def seconds(value: float | None) -> str:
    """A duration in a readable unit."""
    if value is None:
        return ""
    if value < 0.1:
        return f"{1000 * value:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    return f"{int(value) // 60} min {int(value) % 60} s"


def percent(share: float) -> str:
    """A share of one as whole percent."""
    return f"{100 * share:.0f} %"


def figure(value: Any) -> str:
    """A measured value in four digits, yes or no for a truth, anything else as it is."""
    if value is None:
        return "no number"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


UNITS = {
    **{"hu": "HU", "mm": "mm", "s": "s", "percent": "%", "db": "dB"},
    **{"l": "litres", "suvbw": "SUVbw"},
}


def title_of(name: str) -> str:
    """A machine's name in words: noise_before_hu becomes Noise before (HU)."""
    words = name.split("_")
    unit = UNITS.get(words[-1]) if len(words) > 1 else None
    text = " ".join(words[:-1] if unit else words)
    return text[:1].upper() + text[1:] + (f" ({unit})" if unit else "")


def _static_version() -> str:
    """Changes with the files that browsers keep."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
