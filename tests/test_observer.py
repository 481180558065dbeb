"""Somebody who counts is told which services' tags a page printed and did not keep, and nothing of the visitor."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from consentgate import Category, GoogleAnalytics
from consentgate.services import YouTube
from tests.conftest import GRANTED, HOST, REFUSED, make_client, make_policy, page

pytestmark = pytest.mark.anyio

POLICY = make_policy(
    categories=(
        Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-LUTON123", printed=True),)),
        Category(id="marketing", services=(YouTube(),)),
    )
)
PRINTED = (
    b"<!doctype html><html><head><script async src=https://www.googletagmanager.com/gtag/js?id=G-LUTON123></script>"
    b"</head><body><iframe src=https://www.youtube.com/embed/abc title=Luton></iframe></body></html>"
)


@dataclass
class Counter:
    """Keep what is said of tags."""

    tags: list[tuple[str, str]] = field(default_factory=list)

    def page(self, host: str) -> None: ...

    def banner(self, host: str) -> None: ...

    def choice(self, host: str, outcome: str) -> None: ...

    def cookie_withheld(self, host: str, category: str) -> None: ...

    def tag_withheld(self, host: str, service: str) -> None:
        self.tags.append((host, service))


async def counted(content: bytes, answers: dict[str, bool]) -> list[tuple[str, str]]:
    counter = Counter()
    async with make_client(page(content=content), POLICY, observer=counter) as client:
        form = {category: "yes" if granted else "no" for category, granted in answers.items()}
        await client.post("/cookies/choice", data=form, headers={"origin": f"https://{HOST}"})
        await client.get("/")
    return counter.tags


async def test_each_tag_that_was_held_back_is_counted_by_service() -> None:
    tags = await counted(PRINTED, REFUSED)

    assert tags == [(HOST, "Google Analytics"), (HOST, "YouTube")]


async def test_tag_that_the_visitor_agreed_to_is_not_counted() -> None:
    tags = await counted(PRINTED, GRANTED)

    assert tags == []


async def test_tag_that_the_page_itself_holds_back_is_not_counted() -> None:
    inert = b"<!doctype html><html><body><script type=text/plain data-consent=analytics>1</script></body></html>"

    tags = await counted(inert, REFUSED)

    assert tags == []
