# syntax=docker/dockerfile:1
# One image for the API, the projection worker and the migration job. Everything installed is checked against its hash.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY requirements.lock ./
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY domain domain
COPY services services
COPY projections projections
COPY api api
RUN /opt/venv/bin/pip install --no-deps --no-build-isolation --no-index -e .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/anodyne --create-home anodyne
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
COPY data data
COPY LICENSE ./
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ANODYNE_HOME=/var/lib/anodyne \
    ANODYNE_HOST=0.0.0.0
USER anodyne
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["anodyne"]
CMD ["serve", "--no-worker"]
