"""The site in Flask, a WSGI framework, through a2wsgi."""

from __future__ import annotations

import time
from collections.abc import Iterator

from a2wsgi import WSGIMiddleware
from flask import Flask, Response, redirect, request
from flask.typing import ResponseReturnValue

from consentgate import ConsentMiddleware, consent_from
from tests.mounts.sites.shared import FILES, KEYS, PAGE, PAUSE, PIECES, STREAM_START, event, piece, policy

site = Flask(__name__, static_folder=str(FILES), static_url_path="/static")


@site.get("/page")
@site.get("/quiet/page")
def page() -> ResponseReturnValue:
    return PAGE


@site.get("/alone")
def alone() -> ResponseReturnValue:
    consent_from(request.environ["asgi.scope"]).leave_page_alone()
    return PAGE


@site.get("/stream")
def stream() -> ResponseReturnValue:
    def pieces() -> Iterator[str]:
        yield STREAM_START
        for number in range(PIECES):
            time.sleep(PAUSE)
            yield piece(number)

    return Response(pieces(), mimetype="text/html")


@site.get("/events")
def events() -> ResponseReturnValue:
    def pieces() -> Iterator[str]:
        for number in range(PIECES):
            time.sleep(PAUSE)
            yield event(number)

    return Response(pieces(), mimetype="text/event-stream")


@site.post("/sign-in")
def sign_in() -> ResponseReturnValue:
    response = redirect("/page", 303)
    response.set_cookie("session", "s3cr3t", httponly=True)
    response.set_cookie("campaign", "newsletter")
    response.set_cookie("pages_seen", "1")
    return response


@site.get("/cookies-seen")
def cookies() -> ResponseReturnValue:
    return dict(request.cookies)


@site.get("/consent")
def consent() -> ResponseReturnValue:
    time.sleep(PAUSE)
    return {"analytics": consent_from(request.environ["asgi.scope"]).allows("analytics"), "started": True}


@site.post("/length")
def length() -> ResponseReturnValue:
    return str(len(request.get_data()))


wsgi = WSGIMiddleware(site.wsgi_app)  # type: ignore[arg-type]  # they write the type of a WSGI environment differently
app = ConsentMiddleware(wsgi, policy, keys=KEYS)
