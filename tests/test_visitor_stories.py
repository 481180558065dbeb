"""What visitors live through without scripts: they are asked once, obeyed, and can change their mind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urljoin

import html5lib
import httpx
import pytest
from jinja2 import DictLoader, Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Receive, Scope, Send

from consentgate import Category, ConsentPolicy, GoogleAnalytics, StorageItem, consent_from
from tests.conftest import A_DAY, HOST, KEY, NOW, ORIGIN, PAGE, consent_cookie, make_policy, make_site

pytestmark = pytest.mark.anyio

GOOGLE = ("googletagmanager", "google-analytics", "doubleclick", "gtag(", "dns-prefetch", "preconnect")
OTHER_KEY = "another-key-to-rotate-to-9876543210"
HOSTS = (HOST, f"place.{HOST}", f"invest.{HOST}")
SHARED = {"hosts": HOSTS, "cookie_domain": HOST}


class Element(Protocol):
    """The part of html5lib's tree that the stories read."""

    tag: str
    attrib: dict[str, str]

    def find(self, path: str) -> Element | None: ...
    def iterfind(self, path: str) -> Iterable[Element]: ...
    def itertext(self) -> Iterable[str]: ...
    def __iter__(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Page:
    """A page as the visitor's browser shows it."""

    response: httpx.Response
    tree: Element

    @classmethod
    def of(cls, response: httpx.Response) -> Page:
        return cls(response, html5lib.parse(response.text, namespaceHTMLElements=False))

    @property
    def banner(self) -> Element | None:
        """The section that asks or confirms."""
        return self.tree.find(".//section[@id='consentgate']")

    @property
    def asks(self) -> bool:
        return self.tree.find(".//section[@id='consentgate']//button[@value='accept_all']") is not None

    @property
    def confirms(self) -> bool:
        return any("hidden" not in one.attrib for one in self.tree.iterfind(".//*[@data-consentgate-message]"))

    @property
    def has_tag(self) -> bool:
        return "googletagmanager.com/gtag/js" in self.response.text

    @property
    def set_cookies(self) -> list[str]:
        return self.response.headers.get_list("set-cookie")


class Visitor:
    """Somebody with a browser that runs no scripts: it follows links, submits forms and keeps cookies."""

    def __init__(self, site: ASGIApp, *, cookies: httpx.Cookies | None = None) -> None:
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(site),
            cookies=cookies,
            headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "sec-fetch-dest": "document"},
        )
        self.page: Page
        self.answer: httpx.Response  # to the last form

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    @property
    def cookie_names(self) -> set[str]:
        return {cookie.name for cookie in self._client.cookies.jar}

    def keeps(self, name: str, *, domain: str = "", path: str = "/") -> None:
        """Have a cookie in the browser already."""
        self._client.cookies.set(name, "1", domain=domain or HOST, path=path)

    async def opens(self, address: str = "/") -> Page:
        response = await self._client.get(urljoin(ORIGIN, address))
        self.page = Page.of(response)
        return self.page

    async def sends(self, address: str, **fields: str) -> Page:
        """Send a form of the site's own."""
        self.page = Page.of(await self._client.post(urljoin(ORIGIN, address), data=fields))
        return self.page

    async def presses(self, name: str, value: str, **radios: str) -> Page:
        """Press the button of this name and value, with these radios ticked, and go where it leads."""
        form = next(
            form
            for form in self.page.tree.iterfind(".//form")
            if form.find(f".//button[@name='{name}'][@value='{value}']") is not None
        )
        assert form.attrib["method"] == "post"
        fields = {one.attrib["name"]: one.attrib["value"] for one in form.iterfind(".//input") if _is_sent(one)}
        address = str(self.page.response.url)
        origin = address[: address.index("/", len("https://"))]
        self.answer = await self._client.post(
            urljoin(address, form.attrib["action"]),
            data={**fields, **radios, name: value},
            headers={"origin": origin, "sec-fetch-site": "same-origin"},
        )
        if self.answer.status_code == 303:
            return await self.opens(urljoin(address, self.answer.headers["location"]))
        self.page = Page.of(self.answer)
        return self.page

    async def accepts(self) -> Page:
        return await self.presses("choice", "accept_all")

    async def rejects(self) -> Page:
        return await self.presses("choice", "reject_all")

    async def saves(self, **radios: str) -> Page:
        await self.opens("/cookies")
        return await self.presses("choice", "save", **radios)


def _is_sent(field: Element) -> bool:
    return field.attrib["type"] == "hidden" or "checked" in field.attrib


