"""Google is down: the page, accepting, refusing and withdrawing work all the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.journeys.demo import IDS, STAND_IN_HOST
from tests.journeys.visitor import MakeVisitor, Visitor, data_layer, is_silenced

pytestmark = pytest.mark.browser

Answer = Callable[[Route], None]


def not_found(route: Route) -> None:
    route.fulfill(status=404, body="not found")


def broken(route: Route) -> None:
    route.fulfill(status=500, body="broken")


def unreachable(route: Route) -> None:
    route.abort("connectionrefused")


def silent(route: Route) -> None:
    """Take the request and never answer."""


@pytest.fixture(
    params=[
        pytest.param(not_found, id="not_found"),
        pytest.param(broken, id="broken"),
        pytest.param(unreachable, id="unreachable"),
        pytest.param(silent, id="silent"),
    ]
)
def visitor(request: pytest.FixtureRequest, make_visitor: MakeVisitor) -> Visitor:
    """A visitor for whom Google is down."""
    visitor = make_visitor()
    visitor.context.route(f"http://{STAND_IN_HOST}:*/**", request.param)
    return visitor


def test_accepting_and_withdrawing_work_and_no_page_waits_for_google(visitor: Visitor) -> None:
    page = visitor.goto("/about")
    with visitor.context.expect_event("request", lambda request: STAND_IN_HOST in request.url):
        visitor.accept()
    visitor.goto("/news")  # returns after the load event
    expect(visitor.banner).to_have_count(0)
    page.get_by_role("contentinfo").get_by_role("link", name="Cookies").click()
    expect(visitor.radio("Analytics cookies", "Yes")).to_be_checked()

    visitor.choose("Analytics cookies", "No")
    visitor.save()

    assert is_silenced(page, IDS["main"])
    assert data_layer(page)[-1][2]["analytics_storage"] == "denied"
    visitor.requests.clear()
    visitor.goto("/about")
    visitor.goto("/cookies")
    expect(visitor.radio("Analytics cookies", "No")).to_be_checked()
    assert visitor.heard_elsewhere() == []
