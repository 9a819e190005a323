"""nginx on a folder of this machine, as the usual server of files to compare with."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.rclone import free_port, listens
from tests.waiting import wait_until

_PROGRAM = "/usr/sbin/nginx"
_CONFIGURATION = """
daemon off;
master_process off;
error_log stderr;
pid {folder}/pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {files};
    }}
}}
"""


@contextmanager
def nginx(folder: Path, files: Path) -> Iterator[str]:
    """The URL of the files, which one process serves; its own files are in the folder."""
    folder.mkdir()
    port = free_port()
    configuration, log = folder / "nginx.conf", folder / "log"
    configuration.write_text(_CONFIGURATION.format(folder=folder, files=files, port=port), "utf-8")
    with log.open("wb") as output:
        argv = [_PROGRAM, "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        wait_until(lambda: process.poll() is not None or listens(port), "nginx listens", 30)
        assert process.poll() is None, log.read_text("utf-8")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