@dataclass(slots=True)
class Clock:
    """The time, passed in."""

    seconds: float = NOW

    def __call__(self) -> float:
        return self.seconds


def make_visitor(policy: ConsentPolicy | None = None, app: ASGIApp | None = None, **settings: Any) -> Visitor:
    return Visitor(make_site(app or HTMLResponse(PAGE), policy, **settings))


def returning(visitor: Visitor, policy: ConsentPolicy, **settings: Any) -> Visitor:
    """Return the same visitor, once the site has changed."""
    return Visitor(make_site(HTMLResponse(PAGE), policy, **settings), cookies=visitor.cookies)


def with_version(policy: ConsentPolicy, category: str, version: int) -> ConsentPolicy:
    changed = (replace(one, version=version) if one.id == category else one for one in policy.categories)
    return replace(policy, categories=tuple(changed))


def expired(lines: list[str], name: str) -> list[str | None]:
    """List the domains under which a cookie is expired outside of partitions, in order."""
    found = [line for line in lines if line.startswith(f"{name}=; Path=/; Max-Age=0;") and "Partitioned" not in line]
    domains = (re.search(r"Domain=([^;]+)", line) for line in found)
    return [domain[1] if domain else None for domain in domains]


# First visit.


async def test_first_page_asks_and_holds_nothing_of_google_but_its_name() -> None:
    visitor = make_visitor()

    page = await visitor.opens("/")

    assert page.asks
    assert not [word for word in GOOGLE if word in page.response.text]
    assert "Google Analytics" in page.response.text
    assert page.set_cookies == []


async def test_every_page_asks_until_there_is_an_answer() -> None:
    visitor = make_visitor()

    pages = [await visitor.opens(path) for path in ("/", "/news", "/contact?topic=parks")]

    assert [page.asks for page in pages] == [True, True, True]
    assert not any(page.has_tag for page in pages)


async def test_banner_comes_first_in_the_body_and_the_page_follows_unchanged() -> None:
    visitor = make_visitor(app=HTMLResponse(PAGE.replace("<h1>", '<a href="#main">Skip</a><h1>')))

    page = await visitor.opens("/")

    first = page.tree.find(".//body/*")
    assert first is not None
    assert first.attrib["id"] == "consentgate"
    assert page.response.text.endswith('<a href="#main">Skip</a><h1>Luton</h1></body></html>')


async def test_banner_names_purposes_third_party_and_period() -> None:
    visitor = make_visitor()

    banner = (await visitor.opens("/")).banner

    assert banner is not None
    text = " ".join(" ".join(banner.itertext()).split())
    for said in ("Luton", "Essential cookies", "Analytics cookies", "Marketing cookies", "Google", "184", "365"):
        assert said in text


async def test_accept_and_reject_are_alike() -> None:
    visitor = make_visitor()

    page = await visitor.opens("/")

    parents = [one for one in page.tree.iterfind(".//*") if one.find("button[@value='accept_all']") is not None]
    buttons = [child.attrib for child in parents[0] if child.tag == "button"]
    assert [(one["type"], one["name"], one["value"], one.get("class")) for one in buttons] == [
        ("submit", "choice", "accept_all", None),
        ("submit", "choice", "reject_all", None),
    ]


# Accepting.


async def test_accepting_leads_back_confirms_and_loads_the_tag() -> None:
    visitor = make_visitor()
    await visitor.opens("/news?page=2")

    page = await visitor.accepts()

    assert visitor.answer.headers["location"] == "/news?page=2"
    assert page.confirms
    assert not page.asks
    assert page.has_tag


async def test_choice_is_confirmed_once() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.accepts()

    page = await visitor.opens("/news")

    assert page.banner is None
    assert page.has_tag


async def test_hiding_the_confirmation_leads_back_and_changes_nothing() -> None:
    visitor = make_visitor()
    await visitor.opens("/news")
    await visitor.accepts()
    kept = str(visitor.cookies.jar)

    page = await visitor.presses("hide", "yes")

    assert visitor.answer.headers["location"] == "/news"
    assert "set-cookie" not in visitor.answer.headers
    assert page.banner is None
    assert page.has_tag
    assert str(visitor.cookies.jar) == kept


