"""consentgate's own resources: the choice form's target, the cookies page, the visitor's state, style and script."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Scope

from consentgate.acts import recorded
from consentgate.assets import Asset, assets
from consentgate.consent import OUTCOMES, Answer, Consent
from consentgate.cookie_rules import MOST_EXPIRY_LINES
from consentgate.origin import is_same_origin, local_path
from consentgate.policy import Category, ConsentPolicy, withheld_storage
from consentgate.receipt_pages import ReceiptPages
from consentgate.records import NotRecordedError
from consentgate.rendering import Place
from consentgate.visit import MESSAGE_SECONDS, Site, Visit

__all__ = ["Endpoints"]

Handler = Callable[[Request, Visit], Awaitable[Response]]

_LONGEST_FORM = 8_192  # bytes; the largest form of ours has a few hundred
_MOST_FIELDS = 40
_ABOUT = ("asked", "wording", "back", "source", "lang")
_TURN = re.compile(r"[0-9]{1,3}")
_MOST_TURNS = 8  # answers in a row that clear cookies for a visitor without scripts; browsers follow 20
_SOURCES = ("banner", "page", "embed")
_NO_STORE = {"cache-control": "no-store"}
_PAGE_HEADERS = {
    **_NO_STORE,
    "referrer-policy": "same-origin",
    # Nobody may frame the settings to trick a visitor into a click.
    "content-security-policy": "base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'",
}
_EMBED_HEADERS = {
    **_PAGE_HEADERS,
    "referrer-policy": "strict-origin-when-cross-origin",  # players refuse to start where they are not told the site
}
_IMMUTABLE = {
    "cache-control": "public, max-age=31536000, immutable",
    "vary": "Accept-Encoding",
    "x-content-type-options": "nosniff",
}


class FormError(Exception):
    """Say why a form was not taken, with the status and the key of the sentence a visitor reads."""

    def __init__(self, status: int, key: str, **values: object) -> None:
        super().__init__(key)
        self.status = status
        self.key = key
        self.values = values


@dataclass(frozen=True, slots=True)
class Choice:
    """Hold what a valid form says.

    Args:
        outcome: one of `OUTCOMES`.
        answers: yes or no for each category it answers.
        wording: hash of the texts that were shown; empty when the form does not tell.
        back: where to go next, when it is safe.
        source: `banner` or `page`; empty when the form does not tell.
        is_outdated: whether the form shows other texts than those in use.
        language: the language of the form; empty when it does not tell.
    """

    outcome: str
    answers: Mapping[str, bool]
    wording: str
    back: str | None
    source: str
    is_outdated: bool
    language: str

    @property
    def grants(self) -> bool:
        """Whether it agrees to anything."""
        return any(self.answers.values())


class Endpoints:
    """Answer requests for consentgate's own resources.

    Args:
        site: what is the same for every request.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        prefix = site.policy.path_prefix
        self._handlers: dict[str, tuple[Handler, tuple[str, ...]]] = {
            prefix: (self._page, ("GET", "HEAD")),
            f"{prefix}/": (self._page, ("GET", "HEAD")),
            f"{prefix}/choice": (self._choice, ("POST",)),
            f"{prefix}/state": (self._state, ("GET", "HEAD")),
            f"{prefix}/embed": (self._embed, ("GET", "HEAD")),
            f"{prefix}/clear": (self._clear, ("GET", "HEAD")),
        }
        receipts = ReceiptPages(site)
        self._handlers |= {
            f"{prefix}/receipt": (receipts.page, ("GET", "HEAD")),
            f"{prefix}/receipt.json": (receipts.download, ("GET", "HEAD")),
            f"{prefix}/erase": (receipts.erase, ("POST",)),
        }
        if site.policy.gpc_statement:
            self._handlers["/.well-known/gpc.json"] = (_constant(_gpc_statement(site.policy)), ("GET", "HEAD"))
        for asset in _files_of(site.policy):
            self._handlers[f"{prefix}/static/{asset.name}"] = (_file(asset), ("GET", "HEAD"))

    @property
    def paths(self) -> Collection[str]:
        """Where they are, within the application."""
        return self._handlers.keys()

    def find(self, scope: Scope) -> tuple[Handler, tuple[str, ...]] | None:
        """Return the handler for a request and the methods it takes, or `None` when it is the application's."""
        path: str = scope["path"]
        if root_path := scope.get("root_path"):
            root: str = root_path.rstrip("/")
            if root and path.startswith(root + "/"):
                path = path[len(root) :]
        return self._handlers.get(path)

    async def _page(self, request: Request, visit: Visit) -> Response:
        back = local_path(request.query_params.get("back", "")) or self._referring_path(request, visit)
        content = self._site.rendering.cookies_page(
            self._place(visit, request.query_params.get("lang", "")),
            visit.consent,
            own_names=(visit.target.name, visit.message_target.name),
            saved=visit.message is not None,
            back=back,
            recorded=self._site.log is not None,
        )
        response = self._html(content)
        _set_cookies(response, visit.expiries(visit.consent))
        if visit.message is not None:
            _set_cookies(response, [visit.message_target.line("", 0)])
        return response

    def _place(self, visit: Visit, *wished: str) -> Place:
        """Return where a page of ours will stand, in the language the visitor is to read."""
        rendering = self._site.rendering
        language = rendering.language_for(*wished, accept_language=visit.header(b"accept-language"))
        return rendering.place_in(visit.place, language, is_utf8=True)

    def _html(self, content: bytes, status: int = 200) -> Response:
        return HTMLResponse(content, status, headers=_PAGE_HEADERS | self._varies)

    @property
    def _varies(self) -> dict[str, str]:
        return {"vary": "Accept-Language"} if self._site.policy.accept_language else {}

    def _referring_path(self, request: Request, visit: Visit) -> str | None:
        """Return the page of this site from which the visitor came."""
        try:
            referrer = urlsplit(request.headers.get("referer", ""))
        except ValueError:  # not an address
            return None
        if referrer.netloc != request.headers.get("host", "") or referrer.path == request.scope["path"]:
            return None
        return local_path(referrer.path + (f"?{referrer.query}" if referrer.query else ""))

    async def _embed(self, request: Request, visit: Visit) -> Response:
        """Answer in a frame's place: with the frame's own page when it is agreed to, else with the question."""
        query = request.query_params
        categories = query.get("for", "").split()
        optional = [category.id for category in self._site.policy.optional_categories]
        address = _web_address(query.get("src", ""))
        if not categories or not set(categories) <= set(optional):
            return self._refuse(request, visit, FormError(404, "unknown_category", name=" ".join(categories)[:40]))
        service = self._site.printed_tags.at(address)
        # An address that nobody declared is followed only in a frame, and no other site may frame this page.
        is_known = service is not None or visit.header(b"sec-fetch-dest") in ("iframe", "frame")
        if address and is_known and visit.consent.granted.issuperset(categories):
            return RedirectResponse(address, 302, headers=_EMBED_HEADERS)
        content = self._site.rendering.embed_page(
            self._place(visit, query.get("lang", "")[:35]),
            categories=categories,
            title=service.title if service else urlsplit(address).hostname or "",
            provider=service.provider if service else "",
            address=address if is_known else "",
            back=self._referring_path(request, visit) or "",
            new_window="later" in query,
        )
        response = HTMLResponse(content, headers=_EMBED_HEADERS)
        _set_cookies(response, visit.expiries(visit.consent))
        return response

    async def _state(self, request: Request, visit: Visit) -> Response:
        turn = request.query_params.get("turn", "")
        more: dict[str, object] = {}
        if "back" in request.query_params and visit.consent.undecided:
            back = local_path(request.query_params["back"]) or ""
            place = self._site.rendering.place_in(visit.place, request.query_params.get("lang", ""), is_utf8=True)
            more["banner"] = self._site.rendering.question(place, visit.consent.undecided, back).decode()
        lines = visit.expiries(visit.consent, turn=int(turn) if _TURN.fullmatch(turn) else None)
        return self._state_response(visit, visit.consent, lines, **more)

    async def _clear(self, request: Request, visit: Visit) -> Response:
        """Expire what did not fit into one answer, and go on to where the choice leads."""
        turn = request.query_params.get("turn", "")
        back = local_path(request.query_params.get("back", "")) or self._cookies_page(visit)
        return self._onwards(visit, visit.consent, back, turn=int(turn) if _TURN.fullmatch(turn) else _MOST_TURNS)

    def _onwards(self, visit: Visit, consent: Consent, back: str, *, turn: int = 0) -> Response:
        lines = visit.expiries(consent, turn=turn, in_folders=not turn)
        if len(lines) >= MOST_EXPIRY_LINES and turn < _MOST_TURNS:
            back = f"{self._cookies_page(visit)}/clear?{urlencode({'turn': turn + 1, 'back': back})}"
        response = _see_other(back)
        _set_cookies(response, lines)
        return response

    def _cookies_page(self, visit: Visit) -> str:
        return visit.root + self._site.policy.path_prefix

    def _state_response(self, visit: Visit, consent: Consent, lines: list[bytes], **more: object) -> Response:
        services = self._site.rendering.plans(visit.place, consent.granted)
        state = {
            "granted": sorted(consent.granted),
            "undecided": consent.undecided,
            "services": services,
            "storage": withheld_storage(self._site.policy, consent.granted),
            "clearing": bool(lines),  # cookies are still being sent that should be gone: ask once more
            **more,
        }
        response = JSONResponse(state, headers=_NO_STORE)
        _set_cookies(response, lines)
        return response

    async def _choice(self, request: Request, visit: Visit) -> Response:
        try:
            fields = await self._fields(request, visit)
            if fields.get("hide") == "yes":
                return _see_other(self._way_back(fields, visit))
        except FormError as error:
            return self._refuse(request, visit, error)
        language = fields.get("lang", "")
        try:
            choice = self._read(fields)
        except FormError as error:
            return self._refuse(request, visit, error, language)
        if choice.is_outdated and choice.grants:
            return await self._take_refusals(request, visit, choice, FormError(409, "changed"))
        try:
            consent = await self._record(visit, choice, self._decide(visit, choice))
        except NotRecordedError as error:
            reason = FormError(503, "busy" if error.busy else "not_recorded")
            return await self._take_refusals(request, visit, choice, reason)
        response = self._answer(request, visit, choice, consent)
        _set_cookies(response, [visit.consent_line(consent), *visit.healing()[:-1]])
        return response

    async def _take_refusals(self, request: Request, visit: Visit, choice: Choice, error: FormError) -> Response:
        """Take what a form refuses, and say why what it agrees to is not taken."""
        response = self._refuse(request, visit, error, choice.language)
        answers = {category: granted for category, granted in choice.answers.items() if not granted}
        if answers:
            refusals = replace(choice, answers=answers, outcome="save")
            consent = await self._record(visit, refusals, self._decide(visit, refusals))
            _set_cookies(response, [visit.consent_line(consent), *visit.expiries(consent)])
        return response

    async def _record(self, visit: Visit, choice: Choice, consent: Consent) -> Consent:
        """Record an act, when acts are recorded, and return the consent with its receipt id.

        A refusal is honoured even when it cannot be recorded: then the consent keeps the id it had.

        Raises:
            NotRecordedError: when the act grants something and is not recorded.
        """
        if self._site.log is None:
            return replace(consent, receipt="")
        outcome = self._outcome(choice, consent)
        after, record = recorded(
            visit,
            consent,
            outcome=outcome,
            wording=choice.wording,
            language=choice.language,
            source=choice.source,
        )
        try:
            version = self._site.rendering.policy_version
            await self._site.log.write(record, version, only_refuses=not choice.grants)
        except NotRecordedError:
            if choice.grants:
                raise
            return consent
        return after

    def _decide(self, visit: Visit, choice: Choice) -> Consent:
        """Return the visitor's consent with the new answers; answers to other categories keep their own date."""
        now = self._site.now()
        versions = {category.id: category.version for category in self._site.policy.categories}
        answered = {
            category: Answer(granted, versions[category], int(now), choice.wording)
            for category, granted in choice.answers.items()
        }
        answers = {**visit.consent.answers, **answered}
        return Consent.from_answers(self._site.policy, answers, now, receipt=visit.consent.receipt)

    def _answer(self, request: Request, visit: Visit, choice: Choice, consent: Consent) -> Response:
        outcome = self._outcome(choice, consent)
        if self._site.observer is not None:
            self._site.observer.choice(visit.host, outcome)
        if _wants_json(request):
            lines = visit.expiries(consent, turn=0, in_folders=True)
            more = {"message": self._message(visit, choice, outcome)} if choice.source == "banner" else {}
            return self._state_response(visit, consent, lines, outcome=outcome, **more)
        if choice.source == "page" or choice.back is None:
            query = self._site.rendering.query_for(choice.language, **({"back": choice.back} if choice.back else {}))
            response = self._onwards(visit, consent, self._cookies_page(visit) + query)
        else:
            response = self._onwards(visit, consent, choice.back)
        _set_cookies(response, [visit.message_target.line(outcome, MESSAGE_SECONDS)])
        return response

    def _message(self, visit: Visit, choice: Choice, outcome: str) -> str:
        """Write what a page shows in the place of the question, whatever its `<base>` is."""
        place = replace(visit.place, origin=visit.authority, language=choice.language, is_utf8=True)
        return self._site.rendering.message(place, outcome, choice.back or "").decode()

    def _outcome(self, choice: Choice, consent: Consent) -> str:
        """Say what was done; who accepts what is asked again has not accepted what was refused before."""
        accepted_all = all(category.id in consent.granted for category in self._site.policy.optional_categories)
        return "save" if choice.outcome == "accept_all" and not accepted_all else choice.outcome

    async def _fields(self, request: Request, visit: Visit) -> dict[str, str]:
        if not is_same_origin(
            fetch_site=visit.header(b"sec-fetch-site"),
            origin=visit.header(b"origin"),
            host=visit.header(b"host"),
            trusted_hosts=self._site.policy.hosts,
        ):
            raise FormError(403, "cross_site")
        media_type = visit.header(b"content-type").partition(";")[0].strip().lower()
        if media_type != "application/x-www-form-urlencoded":
            raise FormError(415, "unreadable")
        try:
            pairs = parse_qsl(
                (await _body(request)).decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
            )
        except ValueError:
            raise FormError(400, "unreadable") from None
        fields = dict(pairs)
        if any(fields[name] != value for name, value in pairs):  # two answers to one question
            raise FormError(400, "unreadable")
        return fields

    def _read(self, fields: Mapping[str, str]) -> Choice:
        """Turn a form's fields into a choice.

        Raises:
            FormError: when a field is unknown or an answer unclear; nothing is guessed.
        """
        outcome = fields.get("choice", "save")
        if outcome not in OUTCOMES:
            raise FormError(400, "bad_value", name="choice")
        answers = self._answers(fields) if outcome == "save" else self._bulk(fields, granted=outcome == "accept_all")
        if not answers:
            raise FormError(400, "nothing_chosen")
        return Choice(
            outcome=outcome,
            answers=answers,
            wording=self._shown_wording(fields.get("wording", "")),
            back=local_path(fields.get("back", "")),
            source=fields.get("source", "") if fields.get("source") in _SOURCES else "",
            is_outdated=bool(fields.get("wording")) and not self._shown_wording(fields["wording"]),
            language=self._site.rendering.language_for(fields["lang"]) if fields.get("lang") else "",
        )

    def _shown_wording(self, claimed: str) -> str:
        """Return the hash of the wording only when it is the one in use: what was not shown cannot be agreed to."""
        return claimed if self._site.rendering.has_shown(claimed) else ""

    def _answers(self, fields: Mapping[str, str]) -> dict[str, bool]:
        answers = {}
        for name, value in fields.items():
            if name in (*_ABOUT, "choice", "hide"):
                continue
            category = self._category(name, key="unknown_field")
            if value not in ("yes", "no"):
                raise FormError(400, "bad_value", name=name[:40])
            if not category.is_essential:
                answers[name] = value == "yes"
        return answers

    def _bulk(self, fields: Mapping[str, str], *, granted: bool) -> dict[str, bool]:
        """Accept what the form asked about (one that does not say asks about all), or refuse all there is."""
        for name, value in fields.items():
            if name in (*_ABOUT, "choice"):
                continue
            category = self._category(name, key="unknown_field")
            if not category.is_essential and value != ("yes" if granted else "no"):
                raise FormError(400, "bad_value", name=name)
        optional = [category.id for category in self._site.policy.optional_categories]
        if not granted:
            return dict.fromkeys(optional, False)
        asked = fields["asked"].split() if "asked" in fields else optional
        for name in asked:
            self._category(name, key="unknown_category")
        return {name: True for name in asked if name in optional}

    def _category(self, name: str, *, key: str) -> Category:
        for category in self._site.policy.categories:
            if category.id == name:
                return category
        raise FormError(400, key, name=name[:40])

    def _way_back(self, fields: Mapping[str, str], visit: Visit) -> str:
        return local_path(fields.get("back", "")) or self._cookies_page(visit)

    def _refuse(self, request: Request, visit: Visit, error: FormError, language: str = "") -> Response:
        rendering, place = self._site.rendering, self._place(visit, language)
        speech, key = rendering.speech(place.language), f"error.{error.key}"
        if _wants_json(request):
            said = {"error": speech.plain(key, **error.values)}
            return JSONResponse(said, error.status, headers=_NO_STORE | self._varies)
        return self._html(rendering.error_page(place, speech(key, **error.values)), error.status)


