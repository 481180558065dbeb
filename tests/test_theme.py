"""Themes: what cannot be read is refused with its place, value and remedy; the rest reaches the right host's pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from consentgate import ConfigurationError, load_policy
from consentgate.policy_file import policy_schema
from consentgate.theme import PAIRS, TOKENS, Colours, Theme, contrast
from tests.conftest import HOST, ask, consent_cookie, make_client, make_policy, page, request

DEMO = Path(__file__).parents[1] / "examples" / "step_forward_luton" / "consentgate.toml"
SITE = """
site_name = "Exampleton"
hosts = ["a.example", "b.example"]
[controller]
name = "C"
email = "c@example.org"
"""

schemes = pytest.mark.parametrize("scheme", ["light", "dark"])


def problems_of(text: str, folder: Path) -> list[str]:
    file = folder / "consentgate.toml"
    file.write_text(SITE + text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_policy(file)
    return [str(problem) for problem in caught.value.problems]


# Contrast


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        pytest.param("#000", "#ffffff", 21.0, id="black_on_white"),
        pytest.param("#123456", "#123456", 1.0, id="same"),
        pytest.param("#767676", "#fff", 4.54, id="the_lightest_grey_for_text"),
        pytest.param("#777777", "#fff", 4.48, id="a_grey_too_light"),
        pytest.param("#0000ff", "#ffffff", 8.59, id="blue"),
    ],
)
def test_contrast_is_that_of_wcag_either_way_round(one: str, other: str, ratio: float) -> None:
    assert round(contrast(one, other), 2) == ratio
    assert contrast(other, one) == contrast(one, other)


@schemes
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0]}_on_{pair[1]}")
def test_every_built_in_pair_can_be_told_apart(scheme: str, pair: tuple[str, str, float]) -> None:
    one, other, least = pair

    assert contrast(TOKENS[scheme][one], TOKENS[scheme][other]) >= least


def test_every_colour_is_in_a_pair() -> None:
    assert {name for one, other, _ in PAIRS for name in (one, other)} == set(TOKENS["light"]) == set(TOKENS["dark"])


@schemes
@pytest.mark.parametrize("host", load_policy(DEMO).hosts)
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0]}_on_{pair[1]}")
def test_every_pair_of_the_demo_can_be_told_apart(scheme: str, host: str, pair: tuple[str, str, float]) -> None:
    one, other, least = pair
    colours = load_policy(DEMO).theme_of(host).colours(scheme)

    assert contrast(colours[one], colours[other]) >= least


def test_the_three_sites_of_the_demo_look_different() -> None:
    policy = load_policy(DEMO)

    assert len({policy.theme_of(host).css() for host in policy.hosts}) == 3


# What is refused


@schemes
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0]}_on_{pair[1]}")
def test_a_colour_that_nearly_vanishes_is_refused(scheme: str, pair: tuple[str, str, float], tmp_path: Path) -> None:
    one, other, _ = pair
    faint = {"light": "#e0e0e0", "dark": "#333333"}[scheme]
    ground = {"background": {"light": "#ffffff", "dark": "#000000"}[scheme], "button": faint}[other]

    found = problems_of(f'[theme.{scheme}]\n{one} = "{faint}"\n{other} = "{ground}"\n', tmp_path)

    assert any(problem.startswith(f"theme.{scheme}.{one} = '{faint}': It has ") for problem in found)


def test_the_message_gives_place_value_and_remedy(tmp_path: Path) -> None:
    found = problems_of('[theme.light]\nlink = "#8fb3d3"\nbackground = "#ffffff"\n', tmp_path)

    assert found == ["theme.light.link = '#8fb3d3': It has 2.19:1 on background #ffffff. Make it 4.5:1 or more."]


def test_a_ratio_just_short_is_not_rounded_up(tmp_path: Path) -> None:
    found = problems_of('[theme.light]\nbackground = "#ffffff"\nlink = "#777777"\n', tmp_path)

    assert found == ["theme.light.link = '#777777': It has 4.47:1 on background #ffffff. Make it 4.5:1 or more."]


def test_a_host_is_judged_by_what_it_takes_from_the_theme_of_all(tmp_path: Path) -> None:
    shared = '[theme.light]\nbackground = "#000000"\ntext = "#ffffff"\nlink = "#ffffff"\nborder = "#ffffff"\n'
    shared += 'button = "#ffffff"\nbutton_text = "#000000"\nfocus = "#ffffff"\nsuccess = "#ffffff"\n'

    found = problems_of(f'{shared}[themes."b.example".light]\nlink = "#000088"\n', tmp_path)

    assert found == [
        "themes.\"b.example\".light.link = '#000088': It has 1.35:1 on background #000000. Make it 4.5:1 or more."
    ]


def test_what_is_wrong_for_all_is_said_once(tmp_path: Path) -> None:
    shared = '[theme.light]\nlink = "#dddddd"\n'

    assert len(problems_of(f'{shared}[themes."b.example".dark]\nlink = "#ffffff"\n', tmp_path)) == 1


@pytest.mark.parametrize("name", ["accept", "accept_button", "reject_text", "button_reject"])
def test_a_colour_for_one_of_the_two_buttons_is_refused(name: str, tmp_path: Path) -> None:
    (found,) = problems_of(f'[theme.light]\n{name} = "#00703c"\n', tmp_path)

    assert found.startswith(f"theme.light.{name} = '#00703c': Accept and reject share one style")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[theme.light]\nlink = "blue"\n', "theme.light.link = 'blue': Write the colour as #rrggbb"),
        ('[theme.dark]\nlink = "#12345"\n', "theme.dark.link = '#12345': Write the colour as #rrggbb"),
        ('[theme]\nfont = "a;}body{display:none"\n', "theme.font = 'a;}body{display:none': Write it as in CSS"),
        ('[theme]\nfont = "\'Arial"\n', 'theme.font = "\'Arial": Write it as in CSS'),
        ('[theme]\nwidth = "wide"\n', "theme.width = 'wide': Write it as in CSS"),
        ('[theme]\nsize = "large"\n', "theme.size = 'large': Write it as in CSS"),
        ('[theme]\nscheme = "night"\n', "theme.scheme = 'night': Use one of auto, light, dark."),
        ('[themes."c.example"]\nwidth = "60em"\n', "themes = 'c.example': List the host in hosts"),
        ('[theme]\ncolour = "#fff"\n', "theme.colour = '#fff': There is no such setting."),
        ("[theme]\nlight = 3\n", "theme.light = 3: Write it as a table"),
    ],
)
def test_what_is_no_style_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    assert problems_of(text, tmp_path)[0].startswith(problem)


def test_colours_that_are_never_seen_are_not_judged(tmp_path: Path) -> None:
    file = tmp_path / "consentgate.toml"
    file.write_text(SITE + '[theme]\nscheme = "light"\n[theme.dark]\nlink = "#000"\n', encoding="utf-8")

    assert "prefers-color-scheme" not in load_policy(file).theme_of("a.example").css()


def test_the_schema_knows_themes() -> None:
    theme = policy_schema()["properties"]["theme"]

    assert policy_schema()["properties"]["themes"]["additionalProperties"]["properties"] == theme["properties"]
    assert set(theme["properties"]["light"]["properties"]) == set(TOKENS["light"])


# How it reaches a page


@pytest.mark.anyio
async def test_each_host_gets_its_own_style_sheet_on_banner_and_cookies_page() -> None:
    themes = {"place.luton.example": Theme(light=Colours(link="#1d6144"))}
    policy = make_policy(hosts=(HOST, "place.luton.example"), cookie_domain=HOST, themes=themes)
    styles = {}
    for host in policy.hosts:
        async with make_client(page(), policy, origin=f"https://{host}") as client:
            for path in ("/", "/cookies"):
                markup = (await client.get(path)).text
                (address,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', markup)
                styles[host, path] = (await client.get(address)).text

    assert all("--consentgate-link:#1d4f91" in styles[HOST, path] for path in ("/", "/cookies"))
    assert all("--consentgate-link:#1d6144" in styles["place.luton.example", path] for path in ("/", "/cookies"))
    assert "style=" not in markup
    assert "<style" not in markup


@pytest.mark.anyio
async def test_a_style_sheet_of_another_host_is_found_as_well() -> None:
    policy = make_policy(hosts=(HOST,), themes={HOST: Theme(light=Colours(link="#1d6144"))})
    answer = await ask(
        page(), request(headers=[(b"host", b"elsewhere.example"), (b"accept", b"text/html")]), policy=policy
    )
    (path,) = re.findall(rb'<link rel="stylesheet" href="([^"]+)"', answer.body)

    async with make_client(page(), policy) as client:
        found = await client.get(path.decode())

    assert found.status_code == 200
    assert "--consentgate-link:#1d4f91" in found.text


def test_a_theme_changes_nothing_that_was_agreed_to() -> None:
    plain, themed = make_policy(), make_policy(theme=Theme(light=Colours(link="#1d6144")))

    assert consent_cookie({"analytics": True}, plain) == consent_cookie({"analytics": True}, themed)