@pytest.mark.parametrize(
    ("origin", "attributes"),
    [
        pytest.param(
            ORIGIN, "__Host-consentgate=…; Path=/; Max-Age=15897600; HttpOnly; SameSite=Lax; Secure", id="https"
        ),
        pytest.param(
            "http://localhost", "consentgate=…; Path=/; Max-Age=15897600; HttpOnly; SameSite=Lax", id="development"
        ),
    ],
)
async def test_acceptance_is_kept_184_days_by_the_server_alone(origin: str, attributes: str) -> None:
    visitor = make_visitor()
    await visitor.opens(f"{origin}/")

    await visitor.accepts()

    line = next(line for line in visitor.answer.headers.get_list("set-cookie") if "consentgate=" in line)
    assert re.sub(r"=[^;]+", "=…", line, count=1) == attributes
    assert len(line) < 1024


async def test_page_opened_by_a_form_leads_to_the_cookies_page_after_the_choice() -> None:
    visitor = make_visitor()
    await visitor.sends("/contact", name="Ann")

    page = await visitor.accepts()

    assert page.response.url.path == "/cookies"
    assert page.confirms


# Rejecting.


async def test_rejecting_leads_back_confirms_and_loads_nothing() -> None:
    visitor = make_visitor()
    await visitor.opens("/news")

    page = await visitor.rejects()

    assert visitor.answer.headers["location"] == "/news"
    assert page.confirms
    assert not page.asks
    assert not [word for word in GOOGLE if word in page.response.text]


async def test_refusal_is_kept_365_days() -> None:
    visitor = make_visitor()
    await visitor.opens("/")

    await visitor.rejects()

    line = next(line for line in visitor.answer.headers.get_list("set-cookie") if "consentgate=" in line)
    assert f"Max-Age={365 * A_DAY};" in line


async def test_cookies_of_two_visitors_who_refused_at_the_same_time_are_the_same() -> None:
    one, other = make_visitor(), make_visitor()
    for visitor in (one, other):
        await visitor.opens("/")
        await visitor.rejects()

    assert one.cookies["__Host-consentgate"] == other.cookies["__Host-consentgate"]


async def test_after_a_refusal_the_page_is_the_sites_own_byte_for_byte() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.rejects()

    page = await visitor.opens("/")

    assert page.response.text == PAGE
    assert page.set_cookies == []


# Choosing by category.


async def test_saving_analytics_alone_allows_it_alone() -> None:
    visitor = make_visitor(app=_allowed_categories)

    page = await visitor.saves(analytics="yes", marketing="no")

    assert page.confirms
    assert (await visitor.opens("/")).response.json() == ["analytics", "essential"]


async def test_saving_marketing_alone_loads_no_tag() -> None:
    visitor = make_visitor()
    await visitor.saves(analytics="no", marketing="yes")

    page = await visitor.opens("/")

    assert not page.asks
    assert not page.has_tag


async def test_saving_the_page_as_it_stands_at_first_refuses_everything() -> None:
    visitor = make_visitor(app=_allowed_categories)

    await visitor.saves()

    assert (await visitor.opens("/")).response.json() == ["essential"]


async def test_saved_settings_are_shown_with_a_way_back() -> None:
    visitor = make_visitor()
    await visitor.opens("/cookies?back=/news")

    page = await visitor.presses("choice", "save", analytics="yes")

    assert page.response.url.raw_path == b"/cookies?back=%2Fnews"
    ticked = [one.attrib for one in page.tree.iterfind(".//input[@type='radio']") if "checked" in one.attrib]
    assert {one["name"]: one["value"] for one in ticked} == {"analytics": "yes", "marketing": "no"}
    notice = page.tree.find(".//*[@role='alert']")
    assert notice is not None
    link = notice.find(".//a")
    assert link is not None
    assert link.attrib["href"] == "/news"


