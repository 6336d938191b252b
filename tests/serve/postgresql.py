"""A throw-away PostgreSQL server on a Unix socket, where its programs are installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = "/usr/lib/postgresql"  # where Debian puts each version's programs
USER = "postgres"
# a crash of the test machine may cost this server its data
SETTINGS = "-c listen_addresses='' -c fsync=off -c max_connections=60 -c shared_buffers=16MB"


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        programs: Folder of initdb and pg_ctl.
        folder: Of its data and its socket.
    """

    programs: Path
    folder: Path

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def control(self, *arguments: str) -> None:
        """Starts or stops it."""
        options = f"{SETTINGS} -c unix_socket_directories={self.folder}"
        log = self.folder / "log"
        run(self.programs / "pg_ctl", "-D", self.folder / "data", "-l", log, "-o", options, "-w", *arguments)


def run(*command: str | Path) -> None:
    """Runs a program of PostgreSQL, which refuses to run as root."""
    as_user = ("runuser", "-u", USER, "--") if os.getuid() == 0 else ()
    subprocess.run([*as_user, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd="/")  # noqa: S603


@contextmanager
def start() -> Iterator[Server]:
    """A server; skips the test where PostgreSQL is not installed."""
    found = sorted(Path(ROOT).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip(f"needs PostgreSQL's programs below {ROOT} (Debian: apt install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: the path of a socket has 107 characters at most
    if os.getuid() == 0:
        shutil.chown(folder, USER)
    server = Server(found[-1].parent, folder)
    try:
        initdb = (server.programs / "initdb", "-D", folder / "data", "-U", USER, "-A", "trust")
        run(*initdb, "-E", "UTF8", "--locale=C", "--no-sync")
        server.control("start")
        try:
            yield server
        finally:
            server.control("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
