/* consentgate: saves the choice without reloading, starts and stops the services the server allows. */
(() => {
  "use strict";
  // Turbo Drive puts the next page into this one and runs its script too: the first run goes on, and asks what holds.
  if (window.consentgateRuns) return window.consentgateRuns();
  window.consentgateRuns = () => check();
  const me = document.currentScript;
  const { state: stateAddress, services, css, later, skip } = me.dataset;
  const running = {};
  const loaded = {};

  // gtag.js wants the `arguments` object itself in its queue.
  function gtag() {
    (window.dataLayer = window.dataLayer || []).push(arguments);
  }

  function queue(commands) {
    for (const [name, ...rest] of commands) name === "js" ? gtag(name, new Date()) : gtag(name, ...rest);
  }

  function start(plan) {
    const before = running[plan.id];
    running[plan.id] = plan;
    window[plan.disable] = false;
    if (!before) {
      window.gtag = window.gtag || gtag;
      queue(plan.start);
    } else if (before.off || JSON.stringify(before.update) !== JSON.stringify(plan.update)) queue(plan.update);
    load(plan);
  }

  // After the page itself, so that a service that never answers cannot hold up its load event.
  function load(plan) {
    if (document.readyState !== "complete") return addEventListener("load", () => load(plan));
    if (loaded[plan.id] || running[plan.id].off) return;
    loaded[plan.id] = true;
    const script = document.createElement("script");
    script.async = true;
    script.src = plan.src;
    if (me.nonce) script.nonce = me.nonce;
    document.head.append(script);
  }

  // Silence first, then tell, and only then let the server expire the cookies: else they would be written again.
  function stop(plan) {
    window[plan.disable] = true;
    if (plan.off) return false;
    plan.off = true;
    queue(plan.stop);
    return true;
  }

  // Returns whether something has just been stopped, or is still to be cleared by the server.
  function apply(state) {
    const allowed = state.services.map((plan) => plan.id);
    const stopped = Object.values(running).filter((plan) => !allowed.includes(plan.id) && stop(plan)).length;
    // Under a strict Content-Security-Policy the next page lets the service in, this one does not.
    if (later === undefined) state.services.forEach(start);
    for (const [area, pattern] of state.storage) sweep(area, new RegExp(pattern));
    const question = document.querySelector("#consentgate [data-consentgate-question]:not([hidden])");
    if (question && !state.undecided.length) question.closest("[data-consentgate]").remove();
    if (state.banner && !document.getElementById("consentgate")) show(state.banner);
    return stopped || state.clearing;
  }

  function sweep(area, pattern) {
    try {
      Object.keys(window[area]).filter((key) => pattern.test(key)).forEach((key) => window[area].removeItem(key));
    } catch {
      // Storage is switched off: nothing is kept there.
    }
  }

  // What this page knows may be old: everything is silent until the server has said what still holds.
  function check(turn = 0) {
    for (const plan of Object.values(running)) window[plan.disable] = true;
    const address = new URL(stateAddress, location.href);
    address.search = new URLSearchParams({ turn, ...(css && { back: location.pathname + location.search, lang: document.documentElement.lang }) });
    fetch(address, { cache: "no-store" })
      .then((answer) => answer.ok && answer.json())
      .then((state) => state && apply(state) && turn < 8 && check(turn + 1))
      .catch(() => {});
  }

  // Pages that are the same for every visitor get the question here, once its style is there.
  function show(banner) {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: css });
    if (me.nonce) style.nonce = me.nonce;
    style.onload = style.onerror = () => place(banner);
    document.head.append(style);
  }

  // First in the page, or after the skip links that it begins with, where the policy says so.
  function place(banner) {
    let next = document.querySelector("body > :not(script)");
    let link;
    while (skip !== undefined && next && next.matches("a[href^='#']")) [link, next] = [next, next.nextElementSibling];
    if (link) link.insertAdjacentHTML("afterend", banner);
    else document.body.insertAdjacentHTML("afterbegin", banner);
  }

  function confirm(form, outcome) {
    const banner = form.closest("[data-consentgate]");
    const message = banner.querySelector(`[data-consentgate-message="${outcome}"]`);
    if (!message) return banner.remove();
    form.hidden = banner.id === "consentgate";
    message.hidden = false;
    message.setAttribute("role", "alert");
    message.focus();
  }

  // The receipt on the cookies page tells what was chosen before.
  function renewReceipt() {
    const old = document.getElementById("consentgate-receipt");
    if (!old) return;
    fetch(location.href, { cache: "no-store" })
      .then((answer) => answer.text())
      .then((page) => old.replaceWith(new DOMParser().parseFromString(page, "text/html").getElementById(old.id)))
      .catch(() => old.remove());
  }

  function hide(banner) {
    banner.remove();
    document.body.tabIndex = -1;
    document.body.focus({ preventScroll: true });
    document.body.removeAttribute("tabindex");
  }

  function send(form, button) {
    const fields = new URLSearchParams(new FormData(form));
    fields.set(button.name, button.value);
    const refuses = (plan) => button.value === "reject_all" || fields.get(plan.category) === "no";
    Object.values(running).filter(refuses).forEach(stop);
    return fetch(form.action, { method: "POST", body: fields, headers: { Accept: "application/json" } })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer)))
      .then((state) => {
        confirm(form, state.outcome);
        renewReceipt();
        if (apply(state)) check(1);
        channel && channel.postMessage(state);
      });
  }

  addEventListener("submit", (event) => {
    const form = event.target;
    const button = event.submitter;
    if (!button || !button.name || !form.closest("[data-consentgate]")) return;
    event.preventDefault();
    if (button.name === "hide") return hide(form.closest("[data-consentgate]"));
    send(form, button).catch(() => {
      // Whatever went wrong, the plain form says it in words.
      const { name, value } = button;
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
      HTMLFormElement.prototype.submit.call(form);
    });
  });

  // A choice made in another tab, on another of the sites, or before this page came back out of the back/forward cache.
  let channel;
  const listen = () => {
    channel = window.BroadcastChannel && new BroadcastChannel("consentgate");
    if (channel) channel.onmessage = (event) => apply(event.data) && check(1);
  };
  addEventListener("pagehide", () => channel && channel.close());
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    listen();
    check();
  });
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && check());
  listen();
  JSON.parse(services || "[]").forEach(start);
  if (css && window === window.top) check();
})();
