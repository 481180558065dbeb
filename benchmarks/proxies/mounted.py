"""Each proxy library, mounted as its own documentation says, before the site that UPSTREAM names.

It runs in an environment of its own, made from requirements.txt, and imports nothing of consentgate.
"""

import contextlib
import os

UPSTREAM = os.environ["UPSTREAM"]


def asgiproxy():
    """Keep Host, which its own command line would replace."""
    from asgiproxy.config import BaseURLProxyConfigMixin, ProxyConfig
    from asgiproxy.context import ProxyContext
    from asgiproxy.simple_proxy import make_simple_proxy_app

    class Config(BaseURLProxyConfigMixin, ProxyConfig):
        upstream_base_url = UPSTREAM

    return make_simple_proxy_app(ProxyContext(Config()))


def asgi_proxy_lib():
    """Take it as it comes; it has no settings for what is looked at here."""
    from asgi_proxy import asgi_proxy

    return asgi_proxy(UPSTREAM)


def fastapi_proxy_lib():
    """Serve websockets beside everything else."""
    from fastapi import FastAPI
    from fastapi_proxy_lib.core.http import ReverseHttpProxy
    from fastapi_proxy_lib.core.websocket import ReverseWebSocketProxy
    from fastapi_proxy_lib.fastapi.router import RouterHelper

    helper = RouterHelper()
    sockets = helper.register_router(ReverseWebSocketProxy(base_url=UPSTREAM.replace("http", "ws", 1) + "/"))
    pages = helper.register_router(ReverseHttpProxy(base_url=UPSTREAM + "/"))
    app = FastAPI(lifespan=helper.get_lifespan(), openapi_url=None)
    app.include_router(sockets)
    app.include_router(pages)
    return app


def fastapi_reverse_proxy():
    """Keep Host and give it every method that a route can have."""
    from fastapi import FastAPI, Request, WebSocket
    from fastapi_reverse_proxy import Proxy, proxy_pass, proxy_pass_websocket

    @contextlib.asynccontextmanager
    async def lifespan(app):
        async with Proxy(app):
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]

    @app.api_route("/{path:path}", methods=methods)
    async def page(request: Request):
        return await proxy_pass(request, UPSTREAM, override_host=request.headers.get("host"))

    @app.websocket("/{path:path}")
    async def talk(websocket: WebSocket):
        await proxy_pass_websocket(websocket, UPSTREAM)

    return app