async def _body(request: Request) -> bytes:
    content = b""
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > _LONGEST_FORM:
                raise FormError(413, "too_large")
    except ClientDisconnect:
        raise FormError(400, "unreadable") from None
    return content


def _web_address(text: str) -> str:
    """Return an address of the web as it may stand in a link, or an empty string."""
    text = f"https:{text}" if text.startswith("//") else text
    try:
        parts = urlsplit(text)
        _ = parts.port  # reading it checks it
    except ValueError:
        return ""
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(' \\"<>') and not parts.username
    return text if is_plain and parts.scheme in ("https", "http") and parts.hostname else ""


def _wants_json(request: Request) -> bool:
    return request.headers.get("accept", "").startswith("application/json")


def _see_other(path: str) -> Response:
    return RedirectResponse(path, 303, headers=_NO_STORE)


def _set_cookies(response: Response, lines: list[bytes]) -> None:
    response.raw_headers.extend((b"set-cookie", line) for line in lines)


def _gpc_statement(policy: ConsentPolicy) -> Response:
    """Write the site's statement that it honours Global Privacy Control (W3C GPC, "GPC Support Resource")."""
    return JSONResponse({"gpc": True, "lastUpdate": policy.gpc_statement})


def _files_of(policy: ConsentPolicy) -> Iterator[Asset]:
    """Yield what browsers get, for the look of each host."""
    for host in ("", *policy.hosts):
        yield from assets(policy.theme_of(host), at_the_bottom=policy.placement == "bottom").values()


def _file(asset: Asset) -> Handler:
    """Answer with a file as the browser takes it, for what compresses an application's own files never sees ours."""
    plain = Response(asset.content, media_type=asset.media_type, headers=_IMMUTABLE)
    packed = Response(asset.packed, media_type=asset.media_type, headers=_IMMUTABLE | {"content-encoding": "gzip"})

    async def answer(request: Request, visit: Visit) -> Response:
        return packed if visit.seen.takes_gzip else plain

    return answer


def _constant(response: Response) -> Handler:
    async def answer(request: Request, visit: Visit) -> Response:
        return response

    return answer
