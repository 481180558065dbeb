"""Templates of a site's own: replaced one by one, none may lose what a visitor needs, and the banner in its place."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from jinja2 import Environment, PackageLoader, meta
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from consentgate import ConfigurationError
from consentgate.cli.commands import consentgate as command
from consentgate.placeholder import MARK, Placeholder
from consentgate.policy import TEMPLATES
from tests.conftest import BANNER, REFUSED, consent_cookie, make_client, make_policy, make_site, page

EXAMPLE = Path(__file__).parents[1] / "examples" / "templates"
SITE = 'site_name = "Luton"\n[controller]\nname = "C"\nemail = "c@example.org"\n[categories.marketing]\n'

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write templates, by name, and return their folder."""

    def write(**templates: str) -> str:
        for name, content in templates.items():
            (tmp_path / f"{name}.html").write_text(content, encoding="utf-8")
        return str(tmp_path)

    return write


async def markup_of(folder: str, path: str = "/") -> str:
    async with make_client(page(), make_policy(templates=folder)) as client:
        return (await client.get(path)).text


def problems_of(folder: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        make_site(page(), make_policy(templates=folder))
    return [str(problem) for problem in caught.value.problems]


# One by one


@pytest.mark.anyio
async def test_one_block_is_changed_and_the_rest_stays(write: Write) -> None:
    folder = write(banner="{% extends 'default/banner.html' %}{% block heading %}<h2>May we?</h2>{% endblock %}")

    markup = await markup_of(folder)

    assert "<h2>May we?</h2>" in markup
    assert "Cookies on Luton</h2>" not in markup
    assert 'value="reject_all">Reject all cookies</button>' in markup


@pytest.mark.anyio
async def test_a_changed_message_is_used_with_scripts_and_without(write: Write) -> None:
    folder = write(message="{% extends 'default/message.html' %}{% block message %}Thanks! {{ super() }}{% endblock %}")
    cookie = {"__Host-consentgate-message": "reject_all", "__Host-consentgate": consent_cookie(REFUSED)}

    async with make_client(page(), make_policy(templates=folder)) as client:
        asked = (await client.get("/")).text
        form = {"choice": "reject_all", "source": "banner"}
        saved = await client.post("/cookies/choice", data=form, headers={"accept": "application/json"})
        client.cookies.update(cookie)
        confirmed = (await client.get("/")).text

    assert "Thanks!" not in asked
    assert saved.json()["message"].count("Thanks!") == 1
    assert 'role="alert"' in confirmed
    assert confirmed.count("Thanks!") == 1


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/cookies", "/cookies/choice"], ids=["cookies_page", "error_page"])
async def test_both_pages_stand_in_the_sites_own_frame(path: str) -> None:
    async with make_client(page(), make_policy(templates=str(EXAMPLE))) as client:
        answer = await (client.get(path) if path == "/cookies" else client.post(path, data={"choice": "perhaps"}))

    assert '<a href="/">Exampleton</a>' in answer.text
    assert "<h1>" in answer.text
    assert answer.text.count("<main") == 1


@pytest.mark.anyio
async def test_without_a_folder_the_built_in_templates_are_used() -> None:
    assert "Cookies on Luton</h2>" in await markup_of("")


@pytest.mark.anyio
async def test_other_words_are_another_wording(write: Write) -> None:
    plain = await markup_of("")

    changed = await markup_of(
        write(banner="{% extends 'default/banner.html' %}{% block heading %}<h2>May we?</h2>{% endblock %}")
    )

    wordings = [re.findall(r'name="wording" value="(\w+)"', markup) for markup in (plain, changed)]
    assert len(wordings[0]) == len(wordings[1]) == 1
    assert wordings[0] != wordings[1]


# The interface: blocks and names that a site may count on

BLOCKS = {
    "banner.html": {"heading", "text", "buttons", "links", "details"},
    "message.html": {"message"},
    "confirmation.html": set(),
    "layout.html": {"title", "head", "header", "main", "footer"},
    "page.html": {"title", "main", "languages", "about", "receipt", "manage", "contact"},
    "receipt.html": {"title", "main"},
    "receipt_section.html": set(),
    "receipt_facts.html": set(),
    "error.html": {"title", "main"},
    "embed.html": {"head", "text"},
    "outage.html": {"title", "main"},
}
EVERYWHERE = {"t", "policy", "urls", "hosts", "kept", "privacy_policy", "wording"}
SET_THERE = {"regulator", "moment"}  # by the built-in template itself
OWN_NAMES = {
    "banner.html": {"asked", "objectable", "asked_ids", "back_mark"},
    "message.html": {"outcome", "back_mark"},
    "confirmation.html": {"outcome", "back_mark"},
    "layout.html": {"head"},
    "page.html": {"categories", "asked_ids", "saved", "signalled", "languages", "back", "head", "receipt"},
    "receipt.html": {"receipt", "said", "head"},
    "receipt_section.html": {"receipt"},
    "receipt_facts.html": {"receipt"},
    "error.html": {"reason", "head"},
    "embed.html": {"title", "provider", "category", "categories", "address", "back", "new_window"},
    "outage.html": {"cause", "head"},
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_these_are_the_blocks(name: str) -> None:
    environment = Environment(loader=PackageLoader("consentgate"), autoescape=True)

    assert set(environment.get_template(name).blocks) == BLOCKS[name]


@pytest.mark.parametrize("name", sorted(OWN_NAMES))
@pytest.mark.anyio
async def test_these_are_the_names(name: str, write: Write) -> None:
    """A template that uses each of them renders, and the built-in one uses no other."""
    used = "".join(f"{{%- if {one} is undefined %}}{one} is gone{{% endif %}}" for one in EVERYWHERE | OWN_NAMES[name])
    stem = name.removesuffix(".html")
    block = sorted(BLOCKS[name] & {"head", "heading", "message", "main", "footer"}, reverse=True)
    content = f"{{% extends 'default/{name}' %}}"
    if block:
        content += f"{{% block {block[0]} %}}{used}{{{{ super() }}}}{{% endblock %}}"

    make_site(page(), make_policy(templates=write(**{stem: content})))

    loader = PackageLoader("consentgate")
    environment = Environment(loader=loader, autoescape=True)
    source = loader.get_source(environment, name)[0]
    assert meta.find_undeclared_variables(environment.parse(source)) <= EVERYWHERE | OWN_NAMES[name] | SET_THERE


# What must not get lost

GONE = {
    "erase": ("receipt_section", r"<form.*?</form>", "", "The form to erase a record is gone."),
    "receipt_file": ("receipt_section", r"urls\.receipt_file", "urls.home", "The link to the receipt's file is gone."),
    "receipt_place": (
        "receipt_section",
        'id="consentgate-receipt"',
        "",
        "Keep the element with id=consentgate-receipt",
    ),
    "receipt_number": ("receipt", r"{% include 'receipt_facts.html' %}", "", "The receipt number is gone."),
    "receipt_way_back": ("receipt", r"urls\.page ", "urls.home ", "The link to the cookies page is gone."),
    "reject": ("banner", 'value="reject_all"', 'value="accept_all"', "The reject button is gone."),
    "reject_as_link": ("banner", r"<button[^>]*reject_all.*?</button>", "<a>Reject</a>", "The reject button is gone."),
    "reject_hidden": ("banner", 'value="reject_all"', 'value="reject_all" hidden', "The reject button cannot be seen."),
    "reject_disabled": (
        "banner",
        'value="reject_all"',
        'value="reject_all" disabled',
        "The reject button cannot be seen.",
    ),
    "reject_silent": (
        "banner",
        r'value="reject_all">.*?</button>',
        'value="reject_all"></button>',
        "The reject button cannot",
    ),
    "reject_in_hidden_part": (
        "banner",
        r"<button[^>]*reject_all.*?</button>",
        r"<div hidden>\g<0></div>",
        "The reject button cannot be seen.",
    ),
    "accept_louder": ("banner", 'value="accept_all"', 'value="accept_all" class="loud"', "Accept and reject differ."),
    "accept_bigger": (
        "banner",
        r'value="accept_all">(.*?)<',
        r'value="accept_all"><strong>\1</strong><',
        "Accept and reject differ.",
    ),
    "reject_elsewhere": (
        "banner",
        r"<button[^>]*reject_all.*?</button>",
        r"<p>\g<0></p>",
        "Accept and reject differ.",
    ),
    "form": ("banner", 'action="{{ urls.choice }}" data', 'action="/elsewhere" data', "The form is gone."),
    "method": ("banner", 'method="post"', 'method="get"', "The form is gone."),
    "label": ("banner", r' aria-label="[^"]*"', "", "The region's label is gone"),
    "region": ("banner", "<section", "<div", "The region is gone."),
    "id": ("banner", 'id="consentgate"', 'id="banner"', "Keep one <section id=consentgate data-consentgate>"),
    "lang": ("banner", r' lang="[^"]*"', "", "Keep lang={{ t.language }}"),
    "asked": ("banner", 'name="asked"', 'name="other"', "The hidden field asked is gone."),
    "wording": ("banner", 'name="wording"', 'name="other"', "The hidden field wording is gone."),
    "source": ("banner", 'value="banner"', 'value="page"', "The hidden field source is gone."),
    "link": ("banner", 'href="{{ urls.page }}"', 'href="/about"', "The link to the cookies page is gone."),
    "message_too_early": (
        "banner",
        "</section>",
        "{% with outcome = 'save' %}{% include 'message.html' %}{% endwith %}</section>",
        "It says that a choice is saved before one is.",
    ),
    "script": ("banner", "</section>", "<script>go()</script></section>", "<script> holds a script or style"),
    "style": ("banner", "<form", '<form style="color: red"', "<form> holds a script or style"),
    "handler": ("banner", "<form", '<form onsubmit="go()"', "<form> holds a script or style"),
    "alert": ("message", ' role="alert"', "", "Keep role=alert"),
    "hide": ("message", 'name="hide"', 'name="close"', "The button that hides the message is gone."),
    "settings_link": ("message", "format(urls.page,", "format('/',", "The link to the cookies page is gone."),
    "page_form": ("page", 'action="{{ urls.choice }}"', 'action="/elsewhere"', "The form is gone."),
    "page_save": ("page", 'value="save"', 'value="accept_all"', "The save button is gone."),
    "page_no": ("page", 'value="no"', 'value="perhaps"', "The answers yes and no to analytics are gone."),
    "page_prechosen": (
        "page",
        'value="yes"',
        'value="yes" checked',
        "The answer yes to analytics is chosen beforehand.",
    ),
    "page_items": ("page", "<code>{{ item.name }}</code>", "<code>a cookie</code>", "session is not listed."),
    "page_notice": (
        "page",
        'data-consentgate-message="save"',
        "",
        "Keep the element with data-consentgate around it",
    ),
    "page_source": ("page", 'name="source"', 'name="from"', "The hidden field source is gone."),
    "page_lang": ("layout", r' lang="[^"]*"', "", "Keep <html lang={{ t.language }}"),
    "reason": ("error", "{{ reason }}", "", "The reason is gone."),
    "error_link": ("error", 'href="{{ urls.page }}"', 'href="/"', "The link to the cookies page is gone."),
    "embed_form": ("embed", ' target="_top">\n{', ">\n{", "The form is gone."),
    "embed_button": ("embed", 'value="save"', 'value="accept_all"', "The button is gone."),
    "embed_once": ("embed", 'href="{{ address }}"', 'href="/"', "The link that loads it this once is gone."),
    "embed_more": ("embed", 'href="{{ urls.page }}"', 'href="/"', "The link to the cookies page is gone."),
    "embed_title": ("embed", "title=title", "title='It'", "Nothing says whose content waits."),
    "embed_lang": ("embed", r' lang="[^"]*"', "", "Keep <html lang={{ t.language }}"),
    "embed_categories": ("embed", 'name="{{ id }}"', 'name="all"', "The hidden fields of the categories are gone."),
    "embed_source": ("embed", 'value="embed"', 'value="page"', "The hidden field source is gone."),
    "embed_broken": ("embed", "{{ back }}", "{{ back.nothing.at_all }}", "has no attribute 'nothing'"),
    "embed_raises": ("embed", "{{ back }}", "{{ 1 // 0 }}", "ZeroDivisionError: "),
    "embed_without_a_provider": ("embed", "{{ back }}", "{{ 1 // provider|length }}", "ZeroDivisionError: "),
    "outage_reason": ("outage", "{{ t('outage.' ~ cause) }}", "Sorry", "The reason is gone."),
    "outage_link": ("outage", "urls.page", "urls.home", "The link to the cookies page is gone."),
    "outage_broken": ("outage", "cause", "why", "'why' is undefined. Correct the template."),
    "syntax": ("banner", "{% if asked %}", "{% if asked ", "banner.html, line "),
    "unknown_name": ("banner", "{{ wording }}", "{{ phrasing }}", "'phrasing' is undefined. Correct the template."),
}


@pytest.mark.parametrize("case", GONE)
def test_a_template_that_loses_something_stops_the_start_with_the_reason(case: str, write: Write) -> None:
    stem, pattern, replacement, reason = GONE[case]
    original = Environment(loader=PackageLoader("consentgate"), autoescape=True).get_template(f"{stem}.html").filename
    literal = pattern if "\\" in pattern or "[^" in pattern or ".*?" in pattern else re.escape(pattern)
    source = Path(original or "").read_text(encoding="utf-8")
    changed = re.sub(literal, replacement, source, flags=re.DOTALL)
    assert changed != source

    found = problems_of(write(**{stem: changed}))

    assert any(reason in problem for problem in found), found
    assert all(problem.startswith("templates/") for problem in found)


def test_the_built_in_templates_copied_whole_are_right(write: Write) -> None:
    loader = PackageLoader("consentgate")
    environment = Environment(loader=loader, autoescape=True)
    copies = {name.removesuffix(".html"): loader.get_source(environment, name)[0] for name in TEMPLATES}

    make_site(page(), make_policy(templates=write(**copies)))


@pytest.mark.anyio
async def test_a_template_that_fails_for_one_visitor_makes_way_for_the_built_in_one(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    failing = "{% extends 'default/embed.html' %}{% block text %}{{ 1 // (title|length - 11) }}{% endblock %}"
    policy = make_policy(templates=write(embed=failing))
    headers = {"sec-fetch-dest": "iframe"}

    async with make_client(page(), policy) as client:
        own = await client.get("/cookies/embed?for=analytics&src=https://film.exampleton.example/", headers=headers)
        built_in = await client.get("/cookies/embed?for=analytics&src=https://abc.example/", headers=headers)

    assert "This is from film.exampleton.example" not in own.text
    assert built_in.status_code == 200
    assert "This is from abc.example" in built_in.text
    assert caplog.messages == [
        "The template embed.html failed, so the built-in one was shown: ZeroDivisionError, line 1"
    ]
    assert "abc.example" not in caplog.text


def test_a_folder_without_any_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"templates = .*: Give a folder, relative to the policy file"):
        make_policy(templates=str(tmp_path))


def test_check_says_it_too_with_a_folder_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "banner.html").write_text("<p>We use cookies.</p>", encoding="utf-8")
    (tmp_path / "consentgate.toml").write_text(f'templates = "own"\n{SITE}', encoding="utf-8")

    result = CliRunner().invoke(command, ["check", str(tmp_path / "consentgate.toml")])

    assert result.exit_code == 1
    assert "templates/banner.html: The form is gone." in result.output


# A place of the application's own


def site_with_own_place(*pieces: str, is_stream: bool = False, path: str = "/") -> ASGIApp:
    """Return an application whose template calls `banner()` where a piece says BANNER."""

    def filled(request: Request) -> list[str]:
        return [piece.replace("BANNER", request.state.consent.banner()) for piece in pieces]

    async def show(request: Request) -> Response:
        if not is_stream:
            return HTMLResponse("".join(filled(request)))
        parts = filled(request)

        async def stream() -> AsyncIterator[str]:
            for part in parts:
                yield part

        return StreamingResponse(stream(), media_type="text/html")

    return Starlette(routes=[Route(path, show)])


BEFORE = "<!doctype html><html lang=en><head><title>x</title></head><body><header>Top</header>"
AFTER = "<main>x</main></body>"


@pytest.mark.anyio
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
async def test_the_banner_stands_where_the_template_says_and_nowhere_else(is_stream: bool) -> None:
    async with make_client(site_with_own_place(BEFORE, "BANNER", AFTER, is_stream=is_stream)) as client:
        markup = (await client.get("/")).content

    assert markup.count(BANNER) == 1
    assert MARK not in markup
    assert markup.index(b"</header>") < markup.index(BANNER) < markup.index(b"<main>")
    assert b'rel="stylesheet"' in markup


@pytest.mark.anyio
async def test_who_has_decided_gets_the_mark_alone() -> None:
    client = make_client(site_with_own_place(BEFORE, "BANNER", AFTER))
    client.cookies.set("__Host-consentgate", consent_cookie(REFUSED))

    async with client:
        markup = (await client.get("/")).content

    assert markup == BEFORE.encode() + MARK + AFTER.encode()


@pytest.mark.anyio
async def test_a_page_out_of_the_applications_cache_gets_one_banner_too() -> None:
    """Rendered once for somebody, mark included, and served to everybody without asking again."""
    cached = (BEFORE + MARK.decode() + AFTER).encode()

    async with make_client(page(content=cached)) as client:
        markup = (await client.get("/")).content

    assert markup.count(BANNER) == 1
    assert markup.index(BANNER) < markup.index(b"<header>")


@pytest.mark.anyio
async def test_an_error_page_in_place_of_the_rendered_one_has_the_banner() -> None:
    async def fail(request: Request) -> Response:
        request.state.consent.banner()
        return HTMLResponse(BEFORE + AFTER, 500)

    async with make_client(Starlette(routes=[Route("/", fail)])) as client:
        markup = (await client.get("/")).content

    assert markup.count(BANNER) == 1


@pytest.mark.anyio
async def test_a_call_after_the_body_has_begun_adds_no_second_banner() -> None:
    async def show(request: Request) -> Response:
        async def stream() -> AsyncIterator[str]:
            yield BEFORE
            yield request.state.consent.banner()
            yield AFTER

        return StreamingResponse(stream(), media_type="text/html")

    async with make_client(Starlette(routes=[Route("/", show)])) as client:
        markup = (await client.get("/")).content

    assert markup.count(BANNER) == 1


@pytest.mark.anyio
async def test_templates_do_not_escape_what_they_are_given() -> None:
    async def show(request: Request) -> Response:
        consent = request.state.consent
        template = Environment(autoescape=True).from_string("{{ consent.settings_link(words) }}{{ consent.banner() }}")
        return Response(template.render(consent=consent, words=request.query_params.get("words")))

    async with make_client(Starlette(routes=[Route("/", show)])) as client:
        assert (await client.get("/")).text == f'<a href="/cookies">Your cookie settings</a>{MARK.decode()}'
        assert '<a href="/cookies">&lt;b&gt;</a>' in (await client.get("/?words=<b>")).text


@pytest.mark.parametrize("size", range(1, len(MARK) + 3))
def test_a_mark_is_found_however_the_page_is_cut(size: int) -> None:
    content = b"<!--a--><!--consentgate-" + MARK + b"and again " + MARK + b"<!--"
    placeholder = Placeholder(b"BANNER")
    pieces = [content[at : at + size] for at in range(0, len(content), size)]

    found = b"".join(placeholder.feed(piece, last=False) for piece in pieces) + placeholder.feed(b"", last=True)

    assert found == content.replace(MARK, b"BANNER", 1)


def test_a_page_without_a_mark_is_not_held_back() -> None:
    placeholder = Placeholder(b"BANNER")

    assert placeholder.feed(b"<p>words", last=False) == b"<p>words"
    assert placeholder.feed(b"<!--cons", last=False) == b""
    assert placeholder.feed(b"", last=True) == b"<!--cons"
