"""The site's own colours: check that everybody can read them, and write them as CSS custom properties."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Literal

from consentgate.errors import Problem

__all__ = ["PAIRS", "TOKENS", "Colours", "Scheme", "Theme", "contrast"]

Scheme = Literal["auto", "light", "dark"]

_LIGHT = {
    "background": "#f3f4f6",
    "text": "#16181d",
    "link": "#1d4f91",
    "border": "#5b6270",
    "button": "#16181d",
    "button_text": "#ffffff",
    "focus": "#a83200",
    "success": "#00703c",
}
_DARK = {
    "background": "#1c1f26",
    "text": "#f1f3f6",
    "link": "#9cc4ff",
    "border": "#98a1b0",
    "button": "#f1f3f6",
    "button_text": "#16181d",
    "focus": "#ffb454",
    "success": "#5fd39a",
}
TOKENS: Mapping[str, Mapping[str, str]] = {"light": _LIGHT, "dark": _DARK}
"""The built-in colours."""

# WCAG 2.2: 4.5:1 for text (1.4.3), 3:1 for what shows where a control is and what state it is in (1.4.11).
PAIRS = (
    ("text", "background", 4.5),
    ("link", "background", 4.5),
    ("button_text", "button", 4.5),
    ("button", "background", 3.0),
    ("border", "background", 3.0),
    ("focus", "background", 3.0),
    ("success", "background", 3.0),
)
"""What has to be told apart from what, and by which contrast."""

_COLOUR = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_FAMILY = r"""(?:[A-Za-z0-9 -]{1,60}|"[A-Za-z0-9 -]{1,60}"|'[A-Za-z0-9 -]{1,60}')"""
_FONT = re.compile(rf"{_FAMILY}(?:, *{_FAMILY}){{0,15}}")
_LENGTH = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?(px|rem|em)")
_SIZE = re.compile(rf"medium|{_LENGTH.pattern}")
_SHARED = {"font": "system-ui,sans-serif", "width": "60em", "radius": "4px", "size": "medium"}
# Sites switch by an attribute or a class of <html>; the second attribute is Bootstrap's, the classes are Tailwind's.
_SWITCH = "[data-theme={0}],[data-bs-theme={0}],.{0}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """Name the colours of one scheme, each as `#rgb` or `#rrggbb`; one left out is the built-in one.

    Accept and reject share one button: there is no colour that could make one of them louder.

    Args:
        background: behind the banner, and behind the cookies page.
        text: of the words.
        link: of links.
        border: of the banner's edge and of the lines in tables.
        button: of every button, on the background.
        button_text: of the words on a button.
        focus: of the ring around what has the keyboard's focus.
        success: of the frame that says a choice is saved.
    """

    background: str = ""
    text: str = ""
    link: str = ""
    border: str = ""
    button: str = ""
    button_text: str = ""
    focus: str = ""
    success: str = ""

    def over(self, others: Mapping[str, str]) -> dict[str, str]:
        """Return all colours, those left out taken from others."""
        return {field.name: getattr(self, field.name) or others[field.name] for field in fields(self)}

    def problems(self, place: str) -> Iterator[Problem]:
        """Yield the colours that are none."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value and not _COLOUR.fullmatch(value):
                yield Problem(f"{place}.{field.name}", value, "Write the colour as #rrggbb, for example #1d4f91.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Give banner and cookies page the look of a site.

    Args:
        light: the colours on light pages.
        dark: the colours on dark pages.
        scheme: `auto` follows the visitor's setting and the site's own switch; `light` or `dark` for a site that has
            only one.
        font: the font families, as in CSS; nothing is loaded for them.
        width: how wide the text runs at most, for example `60em`.
        radius: how round a button's corners are, for example `4px`.
        size: of the text: `medium` is the size visitors set in their browser; `1rem` follows the root of the page.
    """

    light: Colours = Colours()
    dark: Colours = Colours()
    scheme: Scheme = "auto"
    font: str = ""
    width: str = ""
    radius: str = ""
    size: str = ""

    def colours(self, scheme: str) -> dict[str, str]:
        """Return all colours of `light` or `dark`."""
        chosen: Colours = getattr(self, scheme)
        return chosen.over(TOKENS[scheme])

    @property
    def schemes(self) -> tuple[str, ...]:
        """The schemes that it can be seen in."""
        return ("light", "dark") if self.scheme == "auto" else (self.scheme,)

    def over(self, other: Theme) -> Theme:
        """Return this theme with what it leaves out taken from another."""
        return Theme(
            light=Colours(**self.light.over(_values(other.light))),
            dark=Colours(**self.dark.over(_values(other.dark))),
            scheme=other.scheme if self.scheme == "auto" else self.scheme,
            **{name: getattr(self, name) or getattr(other, name) for name in _SHARED},
        )

    def problems(self, place: str) -> Iterator[Problem]:
        """Yield every colour that is none and every pair that cannot be told apart."""
        shapes = {"font": _FONT, "width": _LENGTH, "radius": _LENGTH, "size": _SIZE}
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value and not shape.fullmatch(value):
                yield Problem(f"{place}.{name}", value, f"Write it as in CSS, for example {_SHARED[name]}.")
        for scheme in ("light", "dark"):
            colours: Colours = getattr(self, scheme)
            malformed = tuple(colours.problems(f"{place}.{scheme}"))
            yield from malformed
            if not malformed and scheme in self.schemes:
                yield from _unreadable(f"{place}.{scheme}", self.colours(scheme))

    def css(self, *, without: Collection[str] = ()) -> str:
        """Write it as custom properties that give way to whatever the site sets on `:root` itself.

        Args:
            without: names of colours that a style sheet has no use for.
        """
        first, *other = self.schemes
        shared = "".join(f"--consentgate-{name}:{getattr(self, name) or value};" for name, value in _SHARED.items())
        rules = f":where(:root){{{shared}{self._properties(first, without)}}}"
        if not other:
            return rules
        dark = self._properties("dark", without)
        unless, when = _SWITCH.format("light"), _SWITCH.format("dark")
        return (
            f"{rules}@media (prefers-color-scheme:dark){{:where(:root:not({unless})){{{dark}}}}}"
            f":where(:root:is({when})){{{dark}}}"
        )

    def _properties(self, scheme: str, without: Collection[str]) -> str:
        colours = self.colours(scheme).items()
        named = (
            f"--consentgate-{name.replace('_', '-')}:{_short(value)}" for name, value in colours if name not in without
        )
        return ";".join((f"--consentgate-scheme:{scheme}", *named))


def _values(colours: Colours) -> dict[str, str]:
    return {field.name: getattr(colours, field.name) for field in fields(colours)}


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _unreadable(place: str, colours: Mapping[str, str]) -> Iterator[Problem]:
    for name, ground, least in PAIRS:
        found = contrast(colours[name], colours[ground])
        if found < least:
            # Rounded down: 4.499 is not 4.5.
            said = f"{int(found * 100) / 100:.2f}:1 on {ground} {colours[ground]}"
            yield Problem(f"{place}.{name}", colours[name], f"It has {said}. Make it {least:g}:1 or more.")


def _luminance(colour: str) -> float:
    """Return how light a colour is, from 0 to 1 (WCAG 2.2, "relative luminance")."""
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    channels = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _short(colour: str) -> str:
    """Write `#ffffff` as `#fff`."""
    pairs = [colour[at : at + 2] for at in (1, 3, 5)]
    return "#" + "".join(pair[0] for pair in pairs) if all(pair == 2 * pair[:1] for pair in pairs) else colour
