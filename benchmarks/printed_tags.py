"""What it costs to look for tags that pages print: `python -m benchmarks.printed_tags`.

The pages are those of the corpora (`python -m tests.corpora.fetch`).
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

from consentgate import Category, ConsentPolicy, Controller, GoogleAnalytics
from consentgate.page_reader import PageReader
from consentgate.printed_tags import PrintedTags, TagGate
from consentgate.rewriter import Rewriter
from consentgate.services import GoogleMaps, GoogleTagManager, MetaPixel, Vimeo, YouTube
from tests.corpora.fetch import CORPORA, pages, why_missing

POLICY = ConsentPolicy(
    site_name="Luton",
    controller=Controller(name="Luton Council", email="privacy@luton.example"),
    categories=(
        Category(
            id="analytics",
            services=(
                GoogleAnalytics(measurement_id="G-LUTON123", printed=True),
                GoogleTagManager(container_id="GTM-LUTON1", printed=True),
            ),
        ),
        Category(
            id="marketing",
            services=(YouTube(), Vimeo(), GoogleMaps(), MetaPixel(pixel_id="123456789", printed=True)),
        ),
    ),
)
NAMES = ("trafilatura", "formasaurus", "django")
ROUNDS = 5
MOST_PAGES = 300
KILOBYTES = 20_000  # bytes of a page that the figures are for


def gated(tags: PrintedTags, page: bytes) -> bytes:
    """Pass a page as the gate does for somebody who refused, as if it was never seen."""
    if not tags.prefilter.is_in(page):
        return page
    gate = TagGate(tags, frozenset(("essential",)), lambda *_: "/cookies/embed?", lambda _: b"")
    return Rewriter(gate.concerns, gate.change, tags.prefilter).whole(page)


def seen_before(tags: PrintedTags, page: bytes) -> bool:
    """Look at a page of the same bytes as one that was found to be clear, in an object of its own."""
    return tags.prefilter.may_be_in(bytes(memoryview(page)))


def read(page: bytes) -> None:
    """Read a whole page tag by tag."""
    reader = PageReader()
    reader.feed(page)
    reader.close()


def cost(of: Callable[[bytes], object], chosen: list[bytes]) -> float:
    """Return microseconds for 20 KB, the median of several rounds."""
    size = sum(map(len, chosen))
    taken = []
    for _ in range(ROUNDS):
        started = perf_counter()
        for page in chosen:
            of(page)
        taken.append(perf_counter() - started)
    return median(taken) / size * KILOBYTES * 1e6


def main() -> None:
    """Print a line for each corpus."""
    tags = PrintedTags(POLICY)
    for corpus in CORPORA:
        if corpus.name not in NAMES or why_missing(corpus) is not None:
            continue
        found = [page for _, page in pages(corpus)][:MOST_PAGES]
        touched = [page for page in found if gated(tags, page) != page]
        untouched = [page for page in found if gated(tags, page) == page]
        print(f"{corpus.name}: {len(found)} pages, of which {len(touched)} hold something back")
        for label, chosen in (("without a match", untouched), ("with a match", touched)):
            if chosen:
                print(f"  {label:28} {cost(lambda page: gated(tags, page), chosen):7.1f} us for 20 KB")
        clear = [page for page in untouched if not tags.prefilter.may_be_in(page)]
        print(f"  {'of these without a word':28} {cost(lambda page: gated(tags, page), clear):7.1f} us ({len(clear)})")
        print(
            f"  {'the same, seen before':28} {cost(lambda page: seen_before(tags, page), clear):7.1f} us, with a copy"
        )
        print(f"  {'the same object again':28} {cost(tags.prefilter.may_be_in, clear):7.1f} us")
        print(f"  {'one look at each byte (find)':28} {cost(lambda page: page.find(b'x-not-there'), found):7.1f} us")
        print(f"  {'read tag by tag':28} {cost(read, found):7.1f} us")


if __name__ == "__main__":
    main()
