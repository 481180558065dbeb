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
      // Under a strict Content-Security-Policy the next page lets the service in, this one does not.
      if (later === undefined) state.services.forEach(start);
      if (state.banner && !document.getElementById("consentgate")) show(state.banner);
      return stopped;
    },
    silence() {
      for (const plan of Object.values(running)) window[plan.disable] = true;
    },
    start: (plans) => plans.forEach(start),
    stop: (unwanted) => Object.values(running).filter(unwanted).forEach(stop),
  };
};
