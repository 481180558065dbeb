"""Install and start a real WordPress: Debian's package with its PHP, a private MariaDB, and nginx; loopback only.

Nothing outside one folder is written, and no service of the system is used or touched.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.gateway.processes import find, free_port, need, process, run, wait_for_port, wait_for_socket

__all__ = ["PACKAGES", "WordPress", "install", "lacking", "running"]

PACKAGES = (
    "wordpress",
    "wordpress-theme-twentytwentythree",
    "php",
    "php8.2-cgi",  # in the place of Apache's module
    "php-cli",
    "php-gd",
    "php-mbstring",
    "php-mysql",
    "php-xml",
    "mariadb-server-core",  # the programs alone: no service
    "mariadb-client-core",
    "nginx-light",
)
HERE = Path(__file__).parent
DEBIAN = Path("/usr/share/wordpress")
PROGRAMS = ("mariadbd", "mariadb-install-db", "mariadb", "php", "php-cgi", "nginx")
PHP_WORKERS = 4


@dataclass(frozen=True, slots=True)
class WordPress:
    """Hold a running WordPress.

    Args:
        port: of its nginx, on loopback.
        password: of the user `editor`.
    """

    port: int
    password: str

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self.port}"


def lacking() -> list[str]:
    """List what has to be installed first."""
    missing = [program for program in PROGRAMS if find(program) is None]
    return missing if DEBIAN.is_dir() else [*missing, "wordpress"]


def install() -> None:
    """Install Debian's packages; needs root."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run([need("apt-get"), "update", "-qq"], env=environment)
    run([need("apt-get"), "install", "-y", "-qq", "--no-install-recommends", *PACKAGES], env=environment)


@contextmanager
def running(folder: Path, port: int | None = None) -> Iterator[WordPress]:
    """Install WordPress into an empty folder, run it, and end it.

    Args:
        folder: for database, site and logs; a path shorter than 80 characters, for its sockets.
        port: of loopback; a free one by default.
    """
    folder = folder.resolve()
    port = port or free_port()
    password = secrets.token_urlsafe(12)
    database, php = folder / "db.sock", folder / "php.sock"
    environment = {
        **os.environ,
        "WORDPRESS_SOCKET": str(database),
        "WORDPRESS_SECRET": secrets.token_hex(32),
        "WORDPRESS_PASSWORD": password,
        "PHP_FCGI_CHILDREN": str(PHP_WORKERS),
        "PHP_FCGI_MAX_REQUESTS": "0",
    }
    with ExitStack() as stack:
        _make_database(folder)
        stack.enter_context(process(folder / "mariadb.out", _mariadbd(folder, database)))
        wait_for_socket(database)
        run([need("mariadb"), "--no-defaults", f"--socket={database}", "-e", "CREATE DATABASE wordpress"])
        _make_site(folder / "site")
        run([need("php"), "install.php"], cwd=folder / "site", env=environment)
        limits = ["-d", "upload_max_filesize=64M", "-d", "post_max_size=64M"]
        stack.enter_context(process(folder / "php.out", [need("php-cgi"), *limits, "-b", str(php)], env=environment))
        wait_for_socket(php)
        configuration = folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        text = (HERE / "nginx.conf").read_text(encoding="utf-8")
        configuration.write_text(text.format(folder=folder, port=port, php=php, user=user), encoding="utf-8")
        nginx = [need("nginx"), "-e", str(folder / "nginx.log"), "-c", str(configuration)]
        stack.enter_context(process(folder / "nginx.out", nginx))
        wait_for_port(port)
        yield WordPress(port, password)


def _make_database(folder: Path) -> None:
    command = [need("mariadb-install-db"), "--no-defaults", f"--datadir={folder / 'db'}", "--skip-test-db"]
    run([*command, "--auth-root-authentication-method=normal", *_as_root(), "--skip-name-resolve"])


def _mariadbd(folder: Path, sock: Path) -> list[str]:
    small = ["--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF"]
    paths = [f"--datadir={folder / 'db'}", f"--socket={sock}", f"--pid-file={folder / 'db.pid'}"]
    return [need("mariadbd"), "--no-defaults", *paths, "--skip-networking", *small, *_as_root()]


def _as_root() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []


def _make_site(site: Path) -> None:
    """Copy Debian's WordPress, whose links lead to other packages, and put our own files beside it."""
    shutil.copytree(DEBIAN, site, ignore=shutil.ignore_patterns("wp-config.php", "readme.html"))
    for name in ("wp-config.php", "install.php"):
        shutil.copy(HERE / name, site / name)
    shutil.copytree(HERE / "theme", site / "wp-content" / "themes" / "luton")
    (site / "wp-content" / "uploads").mkdir(exist_ok=True)
