"""Applications whose policy is not there, as Starlette and FastAPI mount it: made when the server starts them."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware

from consentgate import ConsentMiddleware
from tests.mounts.sites.shared import KEYS

in_starlette = Starlette()
in_starlette.add_middleware(GZipMiddleware)
in_starlette.add_middleware(ConsentMiddleware, policy="nowhere.toml", keys=KEYS)
in_starlette.add_middleware(GZipMiddleware)

in_fastapi = FastAPI()
in_fastapi.add_middleware(ConsentMiddleware, policy="nowhere.toml", keys=KEYS)
