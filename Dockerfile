# Build: docker build -t zuinig .    Run: docker compose up
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /venv
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY zuinig zuinig
RUN /venv/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home zuinig && mkdir /data && chown zuinig /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH ZUINIG_DATA_DIR=/data ZUINIG_HOST=0.0.0.0 ZUINIG_LOG_FORMAT=json
USER zuinig
VOLUME /data
EXPOSE 8321
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8321/readyz', timeout=4)"]
CMD ["zuinig", "serve"]
