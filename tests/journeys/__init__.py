"""Journeys of visitors in a real browser, through a real server."""
