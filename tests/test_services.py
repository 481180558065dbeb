"""Each service: what is wrong with its settings, what it tells visitors, what it needs, and how it is started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from consentgate import Category, ConfigurationError
from consentgate.services import (
    SERVICES,
    CustomService,
    GoogleMaps,
    GoogleTagManager,
    Matomo,
    MetaPixel,
    MicrosoftClarity,
    Plausible,
    Service,
    StartPlan,
    Vimeo,
    YouTube,
)
from consentgate.services.google import CONSENT_SIGNALS
from tests.conftest import make_policy

SIGNALS = {name: name in ("analytics_storage", "security_storage") for name in CONSENT_SIGNALS}
CUSTOM: Mapping[str, Any] = {"title": "Chat", "provider": "Chat Ltd", "privacy_url": "https://chat.example/privacy"}
GOOD: list[Service] = [
    GoogleTagManager(container_id="GTM-LUTON1"),
    Matomo(url="https://stats.luton.example/m/", site_id=1),
    MicrosoftClarity(project_id="abc123de"),
    Plausible(domain="luton.example"),
    MetaPixel(pixel_id="123456789"),
    YouTube(),
    Vimeo(),
    GoogleMaps(),
    CustomService(**CUSTOM, script="https://chat.example/widget.js"),
]


def plan_of(service: Service, **signals: bool) -> StartPlan:
    plan = service.start_plan("luton.example", signals={**SIGNALS, **signals}, acceptance_days=184, secure=True)
    assert isinstance(plan, StartPlan)
    return plan


@pytest.mark.parametrize("service", GOOD, ids=lambda service: str(service.kind))
def test_a_policy_takes_it(service: Service) -> None:
    policy = make_policy(categories=(Category(id="marketing", services=(service,)),))

    assert list(service.problems("x", hosts=(), acceptance_days=184)) == []
    assert service.title
    assert service.provider
    assert service.privacy_url.startswith("https://")
    assert all(item.purpose and item.duration for item in policy.items_of(policy.categories[1]))


# The rest is brought by pages, or the site names its sources.
STARTED = [service for service in GOOD if service.starts and not isinstance(service, CustomService)]


@pytest.mark.parametrize("service", STARTED, ids=lambda service: str(service.kind))
def test_its_script_comes_from_a_source_that_it_names(service: Service) -> None:
    host = plan_of(service).src.split("/")[2]

    sources = [source.partition("//")[2].removeprefix("*.") for source in service.csp_sources()["script-src"]]

    assert any(host == source or host.endswith("." + source) for source in sources)


BAD: list[tuple[Service, str]] = [
    (GoogleTagManager(container_id='GTM-1"><script>'), "container_id"),
    (GoogleTagManager(container_id="G-LUTON123"), "container_id"),
    (GoogleTagManager(container_id="GTM-LUTON1", csp={"style-src": ("https://x.org",)}), "csp.style-src"),
    (GoogleTagManager(container_id="GTM-LUTON1", csp={"img-src": ("https://x.org/a",)}), "csp.img-src[0]"),
    (Matomo(url="stats.example", site_id=1), "url"),
    (Matomo(url="https://stats.example/?a", site_id=1), "url"),
    (Matomo(url="https://stats.example/", site_id=0), "site_id"),
    (Matomo(url="https://stats.example/", site_id="one"), "site_id"),
    (MicrosoftClarity(project_id="ABC/1"), "project_id"),
    (Plausible(domain="https://luton.example"), "domain"),
    (Plausible(domain="luton.example", script="../x.js"), "script"),
    (Plausible(domain="luton.example", script_origin="plausible.io"), "script_origin"),
    (MetaPixel(pixel_id="fb-1"), "pixel_id"),
    (CustomService(**CUSTOM), "addresses"),
    (CustomService(**{**CUSTOM, "title": " "}, addresses=("a.example",)), "title"),
    (CustomService(**{**CUSTOM, "privacy_url": "javascript:1"}, addresses=("a.example",)), "privacy_url"),
    (CustomService(**CUSTOM, addresses=("https://a.example",)), "addresses[0]"),
    (CustomService(**CUSTOM, snippets=("x()",)), "snippets[0]"),
    (CustomService(**CUSTOM, script="http://a.example/x.js"), "script"),
]


@pytest.mark.parametrize(
    ("service", "place"), BAD, ids=[f"{number}_{one.kind}_{place}" for number, (one, place) in enumerate(BAD)]
)
def test_a_wrong_setting_is_named_with_its_remedy(service: Service, place: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make_policy(categories=(Category(id="marketing", services=(service,)),))

    assert [problem.place for problem in raised.value.problems] == [f"categories.marketing.services[0].{place}"]
    assert all(len(problem.remedy) > 10 for problem in raised.value.problems)


@pytest.mark.parametrize("service", GOOD, ids=lambda service: str(service.kind))
def test_an_exception_covers_only_those_without_purposes_of_their_own(service: Service) -> None:
    category = Category(id="counting", title="C", purpose="P", basis="statistical_exception", services=(service,))

    if isinstance(service, Matomo | Plausible):
        make_policy(categories=(category,))
    else:
        with pytest.raises(ConfigurationError, match="own purposes"):
            make_policy(categories=(category,))


@pytest.mark.parametrize(
    "kind", sorted(kind for kind in SERVICES if kind not in ("custom", "google-maps", "vimeo", "youtube"))
)
def test_one_that_pages_print_is_not_started_but_stopped_where_that_is_possible(kind: str) -> None:
    settings: dict[str, dict[str, Any]] = {
        "google-analytics": {"measurement_id": "G-LUTON123"},
        "google-tag-manager": {"container_id": "GTM-LUTON1"},
        "matomo": {"url": "https://stats.luton.example/", "site_id": 1},
        "meta-pixel": {"pixel_id": "123456789"},
        "microsoft-clarity": {"project_id": "abc123de"},
        "plausible": {"domain": "luton.example"},
    }
    service = SERVICES[kind](**settings[kind], printed=True)

    plan = service.start_plan("luton.example", signals=SIGNALS, acceptance_days=184, secure=True)

    assert not service.starts
    if kind == "plausible":  # it keeps nothing, and nothing can be said to it
        assert plan is None
        return
    assert (plan.src, plan.start) == ("", ())
    assert plan.stop
    assert plan.update


def test_tag_manager_hears_denied_then_the_choice_before_its_first_event() -> None:
    default, update, redaction, begin = plan_of(GOOD[0]).start

    assert set(default[2].values()) == {"denied", "granted"}  # type: ignore[attr-defined]
    assert default[2]["analytics_storage"] == "denied"  # type: ignore[index]
    assert update[2] == {name: "granted" if on else "denied" for name, on in SIGNALS.items()}
    assert redaction == ("set", "ads_data_redaction", True)
    assert begin == ("gtm.start",)
    assert plan_of(GOOD[0]).stop[0][2] == default[2]


def test_matomo_keeps_its_cookies_no_longer_than_the_consent() -> None:
    plan = plan_of(Matomo(url="https://stats.luton.example/m/", site_id=7))

    assert ("setVisitorCookieTimeout", 184 * 24 * 60 * 60) in plan.start
    assert ("setTrackerUrl", "https://stats.luton.example/m/matomo.php") in plan.start
    assert ("setSiteId", "7") in plan.start
    assert plan.stop == (("requireConsent",), ("deleteCookies",))


def test_matomo_without_cookies_says_so_and_lists_none() -> None:
    service = Matomo(url="https://stats.luton.example/", site_id=7, cookies=False)

    assert plan_of(service).start[0] == ("disableCookies",)
    assert [item.type for item in service.storage_items(184)] == ["script"]


@pytest.mark.parametrize(("ads", "said"), [(True, "granted"), (False, "denied")])
def test_clarity_hears_of_both_purposes(ads: bool, said: str) -> None:
    (command,) = plan_of(MicrosoftClarity(project_id="abc123de"), ad_storage=ads).start

    assert command == ("consentv2", {"ad_Storage": said, "analytics_Storage": "granted"})


@pytest.mark.parametrize(
    ("script", "attributes", "start"),
    [("script.js", {"data-domain": "luton.example"}, ()), ("pa-abc.js", {}, ((".init", {}),))],
)
def test_plausible_is_told_its_domain(script: str, attributes: dict[str, str], start: tuple[object, ...]) -> None:
    plan = plan_of(Plausible(domain="luton.example", script=script))

    assert (plan.src, plan.attributes, plan.start) == (f"https://plausible.io/js/{script}", attributes, start)


def test_what_others_keep_for_their_own_sites_claims_no_cookie_of_ours() -> None:
    items = [item for service in (YouTube(), Vimeo(), GoogleMaps()) for item in service.storage_items(184)]

    assert {item.type for item in items} == {"script"}
