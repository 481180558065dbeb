"""Markup as bytes: banner, confirmation, cookies page and tag block, prepared once for each place and choice."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from markupsafe import Markup as Safe
from markupsafe import escape

from consentgate.assets import assets
from consentgate.consent import OUTCOMES, Answer, Consent
from consentgate.notices import warn_once
from consentgate.placeholder import MARK
from consentgate.policy import Category, ConsentPolicy, signals_of
from consentgate.records.record import PolicyVersion, canonical_json, sha256
from consentgate.services import StartPlan
from consentgate.speech import Speech
from consentgate.storage import StorageItem
from consentgate.translations import Folder, accepted, pick, texts_digest, texts_for

if TYPE_CHECKING:
    from jinja2 import Environment  # loaded when there is something to render: it takes as long as all of Starlette

__all__ = ["OUTAGES", "Addresses", "Place", "Rendering", "Sample", "filled", "said_to_visitors", "wording_of"]

OUTAGES = ("bad_request", "timeout", "no_site", "down", "slow")
"""What the gateway may have to say in a site's place; keys of the texts below `outage`."""

_MARKS_UP = re.compile("[&<>\"']")
_BACK = "consentgate-back-goes-here"
_PREPARED = 512  # pieces of markup kept for reuse: places, languages and choices are few


@dataclass(frozen=True, slots=True)
class Place:
    """Say where markup will stand.

    Args:
        host: the request's host when the policy lists it, else an empty string.
        root: the path under which the application is mounted.
        secure: whether cookies are `Secure` there.
        origin: `//host:port` where a page's `<base>` changes what relative addresses mean, else an empty string.
        language: the language to speak there; the site's own when it is empty.
        is_utf8: whether bytes beyond ASCII are read as UTF-8 there.
    """

    host: str
    root: str
    secure: bool
    origin: str = ""
    language: str = ""
    is_utf8: bool = False


