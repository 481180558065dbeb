"""The contact form: read what was typed, say what is wrong with it, and keep it until it is right."""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

__all__ = ["FIELDS", "Draft", "Drafts", "form_token", "is_own_form", "problems_of", "read_form"]

FIELDS = ("name", "email", "topic", "message")
LONGEST_FORM = 64 * 1024  # bytes; a message of 2,000 characters in any script fits several times over
LONGEST_NAME = 100  # characters
LONGEST_EMAIL = 254  # RFC 5321 leaves room for 254 characters
LONGEST_MESSAGE = 2000  # characters
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
TOKEN = "form"  # its name in the session


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Hold what a visitor typed and what is wrong with it, by field."""

    typed: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


class Drafts:
    """Keep the newest drafts in memory, because a long message does not fit into a cookie."""

    def __init__(self, limit: int = 200) -> None:
        self._limit = limit
        self._drafts: OrderedDict[str, Draft] = OrderedDict()

    def keep(self, token: str, draft: Draft) -> None:
        """Keep a draft under the token of its form, and forget the oldest when there are too many."""
        self._drafts[token] = draft
        self._drafts.move_to_end(token)
        if len(self._drafts) > self._limit:
            self._drafts.popitem(last=False)

    def find(self, token: str) -> Draft:
        """Return the draft of a form, or an empty one."""
        return self._drafts.get(token, Draft())

    def forget(self, token: str) -> None:
        """Drop a draft that has been sent."""
        self._drafts.pop(token, None)


async def read_form(request: Request) -> dict[str, str]:
    """Read a urlencoded form of reasonable size; the last value of a repeated field wins."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            raise HTTPException(413)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise HTTPException(400) from error
    return {name: value.strip() for name, value in pairs}


def form_token(request: Request) -> str:
    """Return the visitor's form token, making one (and with it the session cookie) on first need."""
    token = request.session.get(TOKEN)
    if not isinstance(token, str):
        token = secrets.token_urlsafe(16)
        request.session[TOKEN] = token
    return token


def is_own_form(request: Request, sent: str) -> bool:
    """Tell whether the token that was sent is the one this visitor's form was given."""
    expected = request.session.get(TOKEN, "")
    return bool(expected) and secrets.compare_digest(str(expected).encode(), sent.encode())


def problems_of(typed: Mapping[str, str], topics: tuple[str, ...]) -> dict[str, str]:
    """Say what is wrong with each field, in words that tell how to put it right."""
    found = {
        "name": _name_problem(typed["name"]),
        "email": _email_problem(typed["email"]),
        "topic": "" if typed["topic"] in topics else "Choose what your message is about",
        "message": _message_problem(typed["message"]),
    }
    return {name: problem for name, problem in found.items() if problem}


def _name_problem(name: str) -> str:
    if not name:
        return "Enter your name"
    return "" if len(name) <= LONGEST_NAME else f"Your name must be {LONGEST_NAME} characters or fewer"


def _email_problem(email: str) -> str:
    if not email:
        return "Enter your email address"
    if len(email) > LONGEST_EMAIL or not EMAIL.fullmatch(email):
        return "Enter an email address in the correct format, like name@example.com"
    return ""


def _message_problem(message: str) -> str:
    if not message:
        return "Write your message"
    # Browsers send a line break as two characters; visitors count it as one.
    length = len(message.replace("\r\n", "\n"))
    if length > LONGEST_MESSAGE:
        return f"Your message must be {LONGEST_MESSAGE:,} characters or fewer"
    return ""
