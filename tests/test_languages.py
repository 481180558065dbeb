"""Every visitor is spoken to in the language of the page, and every piece in another language is marked as such."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import html5lib
import httpx
import pytest

from consentgate import Category, ConfigurationError, ConsentPolicy, Controller, StorageItem, load_policy
from consentgate.rendering import said_to_visitors, wording_of
from consentgate.speech import Speech
from consentgate.translations import available, texts_for
from tests.conftest import ORIGIN, ask, body, make_client, make_policy, page, scripted, start

pytestmark = pytest.mark.anyio

LANGUAGES = available()
RTL = ("ar", "ur")
SURVEYS = Category(
    id="surveys",
    title="Surveys",
    purpose="They remember what you answered.",
    items=(StorageItem(name="survey", purpose="Remembers an answer.", duration="about a week"),),
)

each_language = pytest.mark.parametrize("language", LANGUAGES)


def written(lang: str, *, head: str = "") -> bytes:
    return (
        f'<!doctype html><html lang="{lang}"><head>{head}<title>L</title></head><body><p>x</p></body></html>'.encode()
    )


async def banner_on(lang: str, policy: ConsentPolicy | None = None) -> Any:
    """Return the banner's element on a page that says a language."""
    answer = await ask(page(content=written(lang)), policy=policy)
    document = html5lib.parse(answer.body.decode(), namespaceHTMLElements=False)
    return document.find(".//section[@id='consentgate']")


async def get(path: str, policy: ConsentPolicy | None = None, **headers: str) -> httpx.Response:
    async with make_client(page(), policy) as client:
        return await client.get(path, headers=headers)


async def post(fields: dict[str, str], policy: ConsentPolicy | None = None, **headers: str) -> httpx.Response:
    async with make_client(page(), policy) as client:
        return await client.post("/cookies/choice", data=fields, headers={"origin": ORIGIN, **headers})