async def _allowed_categories(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse(sorted(consent_from(scope).granted))(scope, receive, send)


# Withdrawing.


async def test_withdrawing_removes_the_tag_and_expires_its_cookies_on_the_host_and_every_parent() -> None:
    visitor = make_visitor(make_policy(hosts=HOSTS, cookie_domain=HOST))
    await visitor.opens(f"https://place.{HOST}/")
    await visitor.accepts()
    for name in ("_ga", "_ga_LUTON123", "_gid"):
        visitor.keeps(name, domain=f".{HOST}")

    await visitor.opens(f"https://place.{HOST}/cookies")
    await visitor.presses("choice", "save", analytics="no", marketing="no")

    lines = visitor.answer.headers.get_list("set-cookie")
    for name in ("_ga", "_ga_LUTON123", "_gid"):
        assert expired(lines, name) == [None, f"place.{HOST}", HOST]
    assert not {name for name in visitor.cookie_names if name.startswith("_g")}
    assert not (await visitor.opens(f"https://place.{HOST}/")).has_tag


async def test_withdrawing_leaves_essential_unknown_and_still_granted_cookies_alone() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.accepts()
    for name in ("_ga", "session", "campaign", "somebody_elses", "_gather"):
        visitor.keeps(name)

    await visitor.saves(analytics="no", marketing="yes")

    assert {"session", "campaign", "somebody_elses", "_gather"} <= visitor.cookie_names
    assert "_ga" not in visitor.cookie_names


async def test_google_cookies_that_come_back_after_withdrawal_are_expired_by_the_next_page() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.rejects()
    visitor.keeps("_ga_LATE")

    page = await visitor.opens("/news")

    assert expired(page.set_cookies, "_ga_LATE") == [None, HOST]
    assert "_ga_LATE" not in visitor.cookie_names


async def test_google_cookies_left_from_before_are_expired_without_any_choice() -> None:
    visitor = make_visitor()
    visitor.keeps("_ga")
    visitor.keeps("session")

    page = await visitor.opens("/")

    assert expired(page.set_cookies, "_ga") == [None, HOST]
    assert visitor.cookie_names == {"session"}


async def test_google_cookies_of_a_visitor_who_accepted_stay() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.accepts()
    visitor.keeps("_ga")

    page = await visitor.opens("/news")

    assert page.set_cookies == []
    assert "_ga" in visitor.cookie_names


async def test_cookie_is_expired_under_its_own_path() -> None:
    item = StorageItem(name="shop_track", purpose="Counts.", duration="1 day", path="/shop")
    marketing = Category(id="marketing", items=(item,))
    visitor = make_visitor(make_policy(categories=(marketing,)))
    visitor.keeps("shop_track", path="/shop")

    page = await visitor.opens("/shop/tea")

    assert "shop_track=; Path=/shop; Max-Age=0;" in page.set_cookies[0]
    assert all(line.startswith("shop_track=; ") and "Max-Age=0" in line for line in page.set_cookies)
    assert visitor.cookie_names == set()


async def test_cookie_of_a_partition_is_expired_as_well_where_lines_may_be_secure() -> None:
    secure, plain = make_visitor(), make_visitor()
    secure.keeps("_ga")
    plain.keeps("_ga", domain="localhost.local")

    pages = await secure.opens("/"), await plain.opens("http://localhost/")

    partitioned = [[line for line in page.set_cookies if line.endswith("; Secure; Partitioned")] for page in pages]
    assert [line.partition(";")[0] for line in partitioned[0]] == ["_ga=", "_ga="]
    assert pages[1].set_cookies
    assert partitioned[1] == []


async def test_cookie_of_a_folder_is_expired_by_the_pages_below_it() -> None:
    visitor = make_visitor()
    visitor.keeps("_ga", path="/shop")

    await visitor.opens("/shop/tea")

    assert visitor.cookie_names == set()


async def test_withdrawing_expires_a_cookie_of_a_folder_that_the_policy_names_from_any_page() -> None:
    items = tuple(
        StorageItem(name=name, purpose="Counts.", duration="1 day", path=path)
        for name, path in (("shop_track", "/shop"), ("blog_track", "/blog"))
    )
    categories = (Category(id="marketing", items=items[:1]), Category(id="analytics", items=items[1:]))
    visitor = make_visitor(make_policy(categories=categories))
    await visitor.opens("/")
    await visitor.accepts()
    visitor.keeps("shop_track", path="/shop")
    visitor.keeps("blog_track", path="/blog")

    await visitor.saves(marketing="no", analytics="yes")

    assert visitor.cookie_names >= {"blog_track"}
    assert "shop_track" not in visitor.cookie_names


async def test_withdrawing_without_scripts_clears_more_cookies_than_fit_into_one_answer() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.accepts()
    names = [f"_ga_{number}" for number in range(30)]
    for name in names:
        visitor.keeps(name)

    await visitor.opens("/news?page=2")
    visitor.page = await visitor.opens("/cookies?back=/news?page=2")
    await visitor.presses("choice", "save", analytics="no", marketing="no")
    hops = 0
    while visitor.page.response.status_code == 303:
        hops += 1
        assert len(visitor.page.set_cookies) <= 24
        await visitor.opens(visitor.page.response.headers["location"])

    assert 0 < hops <= 8
    assert visitor.page.confirms
    assert str(visitor.page.response.url).endswith("/cookies?back=%2Fnews%3Fpage%3D2")
    assert not set(names) & visitor.cookie_names


async def test_few_cookies_need_no_further_answer() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.accepts()
    visitor.keeps("_ga")

    await visitor.saves(analytics="no", marketing="no")

    assert visitor.answer.headers["location"] == "/cookies"


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", ""])
async def test_clearing_leads_to_pages_of_this_site_only(back: str) -> None:
    visitor = make_visitor()

    page = await visitor.opens(f"/cookies/clear?turn=1&back={back}")

    assert page.response.headers["location"] == "/cookies"


async def test_withdrawing_everything_takes_one_form_on_one_page() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.accepts()

    await visitor.opens("/cookies")
    page = await visitor.presses("choice", "save", analytics="no", marketing="no")

    assert not page.has_tag
    assert not (await visitor.opens("/")).has_tag


# Three hosts.


async def test_one_choice_holds_on_all_three_hosts() -> None:
    visitor = make_visitor(make_policy(**SHARED))
    await visitor.opens(f"https://place.{HOST}/")

    await visitor.accepts()

    assert "__Secure-consentgate" in visitor.cookie_names
    for host in HOSTS:
        page = await visitor.opens(f"https://{host}/")
        assert page.has_tag
        assert not page.asks


async def test_withdrawing_on_one_host_holds_on_all_three() -> None:
    visitor = make_visitor(make_policy(**SHARED))
    await visitor.opens(f"https://place.{HOST}/")
    await visitor.accepts()

    await visitor.saves(analytics="no", marketing="no")

    for host in HOSTS:
        assert not (await visitor.opens(f"https://{host}/")).has_tag


async def test_banner_names_the_hosts_a_choice_covers() -> None:
    visitor = make_visitor(make_policy(**SHARED))

    page = await visitor.opens(f"https://invest.{HOST}/")

    for host in HOSTS:
        assert host in page.response.text


async def test_without_a_shared_domain_each_host_asks_for_itself() -> None:
    visitor = make_visitor(make_policy(hosts=HOSTS))
    await visitor.opens(f"https://place.{HOST}/")

    await visitor.accepts()

    assert "__Host-consentgate" in visitor.cookie_names
    assert (await visitor.opens(f"https://invest.{HOST}/")).asks


async def test_host_outside_the_shared_domain_keeps_a_cookie_of_its_own() -> None:
    visitor = make_visitor(make_policy(**SHARED))
    await visitor.opens("https://preview.example/")

    page = await visitor.accepts()

    assert "__Host-consentgate" in visitor.cookie_names
    assert page.has_tag
    assert (await visitor.opens(f"https://{HOST}/")).asks


async def test_host_without_a_measurement_id_has_no_tag() -> None:
    tag = GoogleAnalytics(measurement_id={HOST: "G-LUTON123"})
    policy = make_policy(**SHARED, categories=(Category(id="analytics", services=(tag,)),))
    visitor = make_visitor(policy)
    await visitor.opens(f"https://{HOST}/")

    page = await visitor.accepts()

    assert page.has_tag
    assert not (await visitor.opens(f"https://place.{HOST}/")).has_tag


# Time.


async def test_choice_is_never_renewed_silently() -> None:
    clock = Clock()
    visitor = make_visitor(now=clock)
    await visitor.opens("/")
    await visitor.accepts()
    await visitor.opens("/")
    clock.seconds += 100 * A_DAY

    pages = [await visitor.opens(path) for path in ("/", "/cookies", "/cookies/state")]

    assert [page.set_cookies for page in pages] == [[], [], []]


@pytest.mark.parametrize(("choice", "days"), [("accept_all", 184), ("reject_all", 365)], ids=["accepted", "refused"])
async def test_choice_lapses_to_the_second(choice: str, days: int) -> None:
    clock = Clock()
    visitor = make_visitor(now=clock)
    await visitor.opens("/")
    await visitor.presses("choice", choice)

    clock.seconds = NOW + days * A_DAY - 1
    before = await visitor.opens("/")
    clock.seconds = NOW + days * A_DAY
    after = await visitor.opens("/")

    assert not before.asks
    assert after.asks
    assert not after.has_tag


async def test_only_the_accepted_half_of_a_mixed_answer_lapses_first() -> None:
    clock = Clock()
    visitor = make_visitor(now=clock)
    await visitor.saves(analytics="yes", marketing="no")

    clock.seconds += 184 * A_DAY
    page = await visitor.opens("/")

    assert asked_by(page) == ["analytics"]


async def test_decision_from_the_future_counts_as_none() -> None:
    visitor = make_visitor(now=Clock(NOW))
    visitor.cookies.set("__Host-consentgate", consent_cookie({"analytics": True}, at=NOW + A_DAY), domain=HOST)

    page = await visitor.opens("/")

    assert page.asks
    assert not page.has_tag


# The site changes its policy.


def asked_by(page: Page) -> list[str]:
    field = page.tree.find(".//section[@id='consentgate']//input[@name='asked']")
    return field.attrib["value"].split() if field is not None else []


async def test_new_version_of_one_purpose_asks_for_that_one_alone() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.accepts()

    page = await returning(visitor, with_version(make_policy(), "analytics", 2)).opens("/")

    assert asked_by(page) == ["analytics"]
    assert not page.has_tag


async def test_accepting_what_is_asked_anew_leaves_an_earlier_refusal_alone() -> None:
    visitor = make_visitor()
    await visitor.saves(analytics="yes", marketing="no")
    later = NOW + 10 * A_DAY
    again = returning(visitor, with_version(make_policy(), "analytics", 2), now=Clock(later))
    await again.opens("/")

    await again.accepts()

    state = (await again.opens("/cookies/state")).response.json()
    assert state["granted"] == ["analytics", "essential"]
    assert state["undecided"] == []


async def test_who_accepts_what_is_asked_anew_is_not_told_that_all_is_accepted() -> None:
    visitor = make_visitor()
    await visitor.saves(analytics="yes", marketing="no")
    again = returning(visitor, with_version(make_policy(), "analytics", 2))
    await again.opens("/")

    page = await again.accepts()

    assert "You have saved your cookie settings." in page.response.text
    assert "accepted all" not in page.response.text


async def test_rejecting_all_cookies_means_also_those_accepted_before() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.accepts()
    again = returning(visitor, with_version(make_policy(), "marketing", 2))
    await again.opens("/")

    page = await again.rejects()

    assert not page.has_tag
    assert (await again.opens("/cookies/state")).response.json()["granted"] == ["essential"]


async def test_answers_given_at_different_times_lapse_at_different_times() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.accepts()
    clock = Clock(NOW + 100 * A_DAY)
    again = returning(visitor, with_version(make_policy(), "analytics", 2), now=clock)
    await again.opens("/")
    await again.accepts()

    clock.seconds = NOW + 184 * A_DAY

    assert asked_by(await again.opens("/")) == ["marketing"]


async def test_new_category_is_asked_alone() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.accepts()
    maps = Category(id="maps", title="Maps", purpose="They show where we are.")

    page = await returning(visitor, make_policy(categories=(*make_policy().categories, maps))).opens("/")

    assert asked_by(page) == ["maps"]
    assert page.has_tag


async def test_category_that_went_away_asks_nothing() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.accepts()
    fewer = tuple(category for category in make_policy().categories if category.id != "marketing")

    page = await returning(visitor, make_policy(categories=fewer)).opens("/")

    assert not page.asks
    assert page.has_tag


async def test_edited_words_ask_nobody() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    await visitor.accepts()
    reworded = tuple(replace(one, title=f"{one.id}!", purpose="Reworded.") for one in make_policy().categories)

    page = await returning(visitor, make_policy(categories=reworded, site_name="Step Forward Luton")).opens("/")

    assert not page.asks
    assert page.has_tag


async def test_choice_from_a_banner_with_older_words_is_put_again_before_it_grants() -> None:
    visitor = make_visitor()
    await visitor.opens("/")
    reworded = returning(visitor, make_policy(site_name="Step Forward Luton"))
    reworded.page = visitor.page

    page = await reworded.accepts()

    assert page.response.status_code == 409
    assert page.set_cookies == []
    assert (await reworded.opens("/")).asks


# Keys, and cookies that are not ours.


async def test_choice_survives_a_new_key_that_signs_from_then_on() -> None:
    visitor = make_visitor(keys=[KEY])
    await visitor.opens("/")
    await visitor.accepts()

    rotated = returning(visitor, make_policy(), keys=[OTHER_KEY, KEY])
    assert not (await rotated.opens("/")).asks
    await rotated.saves(analytics="yes", marketing="no")

    assert not (await returning(rotated, make_policy(), keys=[OTHER_KEY]).opens("/")).asks


async def test_choice_signed_by_a_retired_key_counts_as_none() -> None:
    visitor = make_visitor(keys=[KEY])
    await visitor.opens("/")
    await visitor.accepts()

    page = await returning(visitor, make_policy(), keys=[OTHER_KEY]).opens("/")

    assert page.asks
    assert not page.has_tag


def _flipped(value: str) -> str:
    return value[:10] + ("A" if value[10] != "A" else "B") + value[11:]


GOOD = consent_cookie({"analytics": True, "marketing": True})


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(_flipped(GOOD), id="payload_changed"),
        pytest.param(_flipped(GOOD[::-1])[::-1], id="signature_changed"),
        pytest.param(GOOD[:-4], id="truncated"),
        pytest.param(GOOD + "A" * 5000, id="oversized"),
        pytest.param(consent_cookie({"analytics": True}, keys=[OTHER_KEY]), id="other_key"),
        pytest.param("", id="empty"),
        pytest.param("accept_all", id="plain_words"),
        pytest.param('{"analytics": true}', id="json"),
    ],
)
async def test_forged_cookie_counts_as_no_answer(value: str) -> None:
    visitor = make_visitor()
    visitor.cookies.set("__Host-consentgate", value, domain=HOST)

    page = await visitor.opens("/")

    assert page.asks
    assert not page.has_tag


