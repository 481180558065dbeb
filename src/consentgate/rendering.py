"""Markup as bytes: banner, confirmation, cookies page and tag block, prepared once for each place and choice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup as Safe
from markupsafe import escape

from consentgate.assets import assets
from consentgate.consent import Consent
from consentgate.policy import Category, ConsentPolicy, signals_of
from consentgate.storage import StorageItem
from consentgate.translations import Texts, texts_for

__all__ = ["Addresses", "Place", "Rendering"]

_BACK = "consentgate-back-goes-here"
_PREPARED = 256  # pieces of markup kept for reuse: places, languages and choices are few


@dataclass(frozen=True, slots=True)
class Place:
    """Say where markup will stand.

    Args:
        host: the request's host when the policy lists it, else an empty string.
        root: the path under which the application is mounted.
        secure: whether cookies are `Secure` there.
        origin: `//host:port` where a page's `<base>` changes what relative addresses mean, else an empty string.
    """

    host: str
    root: str
    secure: bool
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Hold the addresses of consentgate's own resources at a place."""

    page: str
    choice: str
    state: str
    css: str
    js: str
    home: str

    @classmethod
    def at(cls, place: Place, path_prefix: str) -> Addresses:
        """Work out the addresses for a place."""
        base = f"{place.origin}{place.root}{path_prefix}"
        files = assets()
        return cls(
            page=base,
            choice=f"{base}/choice",
            state=f"{base}/state",
            css=f"{base}/static/{files['consentgate.css'].name}",
            js=f"{base}/static/{files['consentgate.js'].name}",
            home=f"{place.origin}{place.root}/",
        )