def text_of(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


def own_texts(folder: Path, **files: str) -> str:
    """Write a site's own texts and return their folder."""
    for language, content in files.items():
        (folder / f"{language}.toml").write_text(content, encoding="utf-8")
    return str(folder)


# The banner follows the page


@each_language
async def test_the_banner_speaks_the_language_of_its_page(language: str) -> None:
    banner = await banner_on(language)

    texts = texts_for(language)
    assert (banner.get("lang"), banner.get("dir")) == (language, "rtl" if language in RTL else "ltr")
    assert [text_of(button) for button in banner.findall(".//button")][:2] == [
        texts("banner.accept_all"),
        texts("banner.reject_all"),
    ]
    assert texts("banner.essential") in text_of(banner)
    assert " ".join(texts.duration(184, "days").split()) in text_of(banner)


@pytest.mark.parametrize(("lang", "spoken"), [("pt-BR", "pt"), ("cy-GB", "cy"), ("UR-pk", "ur"), ("en-GB", "en")])
async def test_a_region_does_not_matter(lang: str, spoken: str) -> None:
    assert (await banner_on(lang)).get("lang") == spoken


@pytest.mark.parametrize("lang", ["", "de", "pa-Arab", "x" * 60, "&quot;"])
async def test_a_page_in_another_language_has_the_sites_own(lang: str) -> None:
    assert (await banner_on(lang)).get("lang") == "en"
    assert (await banner_on(lang, make_policy(language="cy"))).get("lang") == "cy"


async def test_only_languages_that_the_site_offers_are_spoken() -> None:
    policy = make_policy(languages=("en", "pl"))

    assert (await banner_on("pl", policy)).get("lang") == "pl"
    assert (await banner_on("ur", policy)).get("lang") == "en"


@each_language
async def test_the_confirmation_speaks_the_language_of_its_page(language: str) -> None:
    async with make_client(page(content=written(language))) as client:
        await client.post("/cookies/choice", data={"choice": "reject_all", "back": "/"}, headers={"origin": ORIGIN})
        response = await client.get("/", headers={"accept": "text/html"})

    document = html5lib.parse(response.text, namespaceHTMLElements=False)
    message: Any = document.find(".//section[@id='consentgate']")
    assert message.get("lang") == language
    assert texts_for(language)("message.reject_all") in text_of(message)


async def test_the_script_on_a_shared_page_gets_the_banner_in_the_pages_language() -> None:
    policy = make_policy(cache="shared")

    polish = (await get("/cookies/state?back=/&lang=pl-PL", policy)).json()["banner"]
    other = (await get("/cookies/state?back=/&lang=%22%3E", policy)).json()["banner"]

    assert 'lang="pl"' in polish
    assert "Odrzuć wszystkie pliki cookie" in polish
    assert 'lang="en"' in other


# What is in another language is marked


async def test_the_owners_words_are_marked_with_their_language() -> None:
    banner = await banner_on("ur", make_policy(categories=(SURVEYS,)))

    marked = [(text_of(span), span.get("dir")) for span in banner.findall(".//span[@lang='en']")]
    assert marked == [("Surveys", "ltr"), ("They remember what you answered.", "ltr")]


async def test_the_owners_words_are_not_marked_in_their_own_language() -> None:
    banner = await banner_on("en", make_policy(categories=(SURVEYS,)))

    assert banner.findall(".//span") == []


async def test_the_owners_words_are_translated_from_the_folder(tmp_path: Path) -> None:
    polish = '[category_surveys]\ntitle = "Ankiety"\n[storage.survey]\nduration = "około tygodnia"\n'
    policy = make_policy(categories=(SURVEYS,), texts=own_texts(tmp_path, pl=polish))

    banner, cookies_page = await banner_on("pl", policy), (await get("/cookies?lang=pl", policy)).text

    assert [text_of(span) for span in banner.findall(".//span[@lang='en']")] == ["They remember what you answered."]
    assert "Ankiety" in text_of(banner)
    assert "około tygodnia" in cookies_page
    assert '<span lang="en" dir="ltr">Remembers an answer.</span>' in cookies_page


async def test_what_the_owner_says_about_a_known_category_stands_over_the_built_in_words() -> None:
    policy = make_policy(categories=(Category(id="analytics", purpose="Only our own counter."),))

    banner = await banner_on("pl", policy)

    assert "Analityczne pliki cookie" in text_of(banner)
    assert [text_of(span) for span in banner.findall(".//span[@lang='en']")] == ["Only our own counter."]


async def test_built_in_descriptions_and_plain_durations_are_said_in_every_language() -> None:
    item = StorageItem(name="sid", purpose="Keeps you signed in.", duration="2 days")
    longest = StorageItem(name="video", purpose="Shows videos.", duration="Up to 180 days")
    free = StorageItem(name="other", purpose="Other.", duration="Up to you")
    policy = make_policy(categories=(Category(id="essential", items=(item, longest, free)), SURVEYS))

    response = await get("/cookies?lang=pl", policy)

    assert "Utrzymuje zalogowanie." in response.text
    assert "2 dni" in response.text
    assert "Maksymalnie 180 dni" in response.text
    assert '<span lang="en" dir="ltr">Up to you</span>' in response.text
    assert '<span lang="en" dir="ltr">about a week</span>' in response.text


async def test_what_the_owner_says_in_another_language_is_read_in_it_too() -> None:
    item = StorageItem(name="sid", purpose="Utrzymuje zalogowanie.", duration="2 dni")
    policy = make_policy(language="pl", categories=(Category(id="essential", items=(item,)),))

    response = await get("/cookies?lang=en", policy)

    assert "Keeps you signed in." in response.text
    assert "2 days" in response.text
    assert "dni" not in response.text


async def test_a_translation_may_be_the_same_as_the_built_in_words(tmp_path: Path) -> None:
    built_in = texts_for("pl")("category_analytics.title")
    own = own_texts(tmp_path, pl=f'[category_analytics]\ntitle = "{built_in}"\n')
    policy = make_policy(categories=(Category(id="analytics", title="Our counter"),), texts=own)

    banner = await banner_on("pl", policy)

    assert built_in in text_of(banner)
    assert "Our counter" not in text_of(banner)


async def test_a_text_that_a_language_lacks_is_english_and_says_so(tmp_path: Path) -> None:
    latvian = '[language]\nname = "Latviešu"\ndirection = "ltr"\n[banner]\naccept_all = "Pieņemt visas sīkdatnes"\n'
    policy = make_policy(texts=own_texts(tmp_path, lv=latvian))

    banner = await banner_on("lv", policy)

    accept, reject = banner.findall(".//button")[:2]
    assert banner.get("lang") == "lv"
    assert text_of(accept) == "Pieņemt visas sīkdatnes"
    assert accept.find("span") is None
    assert text_of(reject) == "Reject all cookies"
    assert (reject.find("span").get("lang"), reject.find("span").get("dir")) == ("en", "ltr")


def test_a_language_without_words_for_dates_and_durations_says_them_in_english(tmp_path: Path) -> None:
    latvian = '[language]\nname = "Latviešu"\ndirection = "ltr"\n'
    policy = make_policy(texts=own_texts(tmp_path, lv=latvian))

    polish, other = Speech(policy, "pl"), Speech(policy, "lv")

    assert [polish.date(date(2026, 11, 22)), polish.duration(3)] == ["22 listopada 2026", "3 dni"]
    assert other.date(date(2026, 11, 22)) == '<span lang="en" dir="ltr">22 November 2026</span>'
    assert other.duration(3) == '<span lang="en" dir="ltr">3 days</span>'


@pytest.mark.parametrize("language", RTL)
async def test_names_keep_their_direction_in_a_text_from_right_to_left(language: str) -> None:
    policy = make_policy(hosts=("luton.example", "place.luton.example"), cookie_domain="luton.example")

    banner, response = await banner_on(language, policy), await get(f"/cookies?lang={language}", policy)

    isolated = [text_of(bdi) for bdi in banner.findall(".//bdi")]
    assert {"Luton", "Google Analytics", "Google", "luton.example", "place.luton.example"} <= set(isolated)
    assert '<a href="mailto:privacy@luton.example"><bdi>privacy@luton.example</bdi></a>' in response.text
    assert "<bdi>0303 123 1113</bdi>" in response.text


async def test_names_need_no_isolation_where_everything_runs_one_way() -> None:
    assert (await banner_on("pl")).findall(".//bdi") == []


async def test_markup_in_words_of_others_stays_text(tmp_path: Path) -> None:
    texts = own_texts(tmp_path, pl='[banner]\nview = "<b>{Zobacz}"\n'.replace("{Zobacz}", "Zobacz"))
    policy = make_policy(site_name="<i>{site}", texts=texts)

    banner = await banner_on("ur", policy)
    polish = await banner_on("pl", policy)

    assert banner.find(".//i") is None
    assert "<i>{site}" in text_of(banner)
    assert polish.find(".//b") is None
    assert "<b>Zobacz" in text_of(polish)


# Bytes


@pytest.mark.parametrize(
    ("content_type", "head", "as_utf8"),
    [
        ("text/html; charset=utf-8", "", True),
        ('text/html; Charset="UTF8"', "", True),
        ("text/html", '<meta charset="utf-8">', True),
        ("text/html", '<meta http-equiv="Content-Type" content="text/html; charset=UTF-8">', True),
        ("text/html", "", False),
        ("text/html; charset=windows-1252", '<meta charset="utf-8">', False),
        ("text/html", '<meta charset="windows-1252"><meta charset="utf-8">', False),
        ("text/html", f'<meta name="d" content="{"x" * 1100}"><meta charset="utf-8">', False),
        ("text/html", '<!-- <meta charset="utf-8"> --><meta name="charset" content="utf-8">', False),
    ],
)
async def test_markup_is_utf8_only_where_the_page_is_known_to_be(content_type: str, head: str, as_utf8: bool) -> None:
    content = written("bn", head=head)
    headers = ((b"content-type", content_type.encode()), (b"content-length", b"%d" % len(content)))

    answer = await ask(scripted(start(*headers), body(content)))

    button = texts_for("bn")("banner.reject_all")
    references = button.encode("ascii", "xmlcharrefreplace")
    assert (button.encode() in answer.body) is as_utf8
    assert (references in answer.body) is not as_utf8
    assert answer.body.isascii() is not as_utf8
    assert answer.all(b"content-length") == [b"%d" % len(answer.body)]


async def test_a_byte_order_mark_says_utf8_too() -> None:
    answer = await ask(scripted(start((b"content-type", b"text/html")), body(b"\xef\xbb\xbf" + written("bn"))))

    assert texts_for("bn")("banner.reject_all").encode() in answer.body


@pytest.mark.parametrize("cut", range(1, 130, 7))
async def test_the_language_is_found_however_the_page_is_cut(cut: int) -> None:
    content = written("ur-PK", head='<meta charset="utf-8">')
    pieces = scripted(start((b"content-type", b"text/html")), body(content[:cut], more=True), body(content[cut:]))

    answer = await ask(pieces)

    assert 'lang="ur" dir="rtl"' in answer.body.decode()
    assert "تمام کوکیز مسترد کریں" in answer.body.decode()


# The cookies page


@each_language
async def test_the_cookies_page_is_there_in_every_language(language: str) -> None:
    response = await get(f"/cookies?lang={language}")

    document: Any = html5lib.parse(response.text, namespaceHTMLElements=False)
    texts = texts_for(language)
    assert (document.get("lang"), document.get("dir")) == (language, texts.direction)
    assert text_of(document.find(".//h1")) == texts("page.title", site="Luton")
    assert text_of(document.find(".//title")) == texts("page.title", site="Luton")
    assert document.find(".//input[@name='lang']").get("value") == language
    assert document.find(".//input[@name='wording']").get("value") == wording_of(make_policy(), language)


async def test_the_language_switch_names_each_language_in_itself_and_keeps_the_way_back() -> None:
    document = html5lib.parse((await get("/cookies?lang=pl&back=/a%3Fb")).text, namespaceHTMLElements=False)

    links = document.findall(".//nav//a")
    assert [link.get("lang") for link in links] == list(LANGUAGES)
    assert [link.get("hreflang") for link in links] == list(LANGUAGES)
    assert [text_of(link) for link in links] == [texts_for(language)("language.name") for language in LANGUAGES]
    assert [link.get("lang") for link in links if link.get("aria-current") == "true"] == ["pl"]
    assert [link.get("lang") for link in links if link.get("dir") == "rtl"] == ["ar", "ur"]
    assert links[0].get("href") == "/cookies?back=%2Fa%3Fb&lang=en"


async def test_a_site_with_one_language_has_no_switch() -> None:
    assert "<nav" not in (await get("/cookies", make_policy(languages=("en",)))).text


async def test_the_banner_leads_to_the_cookies_page_in_its_own_language() -> None:
    links = [(await banner_on(lang)).find(".//div/a").get("href") for lang in ("ur", "en")]

    assert links == ["/cookies?lang=ur", "/cookies"]


@pytest.mark.parametrize(
    ("path", "header", "follows", "spoken"),
    [
        ("/cookies", "pl", False, "en"),
        ("/cookies", "de, pl-PL;q=0.8, fr;q=0.5", True, "pl"),
        ("/cookies", "de", True, "en"),
        ("/cookies?lang=cy", "pl", True, "cy"),
        ("/cookies?lang=xx", "pl", True, "pl"),
        ("/cookies?lang=xx", "pl", False, "en"),
    ],
)
async def test_the_browsers_languages_count_only_where_the_site_says_so(
    path: str, header: str, follows: bool, spoken: str
) -> None:
    response = await get(path, make_policy(accept_language=follows), **{"accept-language": header})

    assert f'<html lang="{spoken}"' in response.text
    assert ("accept-language" in response.headers.get("vary", "").lower()) is follows


async def test_pages_of_the_application_never_follow_the_browsers_languages() -> None:
    response = await get("/", make_policy(accept_language=True), accept="text/html", **{"accept-language": "pl"})

    assert 'lang="en"' in response.text
    assert "accept-language" not in response.headers["vary"].lower()


async def test_where_the_browsers_languages_count_the_pages_own_still_goes_before() -> None:
    banner = await banner_on("en", make_policy(accept_language=True))

    assert banner.find(".//div/a").get("href") == "/cookies?lang=en"


async def test_after_saving_the_cookies_page_comes_back_in_the_same_language() -> None:
    fields = {"choice": "save", "analytics": "no", "marketing": "no", "source": "page", "back": "/a", "lang": "ur"}

    response = await post(fields)

    assert response.status_code == 303
    assert response.headers["location"] == "/cookies?back=%2Fa&lang=ur"


# Errors and wordings


@each_language
async def test_an_error_is_said_in_the_language_of_the_form(language: str) -> None:
    fields = {"choice": "maybe", "lang": language}

    as_page, as_json = await post(fields), await post(fields, accept="application/json")

    said = texts_for(language)("error.bad_value", name="choice")
    assert as_page.status_code == as_json.status_code == 400
    assert f'<html lang="{language}"' in as_page.text
    assert said in text_of(html5lib.parse(as_page.text, namespaceHTMLElements=False))
    assert as_json.json() == {"error": said}


@each_language
async def test_what_was_agreed_to_in_any_language_is_taken(language: str) -> None:
    fields = {"choice": "accept_all", "lang": language, "wording": wording_of(make_policy(), language)}

    response = await post(fields, accept="application/json")

    assert response.status_code == 200
    assert "analytics" in response.json()["granted"]


async def test_texts_that_are_not_in_use_cannot_be_agreed_to() -> None:
    policy = make_policy(languages=("en", "pl"))

    response = await post({"choice": "accept_all", "lang": "cy", "wording": wording_of(make_policy(), "cy")}, policy)

    assert response.status_code == 409


def test_each_language_has_a_wording_of_its_own_that_can_be_shown_later() -> None:
    policy = make_policy()

    wordings = {language: wording_of(policy, language) for language in LANGUAGES}

    assert len(set(wordings.values())) == len(LANGUAGES)
    for language, wording in wordings.items():
        said = said_to_visitors(policy, language)
        assert hashlib.sha256(said.encode()).hexdigest()[:16] == wording
        assert texts_for(language)("banner.reject_all") in json.loads(said)["texts"].values()


def test_an_own_text_changes_the_wording_of_its_language_alone(tmp_path: Path) -> None:
    before = make_policy()
    after = make_policy(texts=own_texts(tmp_path, pl='[banner]\nview = "Pokaż pliki cookie"\n'))

    assert wording_of(after, "pl") != wording_of(before, "pl")
    assert wording_of(after, "cy") == wording_of(before, "cy")


async def test_a_page_kept_by_the_browser_is_old_once_a_text_of_any_language_has_changed(tmp_path: Path) -> None:
    changed = make_policy(texts=own_texts(tmp_path, pl='[banner]\nview = "Pokaż pliki cookie"\n'))
    tagged = page((b"etag", b'"v1"'), content=written("pl"))

    before, after = await ask(tagged), await ask(tagged, policy=changed)

    assert before.all(b"etag") != after.all(b"etag")


# Wrong settings stop the start


async def test_what_an_own_text_puts_between_names_is_text_and_no_markup(tmp_path: Path) -> None:
    english = """[list]\ntwo = "{first} <script>alert(1)</script> {last}"\n"""
    hosts = {"hosts": ("luton.example", "place.luton.example"), "cookie_domain": "luton.example"}
    async with make_client(page(), make_policy(texts=own_texts(tmp_path, en=english), **hosts)) as client:
        banner = (await client.get("/")).text

    assert "<script>alert" not in banner
    assert "luton.example &lt;script&gt;alert(1)&lt;/script&gt; place.luton.example" in banner


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        (
            "pl.toml",
            '[banner]\ntitel = "x"',
            "banner.titel = 'x': There is no text of this name. Did you mean banner.title?",
        ),
        (
            "pl.toml",
            '[banner]\nkept = "Na {days} dni"',
            "banner.kept = 'Na {days} dni': Nothing fills {days}. Places that are filled: {acceptance}, {refusal}.",
        ),
        ("pl.toml", '[banner]\nview = "{0}"', "banner.view = '{0}': Nothing fills {0}. Places that are filled: none."),
        (
            "pl.toml",
            '[banner]\ntitle = "{site.__class__}"',
            "banner.title = '{site.__class__}': Nothing fills {site.__class__}. Places that are filled: {site}.",
        ),
        (
            "pl.toml",
            '[banner]\ncovers = "To dotyczy."',
            "banner.covers = 'To dotyczy.': Put {hosts} into it: visitors have to read what stands there.",
        ),
        ("pl.toml", '[banner]\nview = "{"', "banner.view = '{': Write { and } around the name of a place only."),
        ("pl.toml", '[banner]\nview = ""', "banner.view = '': Write a text in quotes, or leave it out."),
        ("pl.toml", "[banner]\nview = 3", "banner.view = 3: Write a text in quotes, or leave it out."),
        ("pl.toml", "[banner", "It cannot be read: "),
        ("polski!.toml", "", "Name the file by its language, for example pl.toml or pt-BR.po."),
        ("lv.toml", "", "language.name: It is a new language. Add name to [language]."),
        ("pl.toml", '[language]\ndirection = "up"', "language.direction = 'up': Write ltr or rtl."),
        ("pl.toml", '[language]\nplural = "import os"', "language.plural = 'import os': Write it as gettext does"),
        ("pl.toml", '[language]\nplural = "nplurals=2; plural=n%0;"', "Write it as gettext does"),
        ("pl.toml", "[language]\nplural = 5", "language.plural = 5: Write it as gettext does"),
        (
            "pl.toml",
            '[list]\ntwo = "{first}{first}{last}"',
            "list.two = '{first}{first}{last}': Put each place into it",
        ),
        ("pl.toml", '[category_polls]\ntitle = "x"', "category_polls.title = 'x': There is no text of this name."),
        ("pl.po", 'msgid "', "It cannot be read: "),
    ],
)
def test_a_wrong_own_text_is_named_with_its_value_and_its_remedy(
    tmp_path: Path, file: str, content: str, said: str
) -> None:
    (tmp_path / file).write_text(content, encoding="utf-8")

    with pytest.raises(ConfigurationError) as raised:
        make_policy(texts=str(tmp_path))

    assert any(str(tmp_path / file) in str(problem) and said in str(problem) for problem in raised.value.problems)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"texts": "/nowhere"}, "texts = '/nowhere': There is no such folder. Make it, or leave the setting out."),
        ({"language": "de"}, "language = 'de': There are texts in en, ar, bn, "),
        ({"languages": ("en", "xx")}, "languages[1] = 'xx': There are texts in en, ar, bn, "),
        ({"languages": ("pl", "pl")}, "languages = 'pl': It is listed 2 times. Keep it once."),
    ],
)
def test_a_wrong_language_is_named_with_its_value_and_its_remedy(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make_policy(**settings)

    assert any(str(problem).startswith(said) for problem in raised.value.problems)


@pytest.mark.parametrize(
    "content",
    [
        '[banner]\ntitle = "Nasze pliki cookie"',  # without the site's name
        '[duration]\ndays = ["{count} dzień", "{count} dni", "{count} dób"]',
        '[page]\ninvolved = "{link} ({provider}): {title}"',  # in another order
        '[controller]\nname = "Rada"',
    ],
)
def test_an_own_text_may_say_it_in_its_own_way(tmp_path: Path, content: str) -> None:
    assert make_policy(texts=own_texts(tmp_path, pl=content)).texts


def test_a_folder_in_a_file_starts_from_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site" / "texts").mkdir(parents=True)
    (tmp_path / "site" / "texts" / "pl.toml").write_text('[banner]\nview = "Pokaż"\n', encoding="utf-8")
    file = tmp_path / "site" / "consentgate.toml"
    file.write_text('site_name = "L"\ntexts = "texts"\n[controller]\nname = "C"\nemail = "c@l.example"\n')
    monkeypatch.chdir(tmp_path)

    policy = load_policy(file)

    assert texts_for("pl", policy.texts)("banner.view") == "Pokaż"


def test_the_sites_own_language_comes_first() -> None:
    policy = ConsentPolicy(
        site_name="Luton", controller=Controller(name="C", email="c@l.example"), language="cy", languages=("en", "cy")
    )

    assert policy.offered_languages == ("cy", "en")
