"""Hold a site's own templates to what a visitor must find: render every state, and say what was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

from consentgate.errors import Problem
from consentgate.policy import ConsentPolicy
from consentgate.rendering import OUTAGES, Addresses, Place, Rendering, Sample
from consentgate.speech import Speech

__all__ = ["template_problems"]

_VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"))
_HIDING = frozenset(("hidden", "disabled", "inert"))
_PLACE = Place("", "", secure=True)


@dataclass(slots=True, eq=False)
class _Element:
    tag: str
    attributes: dict[str, str]
    parent: _Element | None = None
    words: str = ""
    inside: list[_Element] = field(default_factory=list)

    def all(self, tag: str = "", **attributes: str) -> list[_Element]:
        """List what is inside and has these attributes; `_` stands for `-` in a name."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        found = (each for each in self.inside if not tag or each.tag == tag)
        return [each for each in found if wanted.items() <= each.attributes.items()]

    @property
    def is_hidden(self) -> bool:
        """Whether it, or what it stands in, is out of reach."""
        own = not _HIDING.isdisjoint(self.attributes) or self.attributes.get("aria-hidden") == "true"
        return own or (self.parent is not None and self.parent.is_hidden)


class _Tree(HTMLParser):
    """Read markup into elements; each knows all that is inside it, however deep."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.root = _Element("", {})
        self._open = [self.root]
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = _Element(tag, {name: value or "" for name, value in attrs}, self._open[-1])
        for each in self._open:
            each.inside.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        for depth in range(len(self._open) - 1, 0, -1):
            if self._open[depth].tag == tag:
                del self._open[depth:]
                return

    def handle_data(self, data: str) -> None:
        for each in self._open:
            each.words += data


def template_problems(policy: ConsentPolicy) -> Iterator[Problem]:
    """Yield what a site's own templates lost; none when it has no templates.

    Args:
        policy: what visitors are asked.
    """
    if not policy.templates:
        return
    addresses = Addresses.at(_PLACE, policy)
    seen: set[Problem] = set()
    for sample in Rendering(policy, falls_back=False).samples(_PLACE):
        for remedy in _lost(sample, policy, addresses):
            problem = Problem(f"templates/{sample.template}", None, remedy)
            if problem not in seen:
                seen.add(problem)
                yield problem


def _lost(sample: Sample, policy: ConsentPolicy, addresses: Addresses) -> Iterator[str]:
    if sample.error:
        yield f"{sample.error}. Correct the template."
        return
    root = _Tree(sample.markup.decode("ascii")).root
    rules: dict[str, Callable[[_Element, ConsentPolicy, Addresses], Iterator[str]]] = {
        "banner.html": _banner,
        "confirmation.html": _confirmation,
        "message.html": _message,
        "page.html": _page,
        "receipt_section.html": _receipt_section,
        "receipt.html": _receipt,
        "error.html": _error,
        "embed.html": _embed,
        "outage.html": _outage,
    }
    yield from rules[sample.template](root, policy, addresses)


def _banner(root: _Element, policy: ConsentPolicy, addresses: Addresses) -> Iterator[str]:
    yield from _region(root)
    forms = _forms(root, addresses, question=True)
    if not forms:
        yield (
            "The form is gone. Keep <form method=post action={{ urls.choice }} data-consentgate-question>: it is how a "
            "visitor answers without scripts."
        )
        return
    form = forms[0]
    yield from _equal_buttons(form)
    yield from _hidden_fields(form, "banner")
    if not any(not link.is_hidden for link in root.all("a", href=addresses.page)):
        yield "The link to the cookies page is gone. Keep <a href={{ urls.page }}>."
    if any("data-consentgate-message" in each.attributes for each in root.inside):
        yield "It says that a choice is saved before one is. Take message.html out: it comes once there is a choice."


def _region(root: _Element) -> Iterator[str]:
    regions = root.all(id="consentgate", data_consentgate="")
    if len(regions) != 1:
        yield "Keep one <section id=consentgate data-consentgate> around it: script and style sheet find it by that."
        return
    region = regions[0]
    if region.tag != "section" and region.attributes.get("role") != "region":
        yield 'The region is gone. Make the outer element a <section>, or give it role="region".'
    if not (region.attributes.get("aria-label", "").strip() or region.attributes.get("aria-labelledby", "").strip()):
        yield "The region's label is gone, by which screen readers announce it. Keep aria-label."
    if not region.attributes.get("lang") or not region.attributes.get("dir"):
        yield "Keep lang={{ t.language }} and dir={{ t.direction }}: the page around it may be in another language."
    for each in (region, *region.inside):
        if each.tag in ("script", "style") or any(name == "style" or name[:2] == "on" for name in each.attributes):
            yield f"<{each.tag}> holds a script or style, which a Content-Security-Policy refuses. Take it out."


def _equal_buttons(form: _Element) -> Iterator[str]:
    found = {value: form.all("button", name="choice", value=value) for value in ("accept_all", "reject_all")}
    for value, buttons in found.items():
        word = value.partition("_")[0]
        if len(buttons) != 1:
            yield f"The {word} button is gone. Keep one <button type=submit name=choice value={value}>."
        elif buttons[0].is_hidden or not buttons[0].words.strip():
            yield f"The {word} button cannot be seen. Show it, with its words."
    if not all(len(buttons) == 1 for buttons in found.values()):
        return
    accept, reject = found["accept_all"][0], found["reject_all"][0]
    if _looks(accept) != _looks(reject) or accept.parent is not reject.parent:
        yield (
            "Accept and reject differ. Give both the same attributes, in the same place: neither may be louder than "
            "the other."
        )


def _looks(button: _Element) -> dict[str, str]:
    tags = " ".join(each.tag for each in button.inside)
    return {**button.attributes, "value": "", "inside": tags}


def _hidden_fields(form: _Element, source: str) -> Iterator[str]:
    for name in ("asked", "wording", "source", "back"):
        found = form.all("input", type="hidden", name=name)
        if len(found) != 1 or (name == "source" and found[0].attributes.get("value") != source):
            yield f"The hidden field {name} is gone. Keep it as it is in the built-in template."


def _confirmation(root: _Element, policy: ConsentPolicy, addresses: Addresses) -> Iterator[str]:
    yield from _region(root)
    yield from _message(root, policy, addresses)


def _message(root: _Element, policy: ConsentPolicy, addresses: Addresses) -> Iterator[str]:
    if not any("data-consentgate-message" in each.attributes for each in root.all(role="alert")):
        yield "Keep role=alert and data-consentgate-message on the message, so that it is announced."
    forms = _forms(root, addresses, question=False)
    if not any(form.all("button", name="hide", value="yes") for form in forms):
        yield "The button that hides the message is gone. Keep its form and <button name=hide value=yes>."
    if not root.all("a", href=addresses.page):
        yield "The link to the cookies page is gone. Keep <a href={{ urls.page }}>."


def _page(root: _Element, policy: ConsentPolicy, addresses: Addresses) -> Iterator[str]:
    if not any(each.attributes.get("lang") for each in root.all("html")):
        yield "Keep <html lang={{ t.language }} dir={{ t.direction }}>."
    for item in (item for category in policy.categories for item in policy.items_of(category)):
        if item.name not in root.words:
            yield f"{item.name} is not listed. Every cookie has to be named, with its purpose and how long it is kept."
    if policy.optional_categories:
        yield from _settings(root, policy, addresses)


def _settings(root: _Element, policy: ConsentPolicy, addresses: Addresses) -> Iterator[str]:
    forms = _forms(root, addresses, question=True)
    if not forms:
        yield "The form is gone. Keep <form method=post action={{ urls.choice }} data-consentgate-question>."
        return
    form = forms[0]
    yield from _hidden_fields(form, "page")
    if not form.all("button", name="choice", value="save"):
        yield "The save button is gone. Keep <button type=submit name=choice value=save>."
    if not any(each.all(data_consentgate_message="save") for each in root.all(data_consentgate="")):
        yield "Keep the element with data-consentgate around it, and in it the notice data-consentgate-message=save."
    for category in policy.optional_categories:
        answers = {
            each.attributes.get("value"): "checked" in each.attributes
            for each in form.all("input", type="radio", name=category.id)
        }
        if set(answers) != {"yes", "no"}:
            yield f"The answers yes and no to {category.id} are gone. Keep both radio buttons."
        elif answers["yes"] and category.needs_consent:
            yield f"The answer yes to {category.id} is chosen beforehand. Check it only where category.granted."


def _receipt_section(root: _Element, policy: ConsentPolicy, addresses: Addresses) -> Iterator[str]:
    sections = root.all(id="consentgate-receipt")
    if not sections:
        yield "Keep the element with id=consentgate-receipt: the script renews it when a choice is saved."
        return
    if not sections[0].all("a", href=addresses.receipt_file):
        yield "The link to the receipt's file is gone. Keep <a href={{ urls.receipt_file }}>."
    if not any(
        form.attributes.get("method", "").lower() == "post" for form in root.all("form", action=addresses.erase)
    ):
        yield "The form to erase a record is gone. Keep <form method=post action={{ urls.erase }}>."


def _receipt(root: _Element, policy: ConsentPolicy, addresses: Addresses) -> Iterator[str]:
    if "sample" not in root.words:
        yield "The receipt number is gone. Keep {% include 'receipt_facts.html' %}."
    if not root.all("a", href=addresses.page):
        yield "The link to the cookies page is gone. Keep <a href={{ urls.page }}>."


def _error(root: _Element, policy: ConsentPolicy, addresses: Addresses) -> Iterator[str]:
    if Rendering.SAMPLE_REASON not in root.words:
        yield "The reason is gone. Keep {{ reason }}."
    if not root.all("a", href=addresses.page):
        yield "The link to the cookies page is gone. Keep <a href={{ urls.page }}>."


def _embed(root: _Element, policy: ConsentPolicy, addresses: Addresses) -> Iterator[str]:
    if not any(each.attributes.get("lang") for each in root.all("html")):
        yield "Keep <html lang={{ t.language }} dir={{ t.direction }}>."
    if Rendering.SAMPLE_TITLE not in root.words:
        yield "Nothing says whose content waits. Keep {{ t('embed.of_service', title=title, provider=provider) }}."
    if not any(not link.is_hidden for link in root.all("a", href=Rendering.SAMPLE_ADDRESS)):
        yield "The link that loads it this once is gone. Keep <a href={{ address }}>."
    if not root.all("a", href=addresses.page, target="_top"):
        yield "The link to the cookies page is gone. Keep <a href={{ urls.page }} target=_top>."
    forms = [form for form in _forms(root, addresses, question=False) if form.attributes.get("target") == "_top"]
    if not forms:
        yield "The form is gone. Keep <form method=post action={{ urls.choice }} target=_top>."
        return
    form = forms[0]
    buttons = form.all("button", name="choice", value="save")
    if not any(not button.is_hidden and button.words.strip() for button in buttons):
        yield "The button is gone. Keep <button type=submit name=choice value=save>, with its words."
    for category in policy.optional_categories:
        if not form.all("input", type="hidden", name=category.id, value="yes"):
            yield "The hidden fields of the categories are gone. Keep the loop over categories."
            break
    for name in ("wording", "source", "back"):
        found = form.all("input", type="hidden", name=name)
        if len(found) != 1 or (name == "source" and found[0].attributes.get("value") != "embed"):
            yield f"The hidden field {name} is gone. Keep it as it is in the built-in template."


def _outage(root: _Element, policy: ConsentPolicy, addresses: Addresses) -> Iterator[str]:
    speech = Speech(policy, policy.language)
    if not any(speech.plain(f"outage.{cause}") in root.words for cause in OUTAGES):
        yield "The reason is gone. Keep {{ t('outage.' ~ cause) }}."
    if not root.all("a", href=addresses.page):
        yield "The link to the cookies page is gone. Keep <a href={{ urls.page }}>."


def _forms(root: _Element, addresses: Addresses, *, question: bool) -> list[_Element]:
    found = root.all("form", action=addresses.choice)
    return [
        form
        for form in found
        if form.attributes.get("method", "").lower() == "post"
        and ("data-consentgate-question" in form.attributes) is question
    ]
