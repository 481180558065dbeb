"""Style sheet and script: named by their content, small, of this site alone, and calm."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from consentgate import assets as room
from consentgate.assets import Asset, assets
from consentgate.theme import Colours, Theme

STATIC = Path(__file__).parents[1] / "static"
SOURCE = Path(__file__).parents[1] / "src" / "consentgate"
CSS = assets()["consentgate.css"]
PAGE_CSS = assets()["consentgate-page.css"]
BOTTOM_CSS = assets(at_the_bottom=True)["consentgate.css"]
JS = assets()["consentgate.js"]
SERVICES = assets()["services.js"]
TAGS = assets()["consentgate-page.js"]
EMBED_CSS = assets()["consentgate-embed.css"]

each_asset = pytest.mark.parametrize(
    "asset",
    [
        pytest.param(CSS, id="css"),
        pytest.param(PAGE_CSS, id="page_css"),
        pytest.param(JS, id="js"),
        pytest.param(SERVICES, id="services"),
        pytest.param(TAGS, id="tags"),
        pytest.param(EMBED_CSS, id="embed_css"),
    ],
)
each_sheet = pytest.mark.parametrize("sheet", [CSS, PAGE_CSS, BOTTOM_CSS], ids=["banner", "page", "bottom"])


def text_of(asset: Asset) -> str:
    """Return a file's text; comments were taken out when it was read."""
    return asset.content.decode("utf-8")


SCRIPTS = text_of(JS) + text_of(SERVICES)
ALL_SCRIPTS = SCRIPTS + text_of(TAGS)

# Names


@each_asset
def test_a_name_holds_the_hash_of_its_content(asset: Asset) -> None:
    stem, digest, suffix = asset.name.split(".")

    assert stem.startswith(("consentgate", "services"))
    assert digest == hashlib.sha256(asset.content).hexdigest()[:10]
    assert suffix in ("css", "js")


def test_a_name_changes_with_its_content(tmp_path: Path) -> None:
    before = names_of_a_copy(tmp_path / "a")

    after = names_of_a_copy(tmp_path / "b", added="p { order: 1 }")

    assert before[0] == CSS.name
    assert after[0] != before[0]
    assert after[1:] == before[1:]
    assert {PAGE_CSS.name, JS.name, SERVICES.name} < set(after)


def names_of_a_copy(folder: Path, *, added: str = "") -> list[str]:
    """Return the names that a copy of the installed package gives, with something added to its style sheet."""
    shutil.copytree(SOURCE, folder / "consentgate", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(STATIC, folder / "consentgate" / "static")
    with (folder / "consentgate" / "static" / "consentgate.css").open("a") as css:
        css.write(added)
    program = "from consentgate.assets import assets; print(*[asset.name for asset in assets().values()])"
    finished = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        env={"PYTHONPATH": f"{folder}:{':'.join(sys.path)}"},
        timeout=60,
        check=True,
        text=True,
    )
    return finished.stdout.split()


@pytest.mark.parametrize("name", [path.name for path in STATIC.iterdir()])
def test_what_is_served_is_the_top_level_folder_without_what_only_people_read(name: str) -> None:
    source = (STATIC / name).read_text(encoding="utf-8")
    served = {**assets(), "bottom.css": BOTTOM_CSS}[name].content.decode()

    assert "/*" in source or "bottom" in name
    assert not re.search(r"/\*|^\s+|\n\n", served)
    assert set(re.findall(r"[\w-]{6,}", served)) >= set(re.findall(r'"([\w-]{6,})"', source))


def test_everything_in_that_folder_is_served() -> None:
    assert sorted(path.name for path in STATIC.iterdir()) == sorted([*assets(), "bottom.css"])


def test_another_look_has_style_sheets_of_other_names_and_the_same_script() -> None:
    themed = assets(Theme(light=Colours(link="#0000aa")))

    assert themed["consentgate.css"].name != CSS.name
    assert themed["consentgate-page.css"].name != PAGE_CSS.name
    assert themed["consentgate.js"] == JS
    assert b"--consentgate-link:#00a" in themed["consentgate.css"].content
    assert b"#1d4f91" not in themed["consentgate.css"].content


def test_the_files_are_read_once() -> None:
    assert assets() is assets()
    assert room.assets is assets


def test_media_types_say_the_charset() -> None:
    assert CSS.media_type == "text/css; charset=utf-8"
    assert JS.media_type == "text/javascript; charset=utf-8"


@pytest.mark.parametrize("word", ["cookie", "gdpr", "banner", "popup"])
def test_no_name_is_one_that_blockers_drop(word: str) -> None:
    assert word not in CSS.name + PAGE_CSS.name + JS.name + SERVICES.name


# Contents


