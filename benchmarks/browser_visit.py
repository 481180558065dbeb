"""One visit of a page in Chromium, on a phone four times as slow, measured over the DevTools protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, CDPSession

__all__ = ["Loaded", "Visit", "Visitor", "visitor"]

PHONE: dict[str, Any] = {
    "viewport": {"width": 412, "height": 823},
    "device_scale_factor": 1.75,
    "is_mobile": True,
    "has_touch": False,
}
SLOWER = 4  # times, as Lighthouse does it
QUIET = 800  # ms without anything happening, after which a page has settled
PATIENCE = 60_000  # ms

# What the browser itself measures, kept until it is asked for. It runs in every page alike, bare ones included.
OBSERVE = """(() => {
    const seen = window.__seen =
        { fcp: 0, lcp: 0, lcpElement: "", lcpIsBanner: false, cls: 0, longTasks: 0, events: [] };
    const named = one => one.id ? "#" + one.id : one.className ? "." + one.className : "";
    const name = one => one ? one.localName + named(one) : "gone";
    const observe = (type, note, more) =>
        new PerformanceObserver(list => list.getEntries().forEach(note)).observe({ type, buffered: true, ...more });
    observe("paint", one => { if (one.name === "first-contentful-paint") seen.fcp = one.startTime; });
    observe("largest-contentful-paint", one => {
        seen.lcp = one.startTime;
        seen.lcpElement = name(one.element);
        seen.lcpIsBanner = Boolean(one.element && one.element.closest(BANNER));
    });
    observe("layout-shift", one => { if (!one.hadRecentInput) seen.cls += one.value; });
    observe("longtask", () => seen.longTasks++);
    observe("event", one => { if (one.interactionId) seen.events.push(one.duration); }, { durationThreshold: 16 });
})();"""

# Looks at every frame, which costs a little: only in visits whose script time is not counted. There is no frame before
# the page's style sheets are there, so that the first one with something in the page is the first that shows it.
WATCH = """(() => {
    const isSeen = one => {
        const box = one.getBoundingClientRect();
        if (!box.width || !box.height || box.bottom <= 0 || box.top >= innerHeight) return false;
        if (getComputedStyle(one).visibility !== "visible") return false;
        let opacity = 1;
        for (let each = one; each; each = each.parentElement) opacity *= getComputedStyle(each).opacity;
        return opacity >= 0.5;
    };
    const look = frame => {
        const banner = document.querySelector(BANNER);
        if (document.body && document.body.firstElementChild) window.__firstAt ??= frame;
        if (banner && isSeen(banner)) window.__bannerAt = frame;
        else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
})();"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Hold what loading a page took.

    Args:
        requests: how many were made to the site, those answered by the browser's own cache included.
        wire_bytes: of all bodies, as they came over the wire.
        script_ms: for which scripts ran, on the slowed processor.
        task_ms: for which the main thread was busy.
        fcp_ms: from the start until something was painted.
        lcp_ms: until the largest thing was.
        lcp_element: which that was.
        lcp_is_banner: whether it stands in the banner.
        cls: how far things moved (Cumulative Layout Shift).
        long_tasks: how many took more than 50 ms.
        markup: the body of the page.
    """

    requests: int
    wire_bytes: int
    script_ms: float
    task_ms: float
    fcp_ms: float
    lcp_ms: float
    lcp_element: str
    lcp_is_banner: bool
    cls: float
    long_tasks: int
    markup: str


@dataclass  # without slots: Playwright notes on an object what it calls there
class _Wire:
    """Count what goes over the wire, to one host."""

    host: str | None
    requests: int = 0
    wire_bytes: int = 0
    document: str = ""
    _headers: dict[str, int] = field(default_factory=dict)

    def listen(self, session: CDPSession) -> None:
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.responseReceived", self._answered)
        session.on("Network.loadingFinished", self._finished)

    def _sent(self, event: dict[str, Any]) -> None:
        if urlsplit(event["request"]["url"]).hostname == self.host:
            self.requests += 1
            self.document = event["requestId"] if event.get("type") == "Document" else self.document

    def _answered(self, event: dict[str, Any]) -> None:
        self._headers[event["requestId"]] = int(event["response"]["encodedDataLength"])

    def _finished(self, event: dict[str, Any]) -> None:
        body = int(event["encodedDataLength"]) - self._headers.get(event["requestId"], 0)
        self.wire_bytes += max(0, body)


class Visit:
    """Load one page in a tab of its own.

    Args:
        context: the visitor's profile.
        address: of the page.
        banner: a selector of what asks, empty where nothing does.
        watches: whether to look for the banner in every frame.
    """

    def __init__(self, context: BrowserContext, address: str, banner: str, *, watches: bool = False) -> None:
        self._page = context.new_page()
        self._page.set_default_timeout(PATIENCE)
        self._session = context.new_cdp_session(self._page)
        selector = f"const BANNER = {banner or 'no-banner'!r};"  # so that bare pages are looked at in the same way
        self._page.add_init_script(f"{{ {selector} {OBSERVE} {WATCH if watches and banner else ''} }}")
        self._page.goto(f"{address.rpartition('/')[0]}/blank")
        self._session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._session.send("Network.enable")
        self._wire = _Wire(urlsplit(address).hostname)
        self._wire.listen(self._session)
        self._before = self._metrics()
        self._page.goto(address, wait_until="load")

    def loaded(self) -> Loaded:
        """Wait until nothing happens any more, and return what that took.

        Nothing is asked of the page before: a script that looked for the banner would be counted with the page's.
        """
        self._page.wait_for_load_state("networkidle")
        self._page.wait_for_timeout(QUIET)
        after, seen = self._metrics(), self._page.evaluate("() => window.__seen")
        markup = self._session.send("Network.getResponseBody", {"requestId": self._wire.document})["body"]
        return Loaded(
            requests=self._wire.requests,
            wire_bytes=self._wire.wire_bytes,
            script_ms=1_000 * (after["ScriptDuration"] - self._before["ScriptDuration"]),
            task_ms=1_000 * (_busy(after) - _busy(self._before)),
            fcp_ms=seen["fcp"],
            lcp_ms=seen["lcp"],
            lcp_element=seen["lcpElement"],
            lcp_is_banner=seen["lcpIsBanner"],
            cls=seen["cls"],
            long_tasks=seen["longTasks"],
            markup=markup,
        )

    def banner_after_first_paint(self) -> float:
        """Return how many ms after the first frame with something of the page there was one with the banner."""
        self._page.wait_for_function("() => window.__bannerAt !== undefined")
        return float(self._page.evaluate("() => window.__bannerAt - window.__firstAt"))

    def click(self, button: str) -> float:
        """Press a button with a mouse and return how many ms the next paint took, as INP counts it.

        The browser reports no interaction below 16 ms: then 16 is returned.
        """
        self._page.evaluate("() => { window.__seen.events.length = 0 }")
        box = self._page.locator(button).bounding_box()
        assert box is not None, button
        self._page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self._page.wait_for_timeout(QUIET)
        self._page.wait_for_load_state("networkidle")
        return float(self._page.evaluate("() => Math.max(16, ...window.__seen.events)"))

    def close(self) -> None:
        """Close the tab."""
        self._page.close()

    def _metrics(self) -> dict[str, float]:
        return {one["name"]: one["value"] for one in self._session.send("Performance.getMetrics")["metrics"]}


def _busy(metrics: dict[str, float]) -> float:
    return metrics["TaskDuration"] - metrics["DevToolsCommandDuration"]


class Visitor:
    """Come to a site for the first time, and again.

    Args:
        context: a fresh profile.
        address: of the page.
        banner: a selector of what asks there.
    """

    def __init__(self, context: BrowserContext, address: str, banner: str) -> None:
        self._context = context
        self._address = address
        self._banner = banner

    @contextmanager
    def visit(self, *, watches: bool = False) -> Iterator[Visit]:
        """Open the page in a tab that is closed at the end of the block."""
        visit = Visit(self._context, self._address, self._banner, watches=watches)
        try:
            yield visit
        finally:
            visit.close()


@contextmanager
def visitor(browser: Browser, address: str, banner: str) -> Iterator[Visitor]:
    """Make a visitor with a fresh profile, who is gone at the end of the block."""
    context = browser.new_context(**PHONE)
    try:
        yield Visitor(context, address, banner)
    finally:
        context.close()
