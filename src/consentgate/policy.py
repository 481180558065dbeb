"""What visitors are asked: the site, its controller and the categories; says all that is wrong at start-up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from consentgate.errors import ConfigurationError, Problem
from consentgate.field_types import as_tuple, elsewhere, fit_fields
from consentgate.records.opening import address_problem
from consentgate.services import Service
from consentgate.services.google import CONSENT_SIGNALS, DEFAULT_SIGNALS
from consentgate.storage import StorageItem, expression, is_pattern, matches, overlap
from consentgate.theme import Theme
from consentgate.translations import SOURCE_LANGUAGE, Folder, available, own_text_problems

__all__ = ["Basis", "Category", "ConsentPolicy", "Controller"]

Basis = Literal["essential", "consent", "statistical_exception", "appearance_exception"]
"""Why a category may be used: PECR Schedule A1 paragraphs 4, 2, 5 and 6 (in that order)."""

Undeclared = Literal["block", "report", "allow"]
CacheMode = Literal["personal", "shared"]
GpcMode = Literal["honour", "ignore"]
PrintedTagsMode = Literal["gate", "report"]

TEMPLATES = (
    "banner.html",
    "message.html",
    "confirmation.html",
    "layout.html",
    "page.html",
    "receipt_section.html",
    "receipt_facts.html",
    "receipt.html",
    "error.html",
    "embed.html",
    "outage.html",
)
"""The built-in templates, each of which a site may put its own in place of."""

Placement = Literal["first", "after-skip-link", "bottom"]

WELL_KNOWN_CATEGORIES = ("essential", "preferences", "analytics", "marketing")
"""Ids that need no title and no purpose: the built-in texts have them."""

LONGEST_DAYS = 400  # RFC 6265bis 5.5: browsers keep no cookie longer
LONGEST_RECORD_DAYS = 3_650
SHORTEST_REFUSAL_DAYS = 184  # six calendar months at their longest: the ICO's guideline before asking again
# Together these keep the signed consent cookie under 1,024 bytes in the worst case.
MOST_CATEGORIES = 10
LONGEST_CATEGORY_ID = 24

_CATEGORY_ID = re.compile(rf"[a-z][a-z0-9_-]{{0,{LONGEST_CATEGORY_ID - 1}}}")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_COOKIE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_PATH_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_ORIGIN = re.compile(r"(https?|wss?)://(\*\.)?[a-z0-9.-]+(:[0-9]{1,5}|:\*)?")
_DATE = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_EMAIL = re.compile(r"[^@\s<>\"']+@[^@\s<>\"']+\.[^@\s<>\"']+")
# Browsers refuse a cookie for a public suffix; these are the ones a UK site is most likely to name by mistake.
_PUBLIC_SUFFIXES = frozenset(
    [
        "co.uk",
        "org.uk",
        "gov.uk",
        "ac.uk",
        "nhs.uk",
        "me.uk",
        "net.uk",
        "ltd.uk",
        "plc.uk",
        "sch.uk",
        "police.uk",
        "gov.wales",
        "gov.scot",
    ]
)
_FORM_FIELDS = frozenset({"choice", "asked", "wording", "back", "source", "hide", "lang"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """Name who is responsible for the data, and whom to ask or complain to.

    Args:
        name: the data controller (UK GDPR Article 4(7)).
        email: where visitors can write to.
        address: its postal address, on one line.
        data_protection_officer: the officer's name or office.
        data_protection_officer_email: the officer's own address, when it differs from `email`.
        regulator: the supervisory authority visitors may complain to.
        regulator_url: the authority's page for complaints.
        regulator_phone: the authority's telephone number.
    """

    name: str
    email: str
    address: str = ""
    data_protection_officer: str = ""
    data_protection_officer_email: str = ""
    regulator: str = "Information Commissioner's Office (ICO)"
    regulator_url: str = "https://ico.org.uk/make-a-complaint/"
    regulator_phone: str = "0303 123 1113"

    def problems(self, place: str) -> Iterator[Problem]:
        """Yield what is wrong with this controller."""
        if not self.name.strip():
            yield Problem(f"{place}.name", self.name, "Name the data controller.")
        if not _EMAIL.fullmatch(self.email):
            yield Problem(f"{place}.email", self.email, "Give an e-mail address visitors can write to.")
        officer_email = self.data_protection_officer_email
        if officer_email and not _EMAIL.fullmatch(officer_email):
            yield Problem(
                f"{place}.data_protection_officer_email",
                officer_email,
                "Give an e-mail address or leave it out.",
            )
        if self.regulator_url and not _is_web_address(self.regulator_url):
            yield Problem(
                f"{place}.regulator_url",
                self.regulator_url,
                "Give an address that starts with https://, or leave it out.",
            )


@dataclass(frozen=True, kw_only=True)  # no slots: what follows from it is worked out once
class Category:
    """Describe one purpose that visitors accept or refuse.

    Args:
        id: short name used in code and forms: lower-case letters, digits, `_` and `-`.
        title: what visitors read as its name; built in for essential, preferences, analytics and marketing.
        purpose: what it is for, in a sentence; built in for the same four.
        basis: `essential`, `consent`, or one of the two exceptions that are on until the visitor objects.
        version: raise it when the purpose changes; only this category is asked again.
        items: what is kept in the browser.
        services: what is started once the category is granted.
        signals: Google consent signals it grants; by default those that fit a well-known id.
        exception_assessed: say true once your data protection officer has assessed a third-party service
            under the statistical exception (PECR Schedule A1 paragraph 5).
    """

    id: str
    title: str = ""
    purpose: str = ""
    basis: Basis | None = None
    version: int = 1
    items: tuple[StorageItem, ...] = ()
    services: tuple[Service, ...] = ()
    signals: tuple[str, ...] | None = None
    exception_assessed: bool = False

    def __post_init__(self) -> None:
        """Take lists as well as tuples."""
        for name in ("items", "services", "signals"):
            object.__setattr__(self, name, as_tuple(getattr(self, name)))

    @cached_property
    def effective_basis(self) -> Basis:
        """The basis, which is consent for everything not called essential."""
        return self.basis or ("essential" if self.id == "essential" else "consent")

    @cached_property
    def is_essential(self) -> bool:
        """Whether it is always on."""
        return self.effective_basis == "essential"

    @cached_property
    def needs_consent(self) -> bool:
        """Whether it is off until the visitor opts in."""
        return self.effective_basis == "consent"

    @property
    def google_signals(self) -> tuple[str, ...]:
        """Which of Google's consent signals it grants."""
        return DEFAULT_SIGNALS.get(self.id, ()) if self.signals is None else self.signals

    def problems(self, place: str, *, hosts: tuple[str, ...], acceptance_days: int) -> Iterator[Problem]:
        """Yield what is wrong with this category, its items and its services."""
        yield from self._text_problems(place)
        if self.version < 1:
            yield Problem(f"{place}.version", self.version, "Count versions from 1 upwards.")
        for index, signal in enumerate(self.signals or ()):
            if signal not in CONSENT_SIGNALS:
                yield Problem(f"{place}.signals[{index}]", signal, f"Use one of {', '.join(CONSENT_SIGNALS)}.")
        for index, item in enumerate(self.items):
            yield from item.problems(f"{place}.items[{index}]")
        for index, service in enumerate(self.services):
            where = f"{place}.services[{index}]"
            yield from service.problems(where, hosts=hosts, acceptance_days=acceptance_days)
            yield from self._service_basis_problems(where, service)

    def _text_problems(self, place: str) -> Iterator[Problem]:
        if not _CATEGORY_ID.fullmatch(self.id) or self.id in _FORM_FIELDS:
            yield Problem(
                f"{place}.id",
                self.id,
                f"Use up to {LONGEST_CATEGORY_ID} lower-case letters, digits, _ and -, starting with a letter, "
                f"and none of {', '.join(sorted(_FORM_FIELDS))}.",
            )
        if self.id in WELL_KNOWN_CATEGORIES:
            return
        if not self.title.strip():
            yield Problem(f"{place}.title", self.title, "Give the name visitors read, for example Surveys.")
        if not self.purpose.strip():
            yield Problem(f"{place}.purpose", self.purpose, "Say in one sentence what it is for.")

    def _service_basis_problems(self, place: str, service: Service) -> Iterator[Problem]:
        if self.is_essential:
            yield Problem(
                f"{place}.type",
                service.kind,
                f"{service.title} is not essential. Put it into a category with the basis consent.",
            )
        if service.own_purposes and "exception" in self.effective_basis and not self.exception_assessed:
            yield Problem(
                f"{place}.type",
                service.kind,
                f"{service.provider} may use the data for its own purposes, which the exception does not cover. "
                "Use the basis consent, or set exception_assessed = true once your data protection officer has "
                "assessed it.",
            )


