"""Notice at run time that pages carry tags by themselves: a banner beside such a tag is a false promise.

Looked at are the first few answers of a limited number of paths, piece by piece as they pass; each service is said
once. Afterwards a page costs one look-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from consentgate.declarations import declaring_category, remedy_for_tag, uncovered
from consentgate.inventory import Finding, tags_in_link_header, tags_of
from consentgate.notices import warn_once
from consentgate.page_reader import PageReader
from consentgate.policy import ConsentPolicy
from consentgate.response_kind import value_of
from consentgate.visit import Visit

__all__ = ["Look", "TagWatch"]

HeaderList = list[tuple[bytes, bytes]]

_MOST_PATHS = 512  # that are looked at; addresses without end, such as a shop's, must not fill the memory
_LONGEST_PATH = 256  # characters of one that is remembered: visitors choose the paths they ask for
_LOOKS = 3  # at each of them: the same address may answer differently
_MOST_BYTES = 1_048_576  # of each answer


class TagWatch:
    """Choose the answers to look at, and say what they carry.

    Args:
        policy: what visitors are asked.
    """

    def __init__(self, policy: ConsentPolicy) -> None:
        self._policy = policy
        self._looks: dict[int, int] = {}
        self.done: set[tuple[str, ...]] = set()
        """Hosts and paths of which enough pages were looked at; see `is_done_at` for all others."""

    def look(self, visit: Visit, status: int, headers: HeaderList, fields: Mapping[bytes, bytes]) -> Look | None:
        """Return what reads this page as it passes, or `None` when it need not be read.

        Args:
            visit: the request.
            status: the response's.
            headers: the response's, as the application wrote them.
            fields: the same by lower-case name.
        """
        if self.is_done_at(visit.host, visit.path):
            return None
        # Error pages have addresses without end, and look like the rest of the site.
        if status != 200 or visit.method == "HEAD" or not _is_readable(fields):
            return None
        granted = visit.consent.granted
        if granted == self._policy.everything:
            return None
        place = hash((visit.host, visit.path))
        self._looks[place] = looks = self._looks.get(place, 0) + 1
        if looks == _LOOKS and len(visit.path) <= _LONGEST_PATH:
            self.done.add((visit.host, visit.path))
        for key, value in headers:
            if key.lower() == b"link":
                self.report(tags_in_link_header(value), granted)
        return Look(self, granted)

    def is_done_at(self, host: str, path: str) -> bool:
        """Tell whether no further page at this address is looked at."""
        looks = self._looks.get(hash((host, path)), 0)
        return looks >= _LOOKS or (not looks and len(self._looks) >= _MOST_PATHS)

    def report(self, findings: Iterable[Finding], granted: frozenset[str]) -> None:
        """Say, once for each service, what a page carries although the visitor did not agree to it."""
        for finding in findings:
            if uncovered(self._policy, finding, granted):
                self._warn(finding)

    def _warn(self, finding: Finding) -> None:
        category = declaring_category(self._policy, finding)
        if category is not None and self._policy.printed_tags == "gate" and finding.can_be_held_back:
            warn_once(
                ("tag", finding.title),
                "A page carries %s by itself (%s), and consentgate starts it as well: whoever agrees gets it twice. %s",
                finding.title,
                finding.evidence,
                remedy_for_tag(self._policy, finding),
            )
            return
        warn_once(
            ("tag", finding.title),
            "A page carries %s by itself (%s), %s. A banner beside such a tag is a false promise. %s",
            finding.title,
            finding.evidence,
            f"also for visitors who did not agree to {category.id}" if category else "and the policy does not list it",
            remedy_for_tag(self._policy, finding),
        )


def _is_readable(fields: Mapping[bytes, bytes]) -> bool:
    return value_of(fields, b"content-encoding").lower() in ("", "identity")


class Look:
    """Read one page as it passes.

    Args:
        watch: what is told of the findings.
        granted: ids of the categories this visitor agreed to.
    """

    def __init__(self, watch: TagWatch, granted: frozenset[str]) -> None:
        self._watch = watch
        self._granted = granted
        self._reader = PageReader()
        self._room = _MOST_BYTES

    def see(self, chunk: bytes, *, last: bool) -> None:
        """Read the next piece of the page; nothing of it is held back."""
        elements = self._reader.feed(chunk[: self._room]) if self._room > 0 else []
        self._room -= len(chunk)
        if last or self._room <= 0:
            elements += self._reader.close()
        for element in elements:
            self._watch.report(tags_of(element), self._granted)