@dataclass(frozen=True, slots=True)
class Addresses:
    """Hold the addresses of consentgate's own resources at a place."""

    page: str
    receipt: str
    receipt_file: str
    erase: str
    choice: str
    state: str
    css: str
    page_css: str
    js: str
    services: str
    page_js: str
    embed: str
    embed_css: str
    home: str

    @classmethod
    def at(cls, place: Place, policy: ConsentPolicy, query: str = "") -> Addresses:
        """Work out the addresses for a place; a query says in which language the cookies page is to be."""
        base = f"{place.origin}{place.root}{policy.path_prefix}"
        files = assets(policy.theme_of(place.host), at_the_bottom=policy.placement == "bottom")
        return cls(
            page=base + query,
            receipt=f"{base}/receipt{query}",
            receipt_file=f"{base}/receipt.json{query}",
            erase=f"{base}/erase{query}",
            choice=f"{base}/choice",
            state=f"{base}/state",
            css=f"{base}/static/{files['consentgate.css'].name}",
            page_css=f"{base}/static/{files['consentgate-page.css'].name}",
            js=f"{base}/static/{files['consentgate.js'].name}",
            services=f"{base}/static/{files['services.js'].name}",
            page_js=f"{base}/static/{files['consentgate-page.js'].name}",
            embed=f"{base}/embed",
            embed_css=f"{base}/static/{files['consentgate-embed.css'].name}",
            home=f"{place.origin}{place.root}/",
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """Hold what a template makes of one state, or why it makes nothing.

    Args:
        template: its name.
        markup: what a visitor would get.
        error: what is wrong with it, else an empty string.
    """

    template: str
    markup: bytes = b""
    error: str = ""


class Rendering:
    """Render everything a visitor gets from consentgate.

    What is beyond ASCII is written as UTF-8 where the page is known to be that, else as character references, which
    fit the charset of any page.

    Args:
        policy: what visitors are asked.
        falls_back: whether a template of the site's own that fails makes way for the built-in one.
    """

    banner_mark: str = Safe(MARK.decode("ascii"))  # noqa: S704 - a constant
    SAMPLE_REASON = "A reason that nobody but a test has."
    SAMPLE_TITLE = "A service that nobody but a test has"
    SAMPLE_ADDRESS = "https://sample.example/frame"

    def __init__(self, policy: ConsentPolicy, *, falls_back: bool = True) -> None:
        self._policy = policy
        self._templates = _templates(policy.templates)
        self._built_in = _templates("") if falls_back and policy.templates else None
        self._texts_digest = texts_digest(policy.texts).encode()
        self.speech = lru_cache(_PREPARED)(lambda language: Speech(policy, language))
        self.wording = lru_cache(_PREPARED)(lambda language: wording_of(policy, language))
        self.place_in = lru_cache(_PREPARED)(self._place_in)
        self.question_parts = lru_cache(_PREPARED)(self._render_question)
        self.confirmation_parts = lru_cache(_PREPARED)(partial(self._render_saved, "confirmation.html"))
        self._message_parts = lru_cache(_PREPARED)(partial(self._render_saved, "message.html"))
        self._fingerprint = lru_cache(_PREPARED)(self._render_fingerprint)
        self.head = lru_cache(_PREPARED)(self._render_head)
        self.page_script = lru_cache(_PREPARED)(self._render_page_script)

    @cached_property
    def policy_version(self) -> PolicyVersion:
        """All that visitors are shown, in every language they can be asked in, as it is kept with the records."""
        policy = self._policy
        shown = {"schema": 1, "site_name": policy.site_name, "hosts": policy.hosts, "wordings": self._wordings}
        return PolicyVersion(canonical_json(shown))

    def shown(self, wording: str) -> tuple[str, str]:
        """Return the language of the wording whose hash begins with this, and its whole hash; else empty texts."""
        found = ((tag, str(one["hash"])) for tag, one in self._wordings.items())
        return next(((tag, hash_) for tag, hash_ in found if wording and hash_.startswith(wording)), ("", ""))

    @cached_property
    def _wordings(self) -> dict[str, dict[str, object]]:
        """What is said, and the banner that says it, by language."""
        return {language: self._wording_in(language) for language in self._policy.offered_languages}

    def _wording_in(self, language: str) -> dict[str, object]:
        said = said_to_visitors(self._policy, language)
        asked = tuple(category.id for category in self._policy.categories if category.needs_consent)
        place = Place("", "", secure=True, language=language, is_utf8=True)
        speech = Speech(self._policy, language)
        categories = [self._kept_category(category, speech) for category in self._policy.categories]
        return {
            "hash": sha256(said),  # its first digits are in forms and cookies
            "notice": json.loads(said),
            "categories": categories,
            "banner": b"".join(self._render_question(place, asked)).decode(),
        }

    def _kept_category(self, category: Category, speech: Speech) -> dict[str, object]:
        """Describe a category as visitors read it, for those who read the evidence later."""
        items = [_described(item, speech) for item in self._policy.items_of(category)]
        return {
            "id": category.id,
            "title": _words(speech.title(category)),
            "purpose": _words(speech.purpose(category)),
            "basis": category.effective_basis,
            "version": category.version,
            "items": [{name: _words(value) for name, value in item.items()} for item in items],
            "services": [(service.title, service.provider, service.privacy_url) for service in category.services],
        }

    def question(self, place: Place, undecided: Sequence[str], back: str) -> bytes:
        """Return the banner that asks about some categories and leads back to a path."""
        return filled(self.question_parts(place, tuple(undecided)), back)

    def confirmation(self, place: Place, outcome: str, back: str) -> bytes:
        """Return what takes the banner's place on the next page once a choice is saved."""
        return filled(self.confirmation_parts(place, outcome), back)

    def message(self, place: Place, outcome: str, back: str) -> bytes:
        """Return what takes the question's place within the banner, when the script saves the choice."""
        return filled(self._message_parts(place, outcome), back)

    def cookies_page(
        self,
        place: Place,
        consent: Consent,
        *,
        own_names: tuple[str, str],
        saved: bool,
        back: str | None,
        recorded: bool = False,
    ) -> bytes:
        """Return the page where visitors read about cookies and change their choice.

        Args:
            place: where it will stand.
            consent: what the visitor agreed to so far.
            own_names: the consent cookie's and the message cookie's names there.
            saved: whether to say that a choice was saved a moment ago.
            back: the path of the page the visitor came from.
            recorded: whether acts are recorded on the server.
        """
        speech = self._speech_at(place)
        own = self._own_items(own_names, speech)
        rows = [self._row(category, consent, own, speech) for category in self._policy.categories]
        optional = [category.id for category in self._policy.optional_categories]
        # The page brings its own style sheet; the script is there for the form and for whatever runs already.
        head = self.head(place, consent.granted, styled=False, scripted=bool(optional))
        return self._render(
            "page.html",
            place,
            categories=rows,
            asked_ids=" ".join(optional),
            saved=saved,
            signalled=consent.signalled,
            back=back,
            languages=self._language_links(place, back),
            head=head.decode("ascii"),
            receipt=self._receipt(consent, speech, recorded=recorded),
        )

    def receipt_page(self, place: Place, consent: Consent, *, recorded: bool, said: str = "") -> bytes:
        """Return the visitor's receipt as a page to print; `said` is the key of a message to show first."""
        receipt = self._receipt(consent, self._speech_at(place), recorded=recorded)
        return self._render("receipt.html", place, receipt=receipt, said=said, head="")

    def error_page(self, place: Place, reason: str) -> bytes:
        """Return a page that says in plain words why nothing was saved."""
        return self._render("error.html", place, reason=reason, head="")

    def settings_link(self, place: Place, words: str | None, language: str) -> str:
        """Return a link to the cookies page in a language, as markup that templates do not escape again."""
        spoken = self.language_for(language)
        address = Addresses.at(place, self._policy, self.query_for(spoken)).page
        return Safe('<a href="{}">{}</a>').format(address, words or self.speech(spoken)("page.settings_title"))

    def samples(self, place: Place) -> Iterator[Sample]:
        """Render every template in its states, for somebody to look at; where nothing falls back, failures say why."""
        optional = self._policy.optional_categories
        asked = tuple(category.id for category in optional if category.needs_consent)
        nobody = Consent.from_answers(self._policy, {}, 0)
        states: list[tuple[str, Callable[[], bytes]]] = []
        if asked:
            states += [("banner.html", partial(self.question, place, ids, "/")) for ids in (asked, asked[:1])]
        if optional:
            states += [("confirmation.html", partial(self.confirmation, place, outcome, "/")) for outcome in OUTCOMES]
            states += [("message.html", partial(self.message, place, outcome, "/")) for outcome in OUTCOMES]
        for saved, back in ((False, None), (True, "/back")):
            page = partial(self.cookies_page, place, nobody, own_names=("one", "two"), saved=saved, back=back)
            states.append(("page.html", page))
        answers = {category.id: Answer(True, category.version, 0) for category in optional}
        somebody = Consent.from_answers(self._policy, answers, 0, receipt="sample")
        if optional:
            page = partial(self.cookies_page, place, somebody, own_names=("one", "two"), saved=False, back=None)
            states.append(("receipt_section.html", partial(page, recorded=True)))
            states.append(("receipt.html", partial(self.receipt_page, place, somebody, recorded=True)))
            embed = partial(self.embed_page, place, categories=[category.id for category in optional], back="/")
            known = partial(embed, title=self.SAMPLE_TITLE, provider="Sample Ltd", address=self.SAMPLE_ADDRESS)
            states += [("embed.html", partial(known, new_window=one)) for one in (False, True)]
        states.append(("error.html", partial(self.error_page, place, self.SAMPLE_REASON)))
        states += [("outage.html", partial(self.outage_page, place, cause)) for cause in OUTAGES]
        yield from (_sample(template, render) for template, render in states)
        if optional:  # has less in it than is looked for, but has to be possible
            unnamed = _sample("embed.html", partial(embed, title="", provider="", address="", new_window=False))
            yield from (unnamed,) if unnamed.error else ()

    def outage_page(self, place: Place, cause: str) -> bytes:
        """Return the gateway's page for a site that does not answer; `cause` is a key of the texts below `outage`."""
        return self._render("outage.html", place, cause=cause, head="")

    def shared_head(self, place: Place) -> bytes:
        """Return what goes into every visitor's page alike: the script that asks for this visitor's state."""
        addresses = Addresses.at(place, self._policy)
        script = Safe('<script defer src="{}" data-state="{}" data-more="{}" data-css="{}"{}></script>')
        head = _ascii(script.format(addresses.js, addresses.state, addresses.services, addresses.css, self._skips))
        return head + self.page_script(place, None) if self._policy.script_api else head

    @property
    def _skips(self) -> Safe:
        """What tells a script that the question goes after the page's skip links."""
        return Safe(" data-skip") if self._policy.placement == "after-skip-link" else Safe()

    def fingerprint(
        self,
        place: Place,
        granted: frozenset[str] | None = None,
        undecided: tuple[str, ...] = (),
        message: str | None = None,
    ) -> str:
        """Return a short hash of what is put into a page; without `granted`, of what all visitors get."""
        return self._fingerprint(place, granted, undecided, message)

    def language_for(self, *wished: str, accept_language: str = "") -> str:
        """Return the language to speak: the first wish that can be met, else the site's own.

        Args:
            wished: BCP 47 tags, the best first; empty ones are passed over.
            accept_language: the browser's header, which counts where the policy says so and no wish can be met.
        """
        policy = self._policy
        further = accepted(accept_language) if policy.accept_language else []
        found = pick([*filter(None, wished), *further], policy.offered_languages, policy.texts)
        return found or policy.language

    def query_for(self, language: str, **further: str) -> str:
        """Write the query by which the cookies page is read in a language; empty when it would be so anyway."""
        is_needed = language and (language != self._policy.language or self._policy.accept_language)
        query = urlencode(further | ({"lang": language} if is_needed else {}))
        return f"?{query}" if query else ""

    def has_shown(self, wording: str) -> bool:
        """Tell whether a hash is that of the texts in use, in any language."""
        return any(wording == self.wording(language) for language in self._policy.offered_languages)

    def plans(self, place: Place, granted: frozenset[str]) -> list[dict[str, object]]:
        """List how the browser starts and stops each service that a set of granted categories allows."""
        signals = signals_of(self._policy, granted)
        found = (
            (
                category,
                service.start_plan(
                    place.host,
                    signals=signals,
                    acceptance_days=self._policy.acceptance_days,
                    secure=place.secure,
                ),
            )
            for category in self._policy.categories
            if category.id in granted
            for service in category.services
        )
        return [{"category": category.id, **_written(plan)} for category, plan in found if plan is not None]

    def has_script(self, place: Place, granted: frozenset[str]) -> bool:
        """Tell whether pages of a visitor who has answered get a script: for a service, or for the site's own."""
        return self._policy.script_api or bool(self.plans(place, granted))

    def _render_page_script(self, place: Place, granted: frozenset[str] | None, *, later: bool = False) -> bytes:
        """Return the script that brings tags to life and is `window.consentgate`.

        Args:
            place: where it will stand.
            granted: ids of the categories that the visitor agreed to, or `None` where the page is the same for all.
            later: whether the page's Content-Security-Policy keeps out some of what is accepted on it.
        """
        addresses = Addresses.at(place, self._policy)
        parts = [
            Safe('<script defer src="{}" data-page="{}"').format(addresses.page_js, addresses.page),
            Safe() if granted is None else Safe(' data-granted="{}"').format(" ".join(sorted(granted))),
            self._skips,
            Safe(" data-later") if later else Safe(),
            Safe("></script>"),
        ]
        return _ascii("".join(parts))

    def embed_page(
        self,
        place: Place,
        *,
        categories: Sequence[str],
        title: str,
        provider: str,
        address: str,
        back: str,
        new_window: bool,
    ) -> bytes:
        """Return the page that stands in a frame's place until the visitor agrees.

        Args:
            place: where it will stand.
            categories: ids of the categories to agree to.
            title: the service's name, or the host of the frame's page.
            provider: who receives the data; empty when that is not known.
            address: of the frame's page, for showing it once; empty when it cannot be offered.
            back: the path of the page around the frame.
            new_window: whether the page around it lets the frame's page in only when it is loaded anew.
        """
        speech = self._speech_at(place)
        asked = [category for category in self._policy.categories if category.id in categories]
        return self._render(
            "embed.html",
            place,
            categories=categories,
            category=speech.listed(speech.title(category) for category in asked),
            title=title,
            provider=provider,
            address=address,
            back=back,
            new_window=new_window,
        )

    def _render_fingerprint(
        self, place: Place, granted: frozenset[str] | None, undecided: tuple[str, ...], message: str | None
    ) -> str:
        if granted is None:
            parts = [self._texts_digest, self.shared_head(place)]
        else:
            parts = [
                self._texts_digest,
                self.head(place, granted, styled=bool(undecided), scripted=bool(undecided)),
                (message or "").encode(),
            ]
            parts += self.question_parts(place, undecided) if undecided else []
        return hashlib.blake2b(b"\0".join(parts), digest_size=6).hexdigest()

    def _render_head(
        self, place: Place, granted: frozenset[str], *, styled: bool, scripted: bool, later: bool = False
    ) -> bytes:
        """Render what goes to the end of the head: style sheet for a banner, script for a banner or for services.

        Before opt-in no address of a service stands in it, not even as a hint. `later` tells the script that the page's
        Content-Security-Policy lets no service start before the next page.
        """
        addresses = Addresses.at(place, self._policy)
        plans = self.plans(place, granted)
        page_script = self._policy.script_api
        parts = []
        if styled:
            parts.append(Safe('<link rel="stylesheet" href="{}">').format(addresses.css))
        if scripted or plans or page_script:
            script = Safe('<script defer src="{}" data-state="{}" data-more="{}"{}{}></script>')
            attributes = _services_attribute(plans), Safe(" data-later") if later else ""
            if plans:  # else the other script fetches this one, should it come to that
                parts.append(Safe('<script defer src="{}"></script>').format(addresses.services))
            parts.append(script.format(addresses.js, addresses.state, addresses.services, *attributes))
        head = _ascii("".join(parts))
        return head + self.page_script(place, granted, later=later) if page_script else head

    def _place_in(self, place: Place, page_language: str, is_utf8: bool) -> Place:
        """Return a place within a page that says its language, or says none."""
        return replace(place, language=self.language_for(page_language), is_utf8=is_utf8)

    def _language_links(self, place: Place, back: str | None) -> list[dict[str, str]]:
        """List the languages of the cookies page, each named in itself."""
        further = {"back": back} if back else {}
        page = Addresses.at(place, self._policy).page
        links = []
        for language in self._policy.offered_languages:
            texts = texts_for(language, self._policy.texts)
            address = f"{page}?{urlencode(further | {'lang': language})}"
            links.append(
                {"tag": language, "name": texts("language.name"), "direction": texts.direction, "address": address}
            )
        return links

    def _render_question(self, place: Place, undecided: tuple[str, ...]) -> list[bytes]:
        speech = self._speech_at(place)
        asked = [self._category(category, speech) for category in self._policy.categories if category.id in undecided]
        exceptions = [c for c in self._policy.optional_categories if not c.needs_consent]
        asked_ids = [*undecided, *(category.id for category in exceptions)]
        markup = self._render(
            "banner.html",
            place,
            asked=asked,
            objectable=speech.listed(speech.title(category) for category in exceptions),
            asked_ids=" ".join(asked_ids),
            back_mark=_BACK,
        )
        return markup.split(_BACK.encode())

    def _render_saved(self, template: str, place: Place, outcome: str) -> list[bytes]:
        markup = self._render(template, place, outcome=outcome, back_mark=_BACK)
        return markup.split(_BACK.encode())

    def _render(self, name: str, place: Place, **context: object) -> bytes:
        policy, speech = self._policy, self._speech_at(place)
        hosts = policy.hosts if len(policy.hosts) > 1 and policy.cookie_domain else ()
        local = policy.privacy_policy.startswith("/")
        context |= {
            "t": speech,
            "policy": policy,
            "urls": Addresses.at(place, policy, self.query_for(place.language)),
            "hosts": speech.listed(speech.name(host) for host in hosts),
            "kept": {
                "acceptance": speech.duration(policy.acceptance_days),
                "refusal": speech.duration(policy.refusal_days),
            },
            "privacy_policy": f"{place.origin}{place.root}{policy.privacy_policy}" if local else policy.privacy_policy,
            "wording": self.wording(speech.language),
        }
        try:
            markup = self._templates.get_template(name).render(context)
        except Exception as error:
            if self._built_in is None:
                raise
            # What rendered at the start may fail for one visitor's page: they get it all the same. What the error says
            # may hold something of theirs.
            lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename.endswith(".html")]
            reason = f"{type(error).__name__}, line {lines[-1] if lines else '?'}"
            warn_once(
                ("template", name, reason), "The template %s failed, so the built-in one was shown: %s", name, reason
            )
            markup = self._built_in.get_template(name).render(context)
        return markup.encode() if place.is_utf8 else _ascii(markup)

    def _speech_at(self, place: Place) -> Speech:
        return self.speech(place.language or self._policy.language)

    def _category(self, category: Category, speech: Speech) -> dict[str, object]:
        return {
            "id": category.id,
            "title": speech.title(category),
            "purpose": speech.purpose(category),
            "basis": category.effective_basis,
            "services": category.services,
            "involved": speech.listed(
                speech("banner.service", title=one.title, provider=one.provider) for one in category.services
            ),
        }

    def _row(
        self, category: Category, consent: Consent, own: list[dict[str, object]], speech: Speech
    ) -> dict[str, object]:
        listed = [_described(item, speech) for item in self._policy.items_of(category)]
        return self._category(category, speech) | {
            "storage": listed + (own if category is self._policy.first_essential else []),
            "granted": consent.allows(category.id),
        }

    def _receipt(self, consent: Consent, speech: Speech, *, recorded: bool) -> dict[str, object] | None:
        """Say what was chosen, when and under which wording; by the signed cookie alone."""
        if not consent.answers:
            return None
        policy = self._policy
        rows = [
            {
                "title": speech.title(category),
                "granted": answer.granted,
                "decided": _moment(answer.decided_at, speech),
                "until": _moment(answer.expires_at(policy), speech),
                "wording": answer.wording,
            }
            for category in policy.categories
            if (answer := consent.answers.get(category.id))
        ]
        return {
            "id": consent.receipt,
            "rows": rows,
            "grants": consent.grants,
            "recorded": recorded,
            "kept": speech.duration(policy.records_days),
        }

    def _own_items(self, names: tuple[str, str], speech: Speech) -> list[dict[str, object]]:
        """List consentgate's own cookies: exempt from consent, but not from being disclosed (PECR Schedule A1, 4)."""
        kept = speech(
            "item.consent_cookie_duration",
            acceptance=speech.duration(self._policy.acceptance_days),
            refusal=speech.duration(self._policy.refusal_days),
        )
        own: dict[str, object] = {"type": "cookie", "provider": ""}
        return [
            own | {"name": names[0], "purpose": speech("item.consent_cookie"), "duration": kept},
            own
            | {"name": names[1], "purpose": speech("item.message_cookie"), "duration": speech.duration(1, "minutes")},
        ]