@dataclass(frozen=True, kw_only=True)  # no slots, as above
class ConsentPolicy:
    """Describe what visitors of one site, or of several sites with one choice, are asked.

    An essential category is added when there is none, and the consent cookie is listed in it.

    Args:
        site_name: the name visitors know the site by.
        controller: who is responsible for the data.
        categories: the purposes, in the order visitors read them.
        hosts: every host the choice covers, without port; the banner names them when there are several.
        cookie_domain: the parent domain that shares one choice between `hosts`; without it each host asks for itself.
        cookie_name: the consent cookie's name; `__Host-` or `__Secure-` is put before it on https.
        secure: whether cookies are `Secure`; by default when the request came over https.
        acceptance_days: how long an acceptance is kept, in days.
        refusal_days: how long a refusal is kept, in days; at least 184 and never shorter than an acceptance.
        path_prefix: where the cookies page lives, and below it the choice form and the style sheet.
        privacy_policy: a path or https address of the site's privacy policy.
        undeclared: what happens to a cookie the policy does not list: `block` it, `report` it in the log and let
            it pass, or `allow` it.
        cache: `personal` pages are for one visitor; `shared` pages are the same bytes for all, so that a CDN may
            keep them, and a script asks for the visitor's state.
        skip_paths: paths whose pages get neither banner nor tags, for example `/admin/*`; cookies are withheld there
            all the same.
        enforce: whether browsers are told to refuse every other host's scripts, requests, images and frames, except
            those of granted services and of `enforce_allows`.
        enforce_allows: origins that pages may use at any time when `enforce` is on, for example `https://cdn.example.org`.
        gpc: whether Global Privacy Control counts as a refusal (`honour`) or not (`ignore`).
        gpc_statement: date (YYYY-MM-DD) since which the site honours it; then `/.well-known/gpc.json` says so.
        dnt: whether the older `DNT: 1` counts as a refusal too.
        printed_tags: what happens to tags that pages carry by themselves, of services that the policy declares or
            marked with `data-consent`: `gate` holds them back until the visitor agrees, `report` only says so in the
            log.
        script_api: whether every page gets `window.consentgate`, for scripts of your own and for pages that change
            without being loaded anew.
        language: BCP 47 tag of the language in which titles, purposes and durations are written here; visitors read it
            where a page says no language that there are texts in.
        languages: the languages visitors may read; all that there are texts in when it is empty.
        texts: a folder with the site's own texts, one file for each language, for example `texts/pl.toml`.
        accept_language: whether the cookies page follows the browser's languages where neither the page before it nor
            the visitor says one.
        placement: where the banner stands: `first` in the page, `after-skip-link`, or at the `bottom` of the window.
        theme: the look of banner and cookies page.
        themes: the look on single hosts, by host; what one leaves out is taken from `theme`.
        templates: a folder with templates of the site's own, each in place of the built-in one of its name.
        records: where acts are recorded: `sqlite:///consent.db`, or `postgresql+psycopg://user@host/database`; without
            it the signed cookie alone is the proof.
        records_days: how long a record is kept, in days; `consentgate records prune` deletes older ones.
        records_per_minute: how many grants, and as many other acts, one process records per minute at most.
        records_most: how many records are kept at most, so that nobody can fill the disk.

    Raises:
        ConfigurationError: listing everything that is wrong.
    """

    site_name: str
    controller: Controller
    categories: tuple[Category, ...] = ()
    hosts: tuple[str, ...] = ()
    cookie_domain: str | None = None
    cookie_name: str = "consentgate"
    secure: bool | None = None
    acceptance_days: int = 184
    refusal_days: int = 365
    path_prefix: str = "/cookies"
    privacy_policy: str = ""
    undeclared: Undeclared = "block"
    cache: CacheMode = "personal"
    skip_paths: tuple[str, ...] = ()
    enforce: bool = False
    enforce_allows: tuple[str, ...] = ()
    gpc: GpcMode = "honour"
    gpc_statement: str = ""
    dnt: bool = False
    printed_tags: PrintedTagsMode = "gate"
    script_api: bool = False
    language: str = SOURCE_LANGUAGE
    languages: tuple[str, ...] = ()
    texts: Folder = ""
    accept_language: bool = False
    placement: Placement = "first"
    theme: Theme | None = None
    themes: Mapping[str, Theme] | None = None
    templates: Folder = ""
    records: str = ""
    records_days: int = 730
    records_per_minute: int = 600
    records_most: int = 5_000_000

    def __post_init__(self) -> None:
        """Check everything and add the essential category."""
        wrong = fit_fields(self, hidden=("records",))
        object.__setattr__(self, "categories", _with_essential(self.categories))
        if problems := (*wrong, *elsewhere(self._problems(), wrong)):
            raise ConfigurationError(problems)

    @cached_property
    def first_essential(self) -> Category:
        """The category in which consentgate lists its own cookies."""
        return next(category for category in self.categories if category.is_essential)

    @cached_property
    def optional_categories(self) -> tuple[Category, ...]:
        """The categories a visitor can switch off."""
        return tuple(category for category in self.categories if not category.is_essential)

    @cached_property
    def everything(self) -> frozenset[str]:
        """Ids of all categories: what a visitor has granted to whom nothing is withheld."""
        return frozenset(category.id for category in self.categories)

    @cached_property
    def essential(self) -> frozenset[str]:
        """Ids of the categories that are always on."""
        return frozenset(category.id for category in self.categories if category.is_essential)

    @cached_property
    def asks(self) -> bool:
        """Whether any category needs an answer; a site with essential cookies alone shows no banner."""
        return any(category.needs_consent for category in self.categories)

    def theme_of(self, host: str) -> Theme:
        """Return the look of a host; an empty string stands for any that is not listed."""
        shared = self.theme or Theme()
        own = (self.themes or {}).get(host)
        return own.over(shared) if own else shared

    def items_of(self, category: Category) -> tuple[StorageItem, ...]:
        """List a category's own items, then those of its services."""
        of_services = (service.storage_items(self.acceptance_days) for service in category.services)
        return sum(of_services, start=category.items)

    @property
    def offered_languages(self) -> tuple[str, ...]:
        """The languages visitors can read, the site's own first."""
        others = self.languages or available(self.texts)
        return tuple(dict.fromkeys((self.language, *others)))

    def own_words(self) -> dict[str, str]:
        """Map the keys under which the site's own words can be translated to these words."""
        controller = self.controller
        words = {
            "controller.name": controller.name,
            "controller.address": controller.address,
            "controller.data_protection_officer": controller.data_protection_officer,
            "controller.regulator": controller.regulator,
        }
        for category in self.categories:
            words[f"category_{category.id}.title"] = category.title
            words[f"category_{category.id}.purpose"] = category.purpose
            for item in category.items:
                words[f"storage.{item.name}.purpose"] = item.purpose
                words[f"storage.{item.name}.duration"] = item.duration
        return {key: text for key, text in words.items() if text}

    def _problems(self) -> Iterator[Problem]:
        if not self.site_name.strip():
            yield Problem("site_name", self.site_name, "Give the name visitors know the site by.")
        yield from self.controller.problems("controller")
        yield from self._host_problems()
        yield from self._cookie_problems()
        yield from self._address_problems()
        yield from self._gate_problems()
        yield from self._language_problems()
        yield from self._look_problems()
        yield from self._record_problems()
        for category in self.categories:
            yield from category.problems(
                f"categories.{category.id}", hosts=self.hosts, acceptance_days=self.acceptance_days
            )
        yield from self._category_problems()
        yield from self._overlap_problems()

    def _look_problems(self) -> Iterator[Problem]:
        if self.templates and not _has_template(self.templates):
            remedy = f"Give a folder, relative to the policy file, with one of {', '.join(TEMPLATES)} in it."
            yield Problem("templates", str(self.templates), remedy)
        shared = list(self.theme.problems("theme")) if self.theme else []
        yield from shared
        said = {(problem.value, problem.remedy) for problem in shared}
        for host in self.themes or {}:
            if host not in self.hosts:
                yield Problem("themes", host, "List the host in hosts, or correct its name.")
            own = self.theme_of(host).problems(f'themes."{host}"')
            yield from (problem for problem in own if (problem.value, problem.remedy) not in said)

    def _host_problems(self) -> Iterator[Problem]:
        for index, host in enumerate(self.hosts):
            if not _HOST.fullmatch(host):
                yield Problem(
                    f"hosts[{index}]",
                    host,
                    "Write the host alone in lower case: no https://, no port, no path.",
                )
        yield from _duplicates("hosts", self.hosts)
        if self.cookie_domain is None:
            return
        domain = self.cookie_domain
        if not _HOST.fullmatch(domain) or "." not in domain or domain in _PUBLIC_SUFFIXES or _is_address(domain):
            yield Problem(
                "cookie_domain",
                domain,
                "Use the domain you registered, such as example.org.uk: browsers keep no cookie for a public suffix.",
            )
        if not self.hosts:
            yield Problem("hosts", self.hosts, "List every host that shares the choice: the banner must name them.")
        for index, host in enumerate(self.hosts):
            if not is_within(host, domain):
                yield Problem(
                    f"hosts[{index}]",
                    host,
                    f"It is not below cookie_domain {domain}, so the choice cannot reach it.",
                )

    def _cookie_problems(self) -> Iterator[Problem]:
        if not _COOKIE_NAME.fullmatch(self.cookie_name):
            yield Problem(
                "cookie_name",
                self.cookie_name,
                "Use up to 40 letters, digits, _ and -, starting with a letter; "
                "__Host- or __Secure- is put before it by itself.",
            )
        if not 1 <= self.acceptance_days <= LONGEST_DAYS:
            yield Problem(
                "acceptance_days",
                self.acceptance_days,
                f"Use 1 to {LONGEST_DAYS} days: browsers keep no cookie longer.",
            )
        shortest = max(SHORTEST_REFUSAL_DAYS, min(self.acceptance_days, LONGEST_DAYS))
        if not shortest <= self.refusal_days <= LONGEST_DAYS:
            yield Problem(
                "refusal_days",
                self.refusal_days,
                f"Use {shortest} to {LONGEST_DAYS} days: a refusal is kept for six months or more, "
                "and never shorter than an acceptance.",
            )

    def _address_problems(self) -> Iterator[Problem]:
        if not _PATH_PREFIX.fullmatch(self.path_prefix) or set(self.path_prefix.split("/")) & {".", ".."}:
            yield Problem(
                "path_prefix",
                self.path_prefix,
                "Write a path such as /cookies: it starts with / and does not end with one.",
            )
        if self.privacy_policy and not (_is_local_path(self.privacy_policy) or _is_web_address(self.privacy_policy)):
            yield Problem(
                "privacy_policy",
                self.privacy_policy,
                "Write a path such as /privacy, or an address that starts with https://.",
            )

    def _gate_problems(self) -> Iterator[Problem]:
        for index, path in enumerate(self.skip_paths):
            if not path.startswith("/"):
                yield Problem(f"skip_paths[{index}]", path, "Write a path such as /admin/*: it starts with /.")
        for index, origin in enumerate(self.enforce_allows):
            if not _ORIGIN.fullmatch(origin):
                yield Problem(
                    f"enforce_allows[{index}]",
                    origin,
                    "Write an origin with no path, for example https://cdn.example.org.",
                )
        if self.enforce and self.cache == "shared":
            yield Problem("enforce", True, 'It needs cache = "personal": the header differs by visitor.')
        if self.gpc_statement and not (_DATE.fullmatch(self.gpc_statement) and self.gpc == "honour"):
            yield Problem("gpc_statement", self.gpc_statement, 'Write a date such as 2026-11-22, with gpc = "honour".')

    def _language_problems(self) -> Iterator[Problem]:
        if self.texts and (problems := tuple(own_text_problems(self.texts, self.own_words()))):
            yield from problems
            return
        known = available(self.texts)
        listed = [(f"languages[{index}]", tag) for index, tag in enumerate(self.languages)]
        for place, tag in [("language", self.language), *listed]:
            if tag not in known:
                yield Problem(
                    place, tag, f"There are texts in {', '.join(known)}. For another language put a file into texts."
                )
        yield from _duplicates("languages", self.languages)

    def _record_problems(self) -> Iterator[Problem]:
        if self.records and (remedy := address_problem(self.records, in_a_file=True)):
            yield Problem("records", "hidden" if "@" in self.records else self.records, remedy)
        if not self.acceptance_days <= self.records_days <= LONGEST_RECORD_DAYS:
            yield Problem(
                "records_days",
                self.records_days,
                f"Use {self.acceptance_days} to {LONGEST_RECORD_DAYS} days: a record outlives the answer it proves, "
                "and is not kept for ever.",
            )
        for name in ("records_per_minute", "records_most"):
            if (value := getattr(self, name)) < 1:
                yield Problem(name, value, "Use 1 or more.")

    def _category_problems(self) -> Iterator[Problem]:
        yield from _duplicates("categories", (category.id for category in self.categories))
        if len(self.categories) > MOST_CATEGORIES:
            yield Problem(
                "categories",
                len(self.categories),
                f"Use at most {MOST_CATEGORIES}: more choices help nobody, and the consent cookie stays small.",
            )

    def _overlap_problems(self) -> Iterator[Problem]:
        """Yield names claimed twice: PECR asks for one purpose per item, and withdrawal must know which."""
        claimed = [
            (f"categories.{category.id}", category.id, item.type, item.name)
            for category in self.categories
            for item in self.items_of(category)
        ]
        for (_, one_id, one_type, one), (place, other_id, other_type, other) in combinations(claimed, 2):
            if one_type != other_type:
                continue
            if one == other:
                yield Problem(f"{place}.items", other, f"It is listed in {one_id} already. Keep it in one place.")
            elif one_id != other_id and _collide(one, other):
                yield Problem(
                    f"{place}.items",
                    other,
                    f"It can mean the same cookie as {one} in {one_id}. Make the names distinct.",
                )


