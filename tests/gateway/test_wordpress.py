"""A real WordPress behind the gateway: everything works, and what it sets is declared."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from consentgate import load_policy
from consentgate.cookie_rules import CookieRules
from examples.gateway import wordpress
from examples.gateway.wordpress import WordPress
from tests.conftest import BANNER
from tests.gateway.front import PATIENCE, Front, gateway
from tests.needs import leave_out

EXAMPLE = (Path(__file__).parents[2] / "examples" / "gateway" / "consentgate.toml").read_text(encoding="utf-8")
POLICY = EXAMPLE.partition("[gateway]")[0] + EXAMPLE.partition('metrics = "127.0.0.1:9464"\n')[2]
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def site() -> Iterator[WordPress]:
    """Install and run WordPress."""
    if missing := wordpress.lacking():
        leave_out(f"needs {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="wp-") as folder, wordpress.running(Path(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def front(site: WordPress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Run the gateway with the example's policy."""
    with gateway(tmp_path_factory.mktemp("wordpress"), site.port, "--workers", "2", policy=POLICY) as running:
        yield running


@pytest.fixture
def visitor(front: Front) -> Iterator[httpx.Client]:
    """Return a browser without scripts."""
    with front.visitor() as client:
        yield client


@pytest.fixture
def editor(front: Front, site: WordPress) -> Iterator[httpx.Client]:
    """Return the browser of an editor who has logged in through the gateway."""
    with front.visitor() as client:
        client.get("/wp-login.php")
        fields = {"log": "editor", "pwd": site.password, "testcookie": "1", "redirect_to": f"{front.url}/wp-admin/"}
        answer = client.post("/wp-login.php", data=fields)
        assert answer.status_code == 302, answer.text
        yield client


def directly(front: Front, site: WordPress, path: str) -> httpx.Response:
    """Ask WordPress itself, as the same host."""
    headers = {"host": f"127.0.0.1:{front.port}", "accept-encoding": "identity"}
    return httpx.get(site.url + path, headers=headers, trust_env=False, timeout=PATIENCE)


@pytest.mark.parametrize("path", ["/", "/video/", "/parks/", "/?s=park", "/author/editor/", "/not-there/"])
def test_pages_come_whole_with_the_banner_in_them(
    front: Front, site: WordPress, visitor: httpx.Client, path: str
) -> None:
    page, own = visitor.get(path), directly(front, site, path)

    assert page.status_code == own.status_code
    assert page.content.count(BANNER) == 1
    assert without_what_differs(page.text).endswith(without_what_differs(own.text).partition("<h1")[2][-2_000:])


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/feed/", "application/rss+xml"),
        ("/comments/feed/", "application/rss+xml"),
        ("/wp-sitemap.xml", "application/xml"),
        ("/robots.txt", "text/plain"),
        ("/wp-json/wp/v2/posts", "application/json"),
        ("/wp-json/oembed/1.0/embed?url=x", "application/json"),
        ("/wp-includes/css/dashicons.min.css", "text/css"),
        ("/wp-includes/fonts/dashicons.woff2", "font/woff2"),
        ("/wp-includes/js/jquery/jquery.min.js", "application/javascript"),
        ("/wp-includes/images/blank.gif", "image/gif"),
    ],
)
def test_feeds_sitemap_rest_api_and_files_pass_byte_for_byte(
    front: Front, site: WordPress, visitor: httpx.Client, path: str, content_type: str
) -> None:
    answer = visitor.get(path, headers={"accept": "*/*", "accept-encoding": "identity"})
    own = directly(front, site, path)

    assert answer.headers["content-type"].startswith(content_type) or own.status_code == 404
    assert answer.status_code == own.status_code
    assert answer.content == own.content


def test_an_address_without_its_slash_is_redirected_to_the_gateways_own(front: Front, visitor: httpx.Client) -> None:
    answer = visitor.get("/parks")

    assert answer.status_code == 301
    assert answer.headers["location"] == f"{front.url}/parks/"


def test_a_comment_is_taken_and_shown(visitor: httpx.Client) -> None:
    post = int(re.findall(r"comment_post_ID' value='(\d+)'", visitor.get("/parks/").text)[0])
    fields = {"comment": "See you there", "author": "Ada", "email": "ada@luton.example", "comment_post_ID": str(post)}

    answer = visitor.post("/wp-comments-post.php", data={**fields, "wp-comment-cookies-consent": "yes"})
    page = visitor.get("/parks/")

    assert answer.status_code == 302
    assert "See you there" in page.text
    assert {name for name in visitor.cookies if name.startswith("comment_author")} == {
        "comment_author_luton",
        "comment_author_email_luton",
    }


def test_a_page_behind_a_password_opens(front: Front, visitor: httpx.Client) -> None:
    closed = visitor.get("/partners/")
    visitor.post(
        "/wp-login.php?action=postpass",
        data={"post_password": "partners"},
        headers={"referer": f"{front.url}/partners/"},
    )
    opened = visitor.get("/partners/")

    assert "Only partners read this" not in closed.text
    assert "Only partners read this" in opened.text


