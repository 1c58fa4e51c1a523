# One Hashpact node.
#
#   docker build --tag hashpact .
#   docker run --rm -it --network host --volume hashpact:/var/lib/hashpact \
#     --env HASHPACT_PASSPHRASE_FILE=/run/secrets/passphrase --volume "$PWD/passphrase:/run/secrets/passphrase:ro" \
#     hashpact init --member acme --url https://acme.example
#   docker run --init --network host --volume … --env … hashpact
#
# --network host (or a pod that shares its network with the proxy before it), since a node listens on loopback unless told
# otherwise: with HASHPACT_HOST=0.0.0.0 and HASHPACT_MEMBERS_ONLY=true give --publish 8470:8470 instead. Secrets are
# mounted, never built in. A pip configuration for the build: --secret id=pip,src=pip.conf.
# The version that the tests run on.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/ requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements/build.txt
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /opt/build/bin/pip wheel --no-cache-dir --no-deps --require-hashes --no-build-isolation \
    --wheel-dir /opt/wheels -r requirements/run.txt
COPY LICENSE README.md pyproject.toml ./
COPY protocol/ protocol/
COPY keys/ keys/
COPY node/ node/
RUN /opt/build/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /opt/wheels .
RUN python -m venv --without-pip /opt/hashpact \
    && /opt/build/bin/pip --python /opt/hashpact/bin/python install --no-index --no-deps --no-compile /opt/wheels/*.whl \
    && /opt/hashpact/bin/python -m compileall -q /opt/hashpact

FROM python:${PYTHON}-slim-bookworm
RUN useradd --system --uid 8470 --user-group --no-create-home --shell /usr/sbin/nologin hashpact \
    && install --directory --owner hashpact --group hashpact --mode 0700 /var/lib/hashpact
COPY --from=build /opt/hashpact /opt/hashpact
ENV HASHPACT_HOME=/var/lib/hashpact \
    HASHPACT_LOG_FORMAT=json \
    PATH=/opt/hashpact/bin:$PATH \
    PYTHONUNBUFFERED=1
USER hashpact
WORKDIR /var/lib/hashpact
VOLUME /var/lib/hashpact
EXPOSE 8470
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('HASHPACT_PORT', '8470') + '/healthz', timeout=4)"]
ENTRYPOINT ["hashpact"]
CMD ["serve"]