def _has_template(folder: Folder) -> bool:
    try:
        return any((Path(folder) / name).is_file() for name in TEMPLATES)
    except (OSError, ValueError):  # no path can be as long, or hold that
        return False


def is_within(host: str, domain: str) -> bool:
    """Tell whether a host is a domain or below it (RFC 6265bis 5.1.3)."""
    return host == domain or host.endswith("." + domain)


def _collide(one: str, other: str) -> bool:
    if is_pattern(one) and is_pattern(other):
        return overlap(one, other)
    if is_pattern(one) or is_pattern(other):
        return matches(one, other) or matches(other, one)
    return False


def _with_essential(categories: tuple[Category, ...]) -> tuple[Category, ...]:
    if any(category.is_essential for category in categories):
        return categories
    return (Category(id="essential"), *categories)


def _duplicates(place: str, values: Iterable[str]) -> Iterator[Problem]:
    for value, count in Counter(values).items():
        if count > 1:
            yield Problem(place, value, f"It is listed {count} times. Keep it once.")


def _is_address(host: str) -> bool:
    return host.replace(".", "").isdigit()


def _is_local_path(value: str) -> bool:
    clean = value.isascii() and value.isprintable() and not set(value) & set(" \\\"'<>")
    return clean and value.startswith("/") and not value.startswith("//")


