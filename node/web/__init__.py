"""The status page for people and the HTTP interface for machines.

    app.py           the routes and what wraps them; `create_app`
    server.py        the process that serves it (uvicorn)
    site.py          what every request needs: configuration, database, ledger, spool
    rows.py          studies, series, jobs and deliveries as the pages show them
    steps.py         where a series is now: the strip from received to committed
    words.py         states and verdicts in words for a technologist
    pages.py         the pages
    page.py          a page rendered, or 204 where the browser has it already
    api.py           JSON
    actions.py       what a person may do: retry, cancel, release, force complete
    health.py        /health/live and /health/ready
    metrics.py       /metrics for Prometheus
    pictures.py      before, after and difference pictures of a job
    projection.py    the whole body of a PET at a glance
    rendering.py     HU to PNG
    reading.py       blind readings: the list, one reading, the page of a reader
    stow.py          STOW-RS (PS3.18 10.5), with multipart.py reading the body
    security.py      response headers, same-origin test, known host names
    templates/, static/

Nothing here imports torch, and no page but that of a reader needs JavaScript to be read.
"""
