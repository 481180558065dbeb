/* consentgate: brings held-back tags to life, and is window.consentgate. */
(() => {
  "use strict";
  if (document.body && document.body.matches(".consentgate-embed")) return standIn();
  if (window.consentgate && window.consentgate.onChange) return; // else it is the banner, which has this id
  const me = document.currentScript;
  const { page, granted, skip, later } = me.dataset;
  const PREFIX = "data-consent-";
  const known = (granted, isDecided) => Object.freeze({ granted: Object.freeze([...granted]), isDecided });
  let state = granted === undefined ? null : known(granted.split(" "), !question());
  let banner;
  let home = "";
  let chain = Promise.resolve();

  function question() {
    const form = document.querySelector("#consentgate [data-consentgate-question]:not([hidden])");
    return form && form.closest("[data-consentgate]");
  }

  function allows(...categories) {
    return state !== null && categories.every((category) => state.granted.includes(category));
  }

  const isAllowed = (element) => allows(...element.dataset.consent.trim().split(/\s+/));
  const isScript = (element) => element.localName === "script";
  const kept = (element) => element.getAttributeNames().filter((name) => name.startsWith(PREFIX));

  // Scripts run in the page's order, as if they came only now: one that was neither async nor deferred holds up the next.
  function run(scripts) {
    const waits = (script) => script.hasAttribute("src") && script.hasAttribute("defer");
    const isModule = (script) => script.getAttribute("data-consent-type") === "module";
    const isLate = (script) => waits(script) || isModule(script);
    const isAsync = (script) => script.hasAttribute("async") && (script.hasAttribute("src") || isModule(script));
    scripts.filter(isAsync).forEach(wake);
    const inOrder = scripts.filter((script) => !isAsync(script));
    for (const script of [...inOrder.filter((one) => !isLate(one)), ...inOrder.filter(isLate)])
      chain = chain.then(() => wake(script));
  }

  function wake(old) {
    if (!old.isConnected || old.getAttribute("type") !== "text/plain" || !isAllowed(old)) return undefined;
    const script = document.createElement("script");
    for (const { name, value } of old.attributes) {
      if (name === "data-consent-type") script.setAttribute("type", value);
      else if (name !== "type" && name !== "data-consent") script.setAttribute(name, value);
    }
    script.nonce = old.nonce || me.nonce;
    script.async = old.hasAttribute("async");
    script.text = old.text;
    if (script.src)
      return new Promise((done) => {
        script.onload = script.onerror = done;
        old.replaceWith(script);
      });
    // The page is complete: what a script writes would take the page's place.
    const write = (...markup) => script.after(document.createRange().createContextualFragment(markup.join("")));
    Object.assign(document, { write, writeln: write });
    old.replaceWith(script);
    delete document.write;
    delete document.writeln;
    return undefined;
  }

  function show(element) {
    if (element.localName === "iframe" && /[?&]later=1&/.test(element.src)) return; // the page's policy has no room for it
    const isPlaying = element.localName === "iframe" && element.src && element.contentDocument === null;
    for (const name of kept(element)) {
      if (!isPlaying) element.setAttribute(name.slice(PREFIX.length), element.getAttribute(name));
      element.removeAttribute(name);
    }
  }

  function hold(frame) {
    const address = frame.getAttribute("data-src") || frame.getAttribute("src");
    if (!address || frame.hasAttribute("data-consent-src")) return;
    frame.setAttribute("data-consent-src", address);
    frame.removeAttribute("data-src");
    if (!frame.title) frame.title = new URL(address, location.href).hostname;
    const late = later === undefined ? "" : "later=1&";
    frame.src = `${page}/embed?${late}for=${encodeURIComponent(frame.dataset.consent)}&src=${encodeURIComponent(address)}`;
  }

  function sift(root) {
    if (!state) return;
    const marked = [...(root.matches && root.matches("[data-consent]") ? [root] : []), ...root.querySelectorAll("[data-consent]")];
    run(marked.filter((one) => isScript(one) && one.getAttribute("type") === "text/plain" && isAllowed(one)));
    for (const one of marked.filter((one) => !isScript(one))) {
      if (!isAllowed(one)) one.localName === "iframe" && hold(one);
      else {
        if (one.hasAttribute("data-src")) one.setAttribute("data-consent-src", one.getAttribute("data-src"));
        one.removeAttribute("data-src");
        show(one);
      }
    }
  }

  // By an event, so that a listener of the site that fails cannot stop a choice from being saved.
  window.consentgateState = (detail) => dispatchEvent(new CustomEvent("consentgate", { detail }));
  addEventListener("consentgate", ({ detail: { granted: now, undecided } }) => {
    const before = JSON.stringify(state);
    state = known(now, !undecided.length);
    if (JSON.stringify(state) === before) return;
    sift(document);
    document.dispatchEvent(new CustomEvent("consentgate:change", { detail: state }));
  });

  window.consentgate = {
    get state() {
      return state;
    },
    allows: (category) => allows(category),
    open() {
      const asked = question();
      if (!asked) return location.assign(page);
      asked.scrollIntoView({ block: "nearest" });
      asked.tabIndex = -1; // no button is put forward
      return asked.focus();
    },
    onChange(listener) {
      const hear = ({ detail }) => listener(detail);
      document.addEventListener("consentgate:change", hear);
      return () => document.removeEventListener("consentgate:change", hear);
    },
  };

  // Pages that change without being loaded anew: what comes in is sifted, and a question nobody answered stays.
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
      for (const node of addedNodes) if (node.nodeType === 1 && node.isConnected) sift(node);
    remember();
    if (banner && state && !state.isDecided && document.body && !document.getElementById("consentgate")) putBack();
  }).observe(document.documentElement, { childList: true, subtree: true });

  function remember() {
    const asked = question();
    if (!asked) return;
    banner = asked;
    home = asked.parentElement === document.body ? "" : asked.parentElement.id;
  }

  // To the site's own place for it, should that be there; else to where the policy says.
  function putBack() {
    const place = home && document.getElementById(home);
    if (place) return place.prepend(banner);
    let next = document.querySelector("body > :not(script)");
    let link;
    while (skip !== undefined && next && next.matches("a[href^='#']")) [link, next] = [next, next.nextElementSibling];
    return link ? link.after(banner) : document.body.prepend(banner);
  }

  remember();
  sift(document);
  document.dispatchEvent(new CustomEvent("consentgate:ready", { detail: state }));

  // Within a frame whose content waits: agreeing tells the pages around it, and brings the content here.
  function standIn() {
    addEventListener("submit", (event) => {
      const { target: form, submitter } = event;
      event.preventDefault();
      const body = new URLSearchParams(new FormData(form));
      body.set(submitter.name, submitter.value);
      fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } })
        .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer)))
        .then((answer) => {
          if (window.BroadcastChannel) new BroadcastChannel("consentgate").postMessage(answer);
          location.reload();
        })
        .catch(() => {
          const { name, value } = submitter;
          form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
          HTMLFormElement.prototype.submit.call(form);
        });
    });
  }
})();