async def test_genuine_cookie_counts() -> None:
    visitor = make_visitor()
    visitor.cookies.set("__Host-consentgate", GOOD, domain=HOST)

    page = await visitor.opens("/")

    assert not page.asks
    assert page.has_tag


async def test_cookie_of_the_same_name_on_another_domain_loses_to_the_newest_and_is_expired() -> None:
    policy = make_policy(**SHARED)
    visitor = make_visitor(policy, now=Clock(NOW + 1))
    older, newer = consent_cookie({"analytics": True}, at=NOW - A_DAY), consent_cookie({"analytics": False}, at=NOW)
    visitor.cookies.set("__Secure-consentgate", older, domain=f"place.{HOST}")
    visitor.cookies.set("__Secure-consentgate", newer, domain=f".{HOST}")

    page = await visitor.opens(f"https://place.{HOST}/")

    assert not page.has_tag
    left = [(one.domain, one.value) for one in visitor.cookies.jar]
    assert left == [(f".{HOST}", newer)]


async def test_healed_cookie_is_not_written_again_and_keeps_the_rest_of_its_time() -> None:
    visitor = make_visitor(make_policy(**SHARED), now=Clock(NOW))
    values = [consent_cookie({"analytics": True, "marketing": True}, at=NOW - days * A_DAY) for days in (10, 20)]
    visitor.cookies.set("__Secure-consentgate", values[0], domain=f"place.{HOST}")
    visitor.cookies.set("__Secure-consentgate", values[1], domain=f".{HOST}")

    first = await visitor.opens(f"https://place.{HOST}/")
    second = await visitor.opens(f"https://place.{HOST}/")

    assert f"__Secure-consentgate={values[0]}; Path=/; Max-Age={174 * A_DAY};" in first.set_cookies[-1]
    assert first.has_tag
    assert second.set_cookies == []