@each_asset
def test_nothing_is_fetched_from_anywhere_else(asset: Asset) -> None:
    content = asset.content.decode("utf-8").lower()

    assert "http" not in content
    assert "//" not in text_of(asset)
    assert not re.search(r"@import|(?<!new )url\(|@font-face|\bimport\s*\(|importscripts", content)


@each_asset
def test_it_is_ascii_so_that_no_charset_can_garble_it(asset: Asset) -> None:
    assert asset.content.isascii()


def test_the_banner_stays_in_the_flow_of_the_page() -> None:
    assert not re.search(r"position\s*:\s*(fixed|sticky)", text_of(CSS))
    assert "z-index" not in text_of(CSS)


@pytest.mark.parametrize("query", ["(prefers-color-scheme:dark)", "print"])
@each_sheet
def test_it_has_rules_for(sheet: Asset, query: str) -> None:
    assert f"@media {query}{{" in re.sub(r"(?<=:) | (?=\{)", "", text_of(sheet))


@pytest.mark.parametrize("query", ["(forced-colors:active)", "(max-width:40em)"])
def test_the_cookies_page_has_rules_for(query: str) -> None:
    assert f"@media {query}{{" in re.sub(r"(?<=:) | (?=\{)", "", text_of(PAGE_CSS))


def test_the_banner_does_not_define_what_only_the_cookies_page_uses() -> None:
    assert "--consentgate-success:" in text_of(PAGE_CSS)
    assert "--consentgate-success:" not in text_of(CSS)


@each_sheet
def test_nothing_moves(sheet: Asset) -> None:
    assert not re.search(r"(animation|transition):\s*(?!none)|@keyframes|scroll-behavior", text_of(sheet))


def test_nothing_waits_for_a_clock() -> None:
    assert not re.search(r"setTimeout|setInterval|requestAnimationFrame|\.animate\(", ALL_SCRIPTS)


def test_accept_and_reject_have_no_rules_of_their_own() -> None:
    rules = re.findall(r"[^{}]+(?=\{)", text_of(CSS))

    about_buttons = [rule for rule in rules if re.search(r"button|__actions", rule)]
    assert about_buttons
    assert not [rule for rule in about_buttons if re.search(r"accept|reject|:nth|:first|:last|\[value", rule)]


@each_sheet
def test_every_rule_is_about_our_own_markup(sheet: Asset) -> None:
    selectors = [
        selector.strip()
        for rule in re.findall(r"[^{}]+(?=\{)", text_of(sheet).replace(":root:has(#consentgate)", "#consentgate"))
        if not rule.strip().startswith("@")
        for selector in re.sub(r"\([^()]*\)", "", rule).split(",")
    ]

    assert len(selectors) > 20
    assert [
        selector for selector in selectors if not selector.startswith(("#consentgate", ".consentgate", ":where"))
    ] == []


@each_sheet
def test_every_custom_property_is_ours_and_defined(sheet: Asset) -> None:
    used = set(re.findall(r"var\((--[\w-]+)", text_of(sheet)))
    defined = set(re.findall(r"(--[\w-]+):", text_of(sheet)))

    assert used <= defined
    assert all(name.startswith("--consentgate-") for name in defined)


def test_colours_that_change_in_the_dark_are_all_of_them() -> None:
    blocks = re.findall(r":where\(:root.*?\)\{(.*?)\}", text_of(CSS), re.DOTALL)

    light, dark, switched = (set(re.findall(r"(--[\w-]+):\s*#", block)) for block in blocks)

    assert dark == switched == light


def test_the_script_never_touches_cookies() -> None:
    assert "document.cookie" not in ALL_SCRIPTS
    assert "cookieStore" not in ALL_SCRIPTS


def test_the_script_needs_no_loosened_content_security_policy() -> None:
    forbidden = r"\beval\b|new Function|innerHTML|document\.write|\.style\b"

    assert not re.search(forbidden, SCRIPTS)


def test_the_only_markup_it_writes_is_what_the_server_rendered() -> None:
    writers = (
        r"\w+\.outerHTML[^;]*|insertAdjacentHTML\([^)]*\)|createContextualFragment|srcdoc|DOMParser\(\)[^;]*?\.id\)"
    )

    written = re.findall(writers, SCRIPTS)

    assert written == [
        "form.outerHTML=markup",
        'insertAdjacentHTML("afterend",banner)',
        'insertAdjacentHTML("afterbegin",banner)',
        'DOMParser().parseFromString(page,"text/html").getElementById(old.id)',  # the cookies page's own receipt
    ]


def test_the_script_names_no_service() -> None:
    assert not re.search(r"google|doubleclick|analytics", ALL_SCRIPTS, re.IGNORECASE)
