"""How gunicorn serves: `gunicorn -c python:api.gunicorn_conf "api.http.app:create_app()"`.

The application is built after the fork (`preload_app` off): database pools opened before a fork break. The control
socket is off, the workers' heartbeat files are in memory where that exists (a slow disk must not kill a worker).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from api.http.columns import read_ahead
from api.logs import configure_logging
from api.memory import settle
from api.settings import Settings

_settings = Settings.from_environment()

bind = f"{_settings.host}:{_settings.port}"
workers = _settings.workers
worker_class = _settings.worker_class
threads = _settings.threads if _settings.worker_class == "gthread" else 1
preload_app = False
control_socket_disable = True
timeout = 60
graceful_timeout = 30
keepalive = 5
max_requests = 0
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190
accesslog = None
errorlog = "-"
loglevel = _settings.log_level.lower()
if Path("/dev/shm").is_dir() and os.access("/dev/shm", os.W_OK):  # noqa: S108
    worker_tmp_dir = "/dev/shm"  # noqa: S108


def on_starting(server: Any) -> None:
    """The workers' shared counters begin at zero with the server."""
    shared = _settings.metrics_dir or _settings.home / "metrics"
    shutil.rmtree(shared, ignore_errors=True)
    shared.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared.absolute())


def post_fork(server: Any, worker: Any) -> None:
    """Before the application is made: nothing of a request's data may reach the logs."""
    configure_logging(_settings.log_level)


def post_worker_init(worker: Any) -> None:
    """What the application is made of stays as long as the worker: no collection need look through it again.

    The dashboards' columns are read beside the first requests.
    """
    settle()
    read_ahead(worker.wsgi)


def child_exit(server: Any, worker: Any) -> None:
    """A dead worker's gauges no longer count."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