def _is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    clean = value.isprintable() and not set(value) & set(" \\\"'<>")
    return clean and parts.scheme in ("https", "http") and bool(parts.hostname)


def signals_of(policy: ConsentPolicy, granted: frozenset[str]) -> Mapping[str, bool]:
    """Say which of Google's signals a set of granted categories adds up to; `security_storage` is essential."""
    chosen = {signal for category in policy.categories if category.id in granted for signal in category.google_signals}
    return {signal: signal in chosen or signal == "security_storage" for signal in CONSENT_SIGNALS}


def sources_of(policy: ConsentPolicy, granted: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Say what a Content-Security-Policy has to let through for the services of a set of granted categories."""
    needed: dict[str, tuple[str, ...]] = {}
    for category in policy.categories:
        for service in category.services if category.id in granted else ():
            for directive, sources in service.csp_sources().items():
                needed[directive] = tuple(dict.fromkeys((*needed.get(directive, ()), *sources)))
    return needed


def withheld_storage(policy: ConsentPolicy, granted: frozenset[str]) -> list[tuple[str, str]]:
    """List the web storage that a browser has to clear: the area, and a regular expression for the keys in it."""
    return [
        (item.type, f"^{expression(item.name)}$")
        for category in policy.categories
        if category.id not in granted
        for item in policy.items_of(category)
        if item.type in ("localStorage", "sessionStorage")
    ]
