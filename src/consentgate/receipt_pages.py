"""The visitor's receipt: to read and print, to download, and to erase; for the holder of the signed cookie alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from consentgate.origin import is_same_origin
from consentgate.receipts import make_receipt
from consentgate.records import ConsentRecord, NotRecordedError, PolicyVersion
from consentgate.rendering import Place
from consentgate.visit import Site, Visit

__all__ = ["ReceiptPages"]

_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "content-security-policy": "base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'",
}


class ReceiptPages:
    """Answer requests about one visitor's receipt.

    Args:
        site: what is the same for every request.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, request: Request, visit: Visit) -> Response:
        """Show the receipt as a page to print; it needs the signed cookie only."""
        return self._page(request, visit, 200 if visit.consent.answers else 404)

    async def download(self, request: Request, visit: Visit) -> Response:
        """Return the receipt as a JSON file: with the trail on record, or by the signed cookie alone."""
        if not self._is_from_here(visit):
            return self._page(request, visit, 403, said="receipt.cross_site")
        if not visit.consent.answers:
            return self._page(request, visit, 404)
        versions, trail = await self._kept(visit)
        receipt = make_receipt(
            self._site.policy,
            visit.consent,
            self._site.seal,
            versions=[self._site.rendering.policy_version, *versions],
            trail=trail,
            withdrawal=f"{request.url.scheme}://{visit.header(b'host')}{visit.root}{self._site.policy.path_prefix}",
            now=self._site.now(),
        )
        content = json.dumps(receipt, indent=2, ensure_ascii=False) + "\n"
        disposition = {"content-disposition": 'attachment; filename="consent-receipt.json"'}
        return Response(content, media_type="application/json", headers=_HEADERS | disposition)

    async def erase(self, request: Request, visit: Visit) -> Response:
        """Take this visitor's identity out of the records; the choice itself stays in the signed cookie."""
        if not self._is_from_here(visit):
            return self._page(request, visit, 403, said="receipt.cross_site")
        receipt = visit.consent.receipt
        if not receipt or self._site.log is None:
            return self._page(request, visit, 404, said="receipt.nothing_kept")
        try:
            await self._site.log.erase(receipt)
        except NotRecordedError:
            return self._page(request, visit, 503, said="receipt.not_erased")
        consent = replace(visit.consent, receipt="")
        response = _html(
            self._site.rendering.receipt_page(
                self._place(request, visit), consent, recorded=True, said="receipt.erased"
            ),
        )
        response.raw_headers.append((b"set-cookie", visit.consent_line(consent)))
        return response

    async def _kept(self, visit: Visit) -> tuple[Sequence[PolicyVersion], Sequence[ConsentRecord]]:
        """Return what the records have about this visitor; when they cannot be read, the cookie has to do."""
        log, consent = self._site.log, visit.consent
        if log is None:
            return (), ()
        own = self._site.rendering.shown
        others = {answer.wording for answer in consent.answers.values() if not own(answer.wording)[1]} - {""}
        try:
            found = [await log.policy_version(wording) for wording in sorted(others)]
            trail = await log.trail(consent.receipt) if consent.receipt else ()
            known = {version.hash for version in found if version} | {self._site.rendering.policy_version.hash}
            found += [await log.policy_version(hash_) for hash_ in {one.policy_version for one in trail} - known]
        except NotRecordedError:
            return (), ()
        return [version for version in found if version], trail

    def _is_from_here(self, visit: Visit) -> bool:
        return is_same_origin(
            fetch_site=visit.header(b"sec-fetch-site"),
            origin=visit.header(b"origin"),
            host=visit.header(b"host"),
            trusted_hosts=self._site.policy.hosts,
        )

    def _place(self, request: Request, visit: Visit) -> Place:
        """Return where a page of ours will stand, in the language the visitor is to read."""
        rendering = self._site.rendering
        wished, accepted = request.query_params.get("lang", ""), visit.header(b"accept-language")
        return rendering.place_in(visit.place, rendering.language_for(wished, accept_language=accepted), is_utf8=True)

    def _page(self, request: Request, visit: Visit, status: int, *, said: str = "") -> Response:
        recorded = self._site.log is not None
        return _html(
            self._site.rendering.receipt_page(self._place(request, visit), visit.consent, recorded=recorded, said=said),
            status,
        )


def _html(content: bytes, status: int = 200) -> Response:
    return HTMLResponse(content, status, headers=_HEADERS)