async def test_choice_expires_cookies_of_the_same_name_elsewhere() -> None:
    visitor = make_visitor(make_policy(**SHARED))
    await visitor.opens(f"https://place.{HOST}/")
    visitor.cookies.set("__Secure-consentgate", "stale", domain=f"place.{HOST}")
    visitor.cookies.set("__Secure-consentgate", "stale too", domain=f".{HOST}")

    await visitor.rejects()

    assert [one.domain for one in visitor.cookies.jar if one.name == "__Secure-consentgate"] == [f".{HOST}"]
    assert not (await visitor.opens(f"https://invest.{HOST}/")).asks


# Policies that ask less.


async def test_site_with_essential_cookies_alone_asks_nothing_but_has_a_cookies_page() -> None:
    visitor = make_visitor(make_policy(categories=()))

    page = await visitor.opens("/")
    cookies_page = await visitor.opens("/cookies")

    assert page.response.text == PAGE
    assert cookies_page.response.status_code == 200
    assert not cookies_page.asks
    assert cookies_page.tree.find(".//table") is not None
    assert cookies_page.tree.find(".//input[@type='radio']") is None


async def test_cookies_page_asks_by_itself_and_shows_no_banner() -> None:
    visitor = make_visitor()

    page = await visitor.opens("/cookies")

    assert not page.asks
    assert page.tree.find(".//input[@type='radio']") is not None


