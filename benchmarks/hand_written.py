"""A consent middleware as written in an afternoon: read the whole page, and put the banner in by `str.replace`."""

from __future__ import annotations

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.sites import App

__all__ = ["HandWritten"]


class HandWritten(BaseHTTPMiddleware):
    """Put a banner or tags into pages, as it is written in an afternoon.

    Args:
        app: the application.
        banner: for visitors without an answer.
        tags: for those who agreed.
    """

    def __init__(self, app: App, banner: str, tags: str) -> None:
        super().__init__(app)
        self._banner = banner
        self._tags = tags

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Answer a request."""
        response = await call_next(request)
        if not response.headers.get("content-type", "").startswith("text/html"):
            return response
        body = b"".join([chunk async for chunk in response.body_iterator]).decode()  # type: ignore[attr-defined]
        choice = request.cookies.get("choice")
        if choice is None:
            body = body.replace("</body>", f"{self._banner}</body>")
        elif choice == "granted":
            body = body.replace("<head>", f"<head>{self._tags}")
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return Response(body, response.status_code, headers)
