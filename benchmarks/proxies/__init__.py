"""Proxy libraries for ASGI, put through what a gateway has to keep, refuse and survive."""