EXCEPTION = make_policy(
    categories=(
        Category(
            id="analytics",
            basis="statistical_exception",
            exception_assessed=True,
            services=(GoogleAnalytics(measurement_id="G-LUTON123"),),
        ),
    )
)


async def test_use_under_an_exception_is_on_without_asking() -> None:
    visitor = make_visitor(EXCEPTION)

    page = await visitor.opens("/")
    settings = await visitor.opens("/cookies")

    assert not page.asks
    assert page.has_tag
    ticked = [one.attrib["value"] for one in settings.tree.iterfind(".//input[@type='radio']") if _is_sent(one)]
    assert ticked == ["yes"]


async def test_objection_stops_it_and_expires_its_cookies() -> None:
    visitor = make_visitor(EXCEPTION)
    visitor.keeps("_ga")

    await visitor.saves(analytics="no")
    page = await visitor.opens("/")

    assert "_ga" not in visitor.cookie_names
    assert not page.has_tag


async def test_rejecting_all_from_a_banner_objects_to_exceptions_too() -> None:
    survey = Category(id="survey", title="Surveys", purpose="They ask.", basis="statistical_exception")
    visitor = make_visitor(make_policy(categories=(*make_policy().categories, survey)))
    await visitor.opens("/")

    await visitor.rejects()

    assert (await visitor.opens("/cookies/state")).response.json()["granted"] == ["essential"]


