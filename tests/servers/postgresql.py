"""PostgreSQL on a cluster of its own: Debian's programs, a folder that goes with it, loopback only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from tests.waiting import wait_until

_ACCOUNT = "postgres"
_SUPERUSER = "tester"
_ACCESS = """\
host all guarded 127.0.0.1/32 scram-sha-256
local all all trust
host all all 127.0.0.1/32 trust
"""


@dataclass
class Postgresql:
    """A running server. A test that is given one may stop and start it, for it is the only one there is."""

    folder: Path
    port: int
    names: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str, user: str = _SUPERUSER) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """A database of its own, made like the template; gives its name."""
        name = f"catalog_{next(self.names)}"
        self.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield name
        finally:
            self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: sql.SQL | sql.Composed, database: str = "postgres") -> None:
        """Run one statement outside of any transaction."""
        with psycopg.connect(self._address(database), autocommit=True) as connection:
            connection.execute(statement)

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        argv = [str(programs() / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        argv += ["-k", str(self.folder), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=60"]
        argv += ["-c", "fsync=off", "-c", "shared_buffers=32MB"]
        with (self.folder / "log").open("ab") as log:  # it ends with this process, however that ends
            self.process = subprocess.Popen([*_account("--pdeathsig=QUIT"), *argv], stdout=log, stderr=log)
        wait_until(self._answers, f"PostgreSQL answers, see {self.folder}/log", 60)

    def stop(self) -> None:
        """End every connection and the server."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
            self.process = None

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text("utf-8")
        try:
            psycopg.connect(self._address("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _address(self, database: str) -> str:
        return f"host={self.folder} port={self.port} user={_SUPERUSER} dbname={database} connect_timeout=10"


@contextmanager
def serving() -> Iterator[Postgresql]:
    """Make a cluster, serve it, and take it away again."""
    folder = Path(tempfile.mkdtemp(prefix="reforge-postgresql-"))
    if os.geteuid() == 0:
        account = pwd.getpwnam(_ACCOUNT)
        os.chown(folder, account.pw_uid, account.pw_gid)
    try:
        server = Postgresql(folder, _free_port())
        _initialise(folder / "data")
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def programs() -> Path:
    """Where the newest of Debian's PostgreSQL programs are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    assert found, "PostgreSQL isn't installed; `make test` installs it"
    return found[-1]


def _initialise(data: Path) -> None:
    argv = [str(programs() / "initdb"), "-D", str(data), "-U", _SUPERUSER, "-A", "trust", "--no-sync"]
    argv += ["-E", "UTF8", "--locale=C"]
    subprocess.run([*_account(), *argv], check=True, capture_output=True, cwd=data.parent)
    (data / "pg_hba.conf").write_text(_ACCESS, "utf-8")


def _account(*options: str) -> list[str]:
    """PostgreSQL refuses to run as root: then it runs, in the same process, as its own account."""
    other = [f"--reuid={_ACCOUNT}", f"--regid={_ACCOUNT}", "--init-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *other, *options, "--"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
