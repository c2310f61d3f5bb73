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
    parameters.py    query parameters, and the sentence where they are wrong
    search.py        what a person looks for: a filter, a UID, a route, a state
    tally.py         how many studies that finds, counted once for everybody
    standing.py      how the node stands: queue, workers, disk, refused callers
    address.py       the address by which browsers reach the pages
    actions.py       what a person may do: retry, cancel, release, force complete
    health.py        /health, /health/live and /health/ready
    metrics.py       /metrics for Prometheus
    pictures.py      before, after and difference pictures of a job
    projection.py    the whole body of a PET at a glance
    rendering.py     HU to PNG
    displays.py      windows and pictures by modality
    slice_memory.py  the slices decoded last, bounded by their memory
    attributes.py    which DICOM attributes pages show
    reading.py       blind readings: the list, one reading, the page of a reader
    stow.py          STOW-RS (PS3.18 10.5), with multipart.py reading the body
    upload.py        the instances of one STOW-RS request on their way into the spool
    accept.py        the media type of the answer; native_xml.py answers in XML
    admission.py     waiting for what has just come to be in the index
    security.py      response headers, same-origin test, known host names
    templates/, static/

Nothing here imports torch, and no page but that of a reader needs JavaScript to be read.
"""