# What the application can ask.


async def _whether(request: Request) -> Response:
    return PlainTextResponse(str(request.state.consent.allows(request.query_params["category"])))


@pytest.mark.parametrize(
    ("choice", "allowed"),
    [
        pytest.param(None, {"essential": True, "analytics": False}, id="undecided"),
        pytest.param("reject_all", {"essential": True, "analytics": False}, id="refused"),
        pytest.param("accept_all", {"essential": True, "analytics": True}, id="accepted"),
    ],
)
async def test_app_can_ask_what_is_allowed(choice: str | None, allowed: dict[str, bool]) -> None:
    home = Route("/", lambda request: HTMLResponse(PAGE))
    visitor = make_visitor(app=Starlette(routes=[home, Route("/whether", _whether)]))
    await visitor.opens("/")
    if choice:
        await visitor.presses("choice", choice)

    said = {category: (await visitor.opens(f"/whether?category={category}")).response.text for category in allowed}

    assert said == {category: str(value) for category, value in allowed.items()}


@pytest.mark.parametrize(("granted", "shown"), [(True, "map"), (False, "link")], ids=["granted", "refused"])
async def test_templates_can_ask_what_is_allowed(granted: bool, shown: str) -> None:
    source = (
        "{{ 'map' if request.state.consent.allows('marketing') else 'link' }} {{ request.state.consent.cookies_page }}"
    )
    templates = Jinja2Templates(env=Environment(loader=DictLoader({"home.html": source}), autoescape=True))
    app = Starlette(routes=[Route("/", lambda request: templates.TemplateResponse(request, "home.html"))])
    visitor = make_visitor(app=app)
    visitor.cookies.set("__Host-consentgate", consent_cookie({"marketing": granted}), domain=HOST)

    page = await visitor.opens("/")

    assert page.response.text.endswith(f"{shown} /cookies")


async def test_plain_asgi_app_can_ask_what_is_allowed() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        consent = consent_from(scope)
        said = [consent.allows("analytics"), list(consent.undecided), consent.is_decided, consent.decided_at]
        await JSONResponse(said)(scope, receive, send)

    visitor = make_visitor(app=app)
    visitor.cookies.set("__Host-consentgate", consent_cookie({"analytics": True}), domain=HOST)

    page = await visitor.opens("/")

    assert page.response.json() == [True, ["marketing"], False, NOW]


@pytest.mark.parametrize("scope", [{}, {"consentgate": None}, {"consentgate": "yes"}], ids=["missing", "none", "other"])
def test_asking_without_the_middleware_says_what_to_do(scope: dict[str, object]) -> None:
    with pytest.raises(LookupError, match="Mount ConsentMiddleware around the application"):
        consent_from(scope)


async def test_category_the_policy_does_not_have_is_never_allowed_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Starlette(routes=[Route("/whether", _whether)])
    visitor = make_visitor(app=app)
    visitor.cookies.set("__Host-consentgate", GOOD, domain=HOST)

    said = [(await visitor.opens("/whether?category=analitycs")).response.text for _ in range(3)]

    assert said == ["False"] * 3
    assert caplog.messages == [
        "consent.allows('analitycs'): the policy has no such category, only analytics, essential, marketing"
    ]