def _sample(template: str, render: Callable[[], bytes]) -> Sample:
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        return Sample(template, render())
    except TemplateSyntaxError as error:
        return Sample(template, error=f"{error.name}, line {error.lineno}: {error.message}")
    except TemplateError as error:
        return Sample(template, error=f"{error.message}")
    except Exception as error:  # a template calls what it likes
        return Sample(template, error=f"{type(error).__name__}: {error}")


def _described(item: StorageItem, speech: Speech) -> dict[str, object]:
    return {
        "name": item.name,
        "type": item.type,
        "purpose": speech.item_purpose(item),
        "duration": speech.item_duration(item),
        "provider": item.provider,
    }


@cache
def _templates(folder: Folder) -> Environment:
    """Return the templates, a site's own first; they are compiled once for all policies of a process."""
    from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, PrefixLoader, StrictUndefined

    built_in = PackageLoader("consentgate")
    own = [FileSystemLoader(folder)] if folder else []
    return Environment(
        loader=ChoiceLoader([*own, built_in, PrefixLoader({"default": built_in})]),
        auto_reload=False,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def said_to_visitors(policy: ConsentPolicy, language: str) -> str:
    """Write all that a visitor can read of a policy in one language, as canonical JSON.

    Its hash is in every consent given in that language, so that whoever keeps this can show what was asked.

    Args:
        policy: what visitors are asked.
        language: one of `policy.offered_languages`.
    """
    said = {
        "site": [
            policy.site_name,
            policy.hosts,
            policy.cookie_domain,
            policy.cookie_name,
            policy.privacy_policy,
        ],
        "kept_days": [policy.acceptance_days, policy.refusal_days],
        "controller": asdict(policy.controller),
        "categories": [_said_of(category, policy) for category in policy.categories],
        "language": language,
        "texts": {**texts_for(folder=policy.texts).entries, **texts_for(language, policy.texts).entries},
    }
    if policy.templates:
        said["templates"] = _own_templates(policy.templates)
    return canonical_json(said)


def wording_of(policy: ConsentPolicy, language: str) -> str:
    """Hash all that a visitor can read of a policy in one language, as 16 hexadecimal digits of a SHA-256.

    It proves which words were shown; it never decides whether somebody is asked again.
    """
    return sha256(said_to_visitors(policy, language))[:16]


def _own_templates(folder: Folder) -> dict[str, str]:
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _moment(second: int, speech: Speech) -> dict[str, str]:
    """Write a time for machines and for people."""
    moment = datetime.fromtimestamp(second, UTC)
    time = speech.texts.number(moment.hour).rjust(2, speech.texts.number(0))
    minute = speech.texts.number(moment.minute).rjust(2, speech.texts.number(0))
    is_known = speech.texts.get("date.long")  # a language of the site's own may have no dates
    day = speech.texts.date(moment.date()) if is_known else moment.date().isoformat()
    return {"machine": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "human": f"{day}, {time}:{minute} UTC"}


def _said_of(category: Category, policy: ConsentPolicy) -> list[object]:
    services = [(service.title, service.provider, service.privacy_url) for service in category.services]
    items = [asdict(item) for item in policy.items_of(category)]
    return [
        category.id,
        category.title,
        category.purpose,
        category.effective_basis,
        category.version,
        items,
        services,
    ]


def _words(text: object) -> str:
    """Return a text without the marks of its language and direction."""
    return text.striptags() if isinstance(text, Safe) else str(text)


def _written(plan: StartPlan) -> dict[str, object]:
    """Return a plan as the script reads it, without what it does not have."""
    return {name: value for name, value in asdict(plan).items() if value or name == "src"}


def _services_attribute(plans: list[dict[str, object]]) -> Safe:
    """Write the plans as an attribute in single quotes, in which JSON's own quotes need no escaping."""
    if not plans:
        return Safe()
    written = str(escape(json.dumps(plans, separators=(",", ":")))).replace("&#34;", '"')
    return Safe(f" data-services='{written}'")  # noqa: S704 - escaped in the line above


def filled(parts: Sequence[bytes], back: str) -> bytes:
    """Put the path that leads back between the pieces of a question or a confirmation."""
    return _ascii(escape(back) if _MARKS_UP.search(back) else back).join(parts)


def _ascii(markup: str) -> bytes:
    return markup.encode("ascii", "xmlcharrefreplace")
