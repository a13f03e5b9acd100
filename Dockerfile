# An image of cloudbill with the clients of every store and warehouse: docs/deploy.md
#
#     docker build -t cloudbill .
#
# Two builds give the same: Python, uv and, by pyproject.toml, every package have exact versions. The
# tag of the base image may still move to a newer Debian. Its digest, which does not, is printed by
# `docker buildx imagetools inspect python:3.13.14-slim-trixie`; use it as
# `--build-arg BASE=python:3.13.14-slim-trixie@sha256:...`.
ARG BASE=python:3.13.14-slim-trixie

# hadolint ignore=DL3006
FROM ${BASE} AS build
ARG UV_VERSION=0.13.9
# Bytecode is compiled now, for the command may write none where it is installed.
ENV UV_PYTHON_DOWNLOADS=never UV_NO_CACHE=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore "uv==${UV_VERSION}"
WORKDIR /build
# The packages that cloudbill needs come first: they are built again only if their versions change.
COPY pyproject.toml ./
RUN uv venv --python "$(command -v python3)" /opt/cloudbill \
    && uv pip install --python /opt/cloudbill/bin/python --requirements pyproject.toml --all-extras
COPY README.md LICENSE ./
COPY src/cloudbill ./src/cloudbill
RUN uv build --wheel --python /opt/cloudbill/bin/python --out-dir dist \
    && uv pip install --python /opt/cloudbill/bin/python --no-deps dist/*.whl

# hadolint ignore=DL3006
FROM ${BASE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cloudbill" \
      org.opencontainers.image.description="Loads the billing exports of the clouds into your own warehouse" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"
# Python's own modules have no bytecode in this image, and no user but root may write it: each start
# would compile them. Both folders are writable for whichever user runs the container: the
# configuration and a DuckDB file are in the first, dlt's files and caches in the second.
RUN python3 -m compileall -q -j 0 -x '/tests?/' "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && install --directory --mode=1777 /bills /home/cloudbill
COPY --from=build /opt/cloudbill /opt/cloudbill
ENV PATH=/opt/cloudbill/bin:$PATH HOME=/home/cloudbill
WORKDIR /bills
# A number, so that Kubernetes can tell that it is not root.
USER 10001:10001
# No shell between: a signal reaches cloudbill, which ends in good order.
ENTRYPOINT ["cloudbill"]
CMD ["--help"]
