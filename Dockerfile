# One image for every role: `docker compose` picks the role by its command.
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}

# Only where the base image brings no Python (a bare Debian).
RUN command -v python3 >/dev/null || \
    (apt-get update && apt-get install -y --no-install-recommends python3 python3-venv ca-certificates \
     && rm -rf /var/lib/apt/lists/*)

WORKDIR /opt/vscanner
COPY pyproject.toml requirements.lock README.md LICENSE NOTICE ./
COPY dicom_profiles dicom_profiles
COPY pipelines pipelines
COPY node node
COPY trainers trainers

# PIP_TORCH="--index-url URL" names the index of the PyTorch build. PyPI's own brings CUDA: an image of 6 GB, with a
# CPU build 2 GB.
ARG PIP_TORCH=
RUN python3 -m venv .venv \
    && .venv/bin/pip install --no-cache-dir ${PIP_TORCH} torch==2.13.0 \
    && .venv/bin/pip install --no-cache-dir -c requirements.lock '.[models]'

# The node needs no rights: an own user, one writable volume.
RUN useradd --system --uid 10112 vscanner && install -d -o vscanner /var/lib/vscanner
USER vscanner
VOLUME /var/lib/vscanner
EXPOSE 11112 8080
ENV PATH=/opt/vscanner/.venv/bin:$PATH PYTHONUNBUFFERED=1
ENTRYPOINT ["vscanner"]
CMD ["serve", "--config", "/etc/vscanner/node.yaml"]
