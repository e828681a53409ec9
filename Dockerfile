# Paravent with every engine. docs/operators/compose.md starts it; nothing secret is in it.
# The Python is the one the tests run on. Every package is a wheel of the lock, checked by its hash, so no compiler is
# needed and nothing is built here.
FROM python:3.11.15-slim-bookworm AS packages
COPY requirements/production.txt requirements/base.txt /build/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-compile \
        --only-binary=:all: --require-hashes --requirement /build/production.txt

FROM python:3.11.15-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PARAVENT_DATA_DIR=/var/lib/paravent
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin paravent \
    && install --directory --owner=paravent --group=paravent --mode=0700 /var/lib/paravent/spool
COPY --from=packages /opt/venv /opt/venv
WORKDIR /opt/paravent
COPY manage.py ./
COPY platform platform
COPY numbers numbers
COPY messaging messaging
# The key lives for this one command. Compiled, because the root of a running container is read-only.
RUN python -m compileall -q . /opt/venv/lib \
    && for texts in $(find platform numbers messaging -name '*.po'); do test -s "${texts%.po}.mo" || exit 1; done \
    && PARAVENT_SECRET_KEY=$(python -c 'import secrets; print(secrets.token_urlsafe(50))') \
        python manage.py collectstatic --noinput --verbosity 0
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Whether this container does its work: the web process answers and can write its spool. It does not ask the database,
# because a web process without one goes on receiving, and must not be replaced for it.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
    CMD ["python", "manage.py", "health", "--only", "web", "spool"]
ENTRYPOINT ["python", "manage.py"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