def test_editors_log_in_and_the_administration_has_no_banner(editor: httpx.Client) -> None:
    dashboard = editor.get("/wp-admin/")
    posts = editor.get("/wp-admin/edit.php")
    new = editor.get("/wp-admin/post-new.php")

    assert [answer.status_code for answer in (dashboard, posts, new)] == [200, 200, 200]
    assert "Dashboard" in dashboard.text
    assert BANNER not in dashboard.content + posts.content + new.content


def test_a_wrong_password_is_told(front: Front, visitor: httpx.Client) -> None:
    visitor.get("/wp-login.php")
    answer = visitor.post("/wp-login.php", data={"log": "editor", "pwd": "wrong", "testcookie": "1"})

    assert "is incorrect" in answer.text


def test_an_editor_writes_a_post_and_uploads_a_picture_over_the_rest_api(front: Front, editor: httpx.Client) -> None:
    nonce = {"x-wp-nonce": editor.get("/wp-admin/admin-ajax.php?action=rest-nonce").text}

    post = editor.post("/wp-json/wp/v2/posts", headers=nonce, json={"title": "Carnival", "status": "publish"})
    headers = {**nonce, "content-disposition": 'attachment; filename="pixel.png"', "content-type": "image/png"}
    picture = editor.post("/wp-json/wp/v2/media", headers=headers, content=PIXEL)

    assert post.status_code == picture.status_code == 201
    assert "Carnival" in editor.get(post.json()["link"]).text
    assert editor.get(picture.json()["source_url"]).content == PIXEL


def test_an_editor_uploads_a_large_file_with_the_form_of_the_media_page(editor: httpx.Client) -> None:
    nonce = re.findall(r'name="_wpnonce" value="(\w+)"', editor.get("/wp-admin/media-new.php?browser-uploader").text)[0]
    content = b"%PDF-1.4\n" + bytes(20_000_000)

    answer = editor.post(
        "/wp-admin/media-new.php",
        data={"_wpnonce": nonce, "html-upload": "Upload"},
        files={"async-upload": ("report.pdf", content, "application/pdf")},
        timeout=PATIENCE,
    )
    media = editor.get("/wp-json/wp/v2/media?search=report").json()

    assert answer.status_code == 302
    assert len(editor.get(media[0]["source_url"]).content) == len(content)


def test_every_cookie_that_wordpress_sets_is_declared(front: Front, editor: httpx.Client) -> None:
    rules = CookieRules(load_policy(front.file))
    for path in ("/wp-admin/", "/wp-admin/upload.php", "/wp-admin/post-new.php", "/wp-login.php"):
        editor.get(path)
    names = {name: rules.category_of(name) for name in editor.cookies if "consentgate" not in name}

    assert {category.id for category in names.values() if category} >= {"essential"}
    assert [name for name, category in names.items() if category is None] == []
    assert "which the policy does not list" not in front.said()


def test_an_editors_preferences_are_kept_once_they_are_allowed(front: Front, editor: httpx.Client) -> None:
    editor.get("/wp-admin/")
    before = [name for name in editor.cookies if name.startswith("wp-settings")]
    editor.post("/cookies/choice", data={"choice": "accept_all"})
    editor.get("/wp-admin/upload.php?mode=list")
    after = [name for name in editor.cookies if name.startswith("wp-settings")]

    assert before == []
    assert after == ["wp-settings-time-1"] or len(after) == 2


def test_wordpress_knows_that_the_visitor_uses_https(site: WordPress, front: Front) -> None:
    with front.visitor(**{"x-forwarded-proto": "https"}) as visitor:
        login = visitor.get("/wp-login.php")

    assert f"https://127.0.0.1:{front.port}/" in login.text
    assert all("secure" in line.lower() for line in login.headers.get_list("set-cookie"))


@pytest.mark.parametrize("path", ["/", "/video/"])
def test_nothing_of_google_loads_before_opt_in_and_all_of_it_after(visitor: httpx.Client, path: str) -> None:
    undecided = visitor.get(path).text
    visitor.post("/cookies/choice", data={"choice": "reject_all"})
    refused = visitor.get(path).text
    visitor.post("/cookies/choice", data={"choice": "accept_all"})
    granted = visitor.get(path).text

    assert [live_tags(text) for text in (undecided, refused)] == [[], []]
    assert "googletagmanager.com/gtag/js?id=G-LUTON123" in " ".join(live_tags(granted))
    if path == "/video/":
        assert "youtube.com/embed/dQw4w9WgXcQ" in " ".join(live_tags(granted))


def test_the_theme_prints_the_snippet_and_the_post_embeds_the_video(front: Front, site: WordPress) -> None:
    assert len(live_tags(directly(front, site, "/video/").text)) == 2


def live_tags(page: str) -> list[str]:
    """List the tags of a page that a browser would load from Google."""
    tags = re.findall(r"<(?:script|iframe)\b[^>]*>", page)
    loads = [tag for tag in tags if re.search(r"\ssrc=[\"']?(https:)?//", tag) and "text/plain" not in tag]
    return [tag for tag in loads if "googletagmanager.com" in tag or "youtube.com" in tag]


def without_what_differs(page: str) -> str:
    """Take out what WordPress draws anew for each answer."""
    return re.sub(r'nonce":"\w+"|value="\w{10}"|\s+', " ", page)
