/* consentgate: starts and stops the services the server allows, and what else few pages need. */
window.consentgateRunner = (me) => {
  "use strict";
  const { later, css, skip } = me.dataset;
  const running = {};
  const loaded = {};

  // gtag.js wants the `arguments` object itself in its queue.
  function gtag() {
    (window.dataLayer = window.dataLayer || []).push(arguments);
  }

  // How services take commands before their script has come, each under its own global name.
  const ways = {
    array: (name) => (...command) => (window[name] = window[name] || []).push(command),
    gtag: () => (command, ...rest) => {
      window.gtag = window.gtag || gtag;
      if (command === "gtm.start") window.dataLayer.push({ "gtm.start": Date.now(), event: "gtm.js" });
      else gtag(command, ...(command === "js" ? [new Date()] : rest));
    },
    function: (name) => (command, ...rest) => {
      const call = (window[name] = window[name] || collector("q"));
      if (command !== ".init") call(command, ...rest);
      else (call.init = call.init || ((options) => (call.o = options || {})))(...rest);
    },
    pixel: (name) => (...command) => {
      if (!window[name]) {
        const call = (window[name] = window._fbq = collector("queue"));
        Object.assign(call, { push: call, loaded: true, version: "2.0" });
      }
      window[name](...command);
    },
  };

  function collector(kept) {
    const call = function () {
      call.callMethod ? call.callMethod(...arguments) : call[kept].push(arguments);
    };
    call[kept] = [];
    return call;
  }

  function tell({ src, queue, style }, commands = []) {
    if (!src && !window[queue]) return; // a service that pages bring themselves, and this one does not
    const say = ways[style](queue);
    for (const command of commands) say(...command);
  }

  function start(plan) {
    const before = running[plan.id];
    running[plan.id] = plan;
    mute(plan, false);
    if (!before) tell(plan, plan.start);
    else if (before.off || JSON.stringify(before.update) !== JSON.stringify(plan.update)) tell(plan, plan.update);
    load(plan);
  }

  // After the page itself, so that a service that never answers cannot hold up its load event.
  function load({ id, src, attributes }) {
    if (!src || loaded[id]) return;
    if (document.readyState !== "complete") return addEventListener("load", () => load({ id, src, attributes }));
    if (running[id].off) return;
    loaded[id] = true;
    const script = document.createElement("script");
    for (const [name, value] of Object.entries(attributes || {})) script.setAttribute(name, value);
    script.async = true;
    script.src = src;
    if (me.nonce) script.nonce = me.nonce;
    document.head.append(script);
  }

  function mute({ disable }, isMuted) {
    if (disable) window[disable] = isMuted;
  }

  // Silence first, then tell, and only then let the server expire the cookies: else they would be written again.
  function stop(plan) {
    mute(plan, true);
    if (plan.off) return false;
    plan.off = true;
    tell(plan, plan.stop);
    return true;
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

  // The receipt on the cookies page tells what was chosen before.
  function renew(old) {
    fetch(location.href, { cache: "no-store" })
      .then((answer) => answer.text())
      .then((page) => old.replaceWith(new DOMParser().parseFromString(page, "text/html").getElementById(old.id)))
      .catch(() => old.remove());
  }

  return {
    renew,
    // Returns whether something has just been stopped.
    apply(state) {
      const allowed = state.services.map((plan) => plan.id);
      const stopped = Object.values(running).filter((plan) => !allowed.includes(plan.id) && stop(plan)).length;
      // Under a strict Content-Security-Policy the next page lets in what we would load, this one does not.
      state.services.filter(({ src }) => later === undefined || !src).forEach(start);
      if (state.banner && !document.getElementById("consentgate")) show(state.banner);
      return stopped;
    },
    silence() {
      for (const plan of Object.values(running)) mute(plan, true);
    },
    start: (plans) => plans.forEach(start),
    stop: (unwanted) => Object.values(running).filter(unwanted).forEach(stop),
  };
};