class Rendering:
    """Render everything a visitor gets from consentgate.

    All of it is ASCII with character references, so that it fits the charset of any page.

    Args:
        policy: what visitors are asked.
    """

    def __init__(self, policy: ConsentPolicy) -> None:
        self._policy = policy
        self._texts = texts_for()
        self._templates = _templates()
        self.wording = _wording(policy, self._texts)
        self._question = lru_cache(_PREPARED)(self._render_question)
        self._confirmation = lru_cache(_PREPARED)(self._render_confirmation)
        self._fingerprint = lru_cache(_PREPARED)(self._render_fingerprint)
        self.head = lru_cache(_PREPARED)(self._render_head)

    def question(self, place: Place, undecided: Sequence[str], back: str) -> bytes:
        """Return the banner that asks about some categories and leads back to a path."""
        return _fill(self._question(place, tuple(undecided)), back)

    def confirmation(self, place: Place, outcome: str, back: str) -> bytes:
        """Return the message that takes the banner's place once a choice is saved."""
        return _fill(self._confirmation(place, outcome), back)

    def cookies_page(
        self, place: Place, consent: Consent, *, own_names: tuple[str, str], saved: bool, back: str | None
    ) -> bytes:
        """Return the page where visitors read about cookies and change their choice.

        Args:
            place: where it will stand.
            consent: what the visitor agreed to so far.
            own_names: the consent cookie's and the message cookie's names there.
            saved: whether to say that a choice was saved a moment ago.
            back: the path of the page the visitor came from.
        """
        rows = [self._row(category, consent, self._own_items(own_names)) for category in self._policy.categories]
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
            head=head.decode("ascii"),
        )

    def error_page(self, place: Place, reason: str) -> bytes:
        """Return a page that says in plain words why nothing was saved."""
        return self._render("error.html", place, reason=reason, head="")

    def shared_head(self, place: Place) -> bytes:
        """Return what goes into every visitor's page alike: the script that asks for this visitor's state."""
        addresses = Addresses.at(place, self._policy.path_prefix)
        script = Safe('<script defer src="{}" data-state="{}" data-css="{}"></script>')
        return _ascii(script.format(addresses.js, addresses.state, addresses.css))

    def fingerprint(
        self,
        place: Place,
        granted: frozenset[str] | None = None,
        undecided: tuple[str, ...] = (),
        message: str | None = None,
    ) -> str:
        """Return a short hash of what is put into a page; without `granted`, of what all visitors get."""
        return self._fingerprint(place, granted, undecided, message)

    def text(self, key: str, **values: object) -> str:
        """Return one text in the visitor's language."""
        return self._texts(key, **values)

    def plans(self, place: Place, granted: frozenset[str]) -> list[dict[str, object]]:
        """List how the browser starts each service that a set of granted categories allows."""
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
        return [{"category": category.id, **asdict(plan)} for category, plan in found if plan]

    def _render_fingerprint(
        self, place: Place, granted: frozenset[str] | None, undecided: tuple[str, ...], message: str | None
    ) -> str:
        if granted is None:
            parts = [self.shared_head(place)]
        else:
            parts = [
                self.head(place, granted, styled=bool(undecided), scripted=bool(undecided)),
                (message or "").encode(),
            ]
            parts += self._question(place, undecided) if undecided else []
        return hashlib.blake2b(b"\0".join(parts), digest_size=6).hexdigest()

    def _render_head(
        self, place: Place, granted: frozenset[str], *, styled: bool, scripted: bool, later: bool = False
    ) -> bytes:
        """Render what goes to the end of the head: style sheet for a banner, script for a banner or for services.

        Before opt-in no address of a service stands in it, not even as a hint. `later` tells the script that the page's
        Content-Security-Policy lets no service start before the next page.
        """
        addresses = Addresses.at(place, self._policy.path_prefix)
        plans = self.plans(place, granted)
        parts = []
        if styled:
            parts.append(Safe('<link rel="stylesheet" href="{}">').format(addresses.css))
        if scripted or plans:
            script = Safe('<script defer src="{}" data-state="{}"{}{}></script>')
            attributes = _services_attribute(plans), Safe(" data-later") if later else ""
            parts.append(script.format(addresses.js, addresses.state, *attributes))
        return _ascii("".join(parts))

    def _render_question(self, place: Place, undecided: tuple[str, ...]) -> list[bytes]:
        asked = [self._category(category) for category in self._policy.categories if category.id in undecided]
        exceptions = [c for c in self._policy.optional_categories if not c.needs_consent]
        asked_ids = [*undecided, *(category.id for category in exceptions)]
        markup = self._render(
            "banner.html",
            place,
            asked=asked,
            objectable=_listed([str(self._category(category)["title"]) for category in exceptions]),
            asked_ids=" ".join(asked_ids),
            accepted="accept_all" if len(asked_ids) == len(self._policy.optional_categories) else "save",
            back_mark=_BACK,
        )
        return markup.split(_BACK.encode())

    def _render_confirmation(self, place: Place, outcome: str) -> list[bytes]:
        markup = self._render("confirmation.html", place, outcome=outcome, hidden=False, back_mark=_BACK)
        return markup.split(_BACK.encode())

    def _render(self, name: str, place: Place, **context: object) -> bytes:
        policy = self._policy
        hosts = policy.hosts if len(policy.hosts) > 1 and policy.cookie_domain else ()
        local = policy.privacy_policy.startswith("/")
        template = self._templates.get_template(name)
        markup = template.render(
            t=self._texts,
            policy=policy,
            urls=Addresses.at(place, policy.path_prefix),
            hosts=_listed(hosts),
            privacy_policy=f"{place.origin}{place.root}{policy.privacy_policy}" if local else policy.privacy_policy,
            wording=self.wording,
            **context,
        )
        return _ascii(markup)

    def _category(self, category: Category) -> dict[str, object]:
        texts, key = self._texts, f"category_{category.id}"
        return {
            "id": category.id,
            "title": category.title or texts(f"{key}.title"),
            "purpose": category.purpose or texts(f"{key}.purpose"),
            "basis": category.effective_basis,
            "services": category.services,
            "involved": _listed(
                [texts("banner.service", title=one.title, provider=one.provider) for one in category.services]
            ),
        }

    def _row(self, category: Category, consent: Consent, own: tuple[StorageItem, ...]) -> dict[str, object]:
        listed = self._policy.items_of(category) + (own if category is self._policy.first_essential else ())
        return self._category(category) | {"storage": listed, "granted": consent.allows(category.id)}

    def _own_items(self, names: tuple[str, str]) -> tuple[StorageItem, ...]:
        """List consentgate's own cookies: exempt from consent, but not from being disclosed (PECR Schedule A1, 4)."""
        policy, texts = self._policy, self._texts
        days = {"acceptance": policy.acceptance_days, "refusal": policy.refusal_days}
        purposes = (texts("item.consent_cookie"), texts("item.message_cookie"))
        durations = (texts("item.consent_cookie_duration", **days), texts("item.message_cookie_duration"))
        return tuple(
            StorageItem(name=name, purpose=purpose, duration=duration)
            for name, purpose, duration in zip(names, purposes, durations, strict=True)
        )


@cache
def _templates() -> Environment:
    """Return the templates; they are compiled once for all policies of a process."""
    return Environment(
        loader=PackageLoader("consentgate"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _wording(policy: ConsentPolicy, texts: Texts) -> str:
    """Hash all that a visitor can read of a policy in one language, as 16 hexadecimal digits of a SHA-256.

    It proves which words were shown; it never decides whether somebody is asked again.
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
        "texts": dict(texts.entries),
    }
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


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


def _services_attribute(plans: list[dict[str, object]]) -> Safe:
    """Write the plans as an attribute in single quotes, in which JSON's own quotes need no escaping."""
    if not plans:
        return Safe()
    written = str(escape(json.dumps(plans, separators=(",", ":")))).replace("&#34;", '"')
    return Safe(f" data-services='{written}'")  # noqa: S704 - escaped in the line above


def _fill(parts: list[bytes], back: str) -> bytes:
    return _ascii(escape(back)).join(parts)


def _ascii(markup: str) -> bytes:
    return markup.encode("ascii", "xmlcharrefreplace")


def _listed(names: Sequence[str]) -> str:
    """Join names as a sentence does: a, b and c."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
