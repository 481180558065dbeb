/* consentgate: saves the choice without reloading. What starts and stops services is in services.js, for when it is due. */
(() => {
  "use strict";
  // Turbo Drive puts the next page into this one and runs its script too: the first run goes on, and asks what holds.
  if (window.consentgateRuns) return window.consentgateRuns();
  window.consentgateRuns = () => check();
  const me = document.currentScript;
  const { state: stateAddress, services, css, more } = me.dataset;
  let runner = window.consentgateRunner?.(me);

  // Resolves when services can be started and stopped, or when it is clear that their script does not come.
  const fetchRunner = () =>
    new Promise((resolve) => {
      const script = document.createElement("script");
      script.onload = script.onerror = () => resolve((runner ||= window.consentgateRunner?.(me)));
      script.src = more;
      script.nonce = me.nonce;
      document.head.append(script);
    });

  // Asks once more when something has just been stopped, or is still to be cleared by the server.
  async function apply(state, turn = 0) {
    window.consentgateState?.(state);
    const question = document.querySelector("#consentgate [data-consentgate-question]");
    if (!state.undecided.length) question?.closest("[data-consentgate]").remove();
    for (const [area, pattern] of state.storage) sweep(area, new RegExp(pattern));
    const receipt = document.getElementById("consentgate-receipt");
    if (!runner && (state.services.length || state.banner || (receipt && state.outcome))) await fetchRunner();
    if (state.outcome && receipt) runner ? runner.renew(receipt) : receipt.remove();
    if ((runner?.apply(state) || state.clearing) && turn < 8) check(turn + 1);
  }

  function sweep(area, pattern) {
    try {
      for (const key of Object.keys(window[area])) if (pattern.test(key)) window[area].removeItem(key);
    } catch {
      // Storage is switched off: nothing is kept there.
    }
  }

  // What this page knows may be old: everything is silent until the server has said what still holds.
  function check(turn = 0) {
    runner?.silence();
    const asked = { turn, ...(css && { back: location.pathname + location.search, lang: document.documentElement.lang }) };
    fetch(stateAddress + "?" + new URLSearchParams(asked), { cache: "no-store" })
      .then((answer) => answer.ok && answer.json())
      .then((state) => state && apply(state, turn))
      .catch(() => {});
  }

  // The question gives way to the message that comes with the answer; the cookies page has its own.
  function confirm(form, markup) {
    const banner = form.closest("[data-consentgate]"); // none when the button was pressed twice
    if (markup) form.outerHTML = markup;
    const message = banner?.querySelector("[data-consentgate-message]");
    if (!message) return banner?.remove();
    message.hidden = false;
    message.setAttribute("role", "alert");
    message.focus();
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
    runner?.stop(refuses);
    return fetch(form.action, { method: "POST", body: fields, headers: { Accept: "application/json" } })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer)))
      .then((state) => {
        confirm(form, state.message);
        channel?.postMessage(state);
        return apply(state);
      });
  }

  let failed;
  addEventListener("submit", (event) => {
    const { target: form, submitter: button } = event;
    const banner = form.closest("[data-consentgate]");
    if (failed || !banner || !button?.name) return;
    event.preventDefault();
    event.stopPropagation();
    if (button.name === "hide") return hide(banner);
    send(form, button).catch(() => {
      // Whatever went wrong, the plain form says it in words.
      failed = true;
      button.click();
    });
  }, true);

  // A choice made in another tab, on another of the sites, or before this page came back out of the back/forward cache.
  let channel;
  const listen = () => {
    if (!window.BroadcastChannel) return;
    channel = new BroadcastChannel("consentgate");
    channel.onmessage = (event) => apply(event.data);
  };
  addEventListener("pagehide", () => channel?.close());
  addEventListener("pageshow", (event) => {
    if (event.persisted) listen(), check();
  });
  document.addEventListener("visibilitychange", () => document.hidden || check());
  listen();
  runner?.start(JSON.parse(services || "[]"));
  css && window === top && check();
})();
