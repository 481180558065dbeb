/* consentgate: saves the choice without reloading. What starts and stops services is in services.js, for when it is due. */
(() => {
  "use strict";
  // Turbo Drive puts the next page into this one and runs its script too: the first run goes on, and asks what holds.
  if (window.consentgateRuns) return window.consentgateRuns();
  window.consentgateRuns = () => check();
  const me = document.currentScript;
  const { state: stateAddress, services, css, more } = me.dataset;
  let runner = window.consentgateRunner && consentgateRunner(me);

  // Resolves when services can be started and stopped, or when it is clear that their script does not come.
  const fetchRunner = () =>
    new Promise((resolve) => {
      const script = Object.assign(document.createElement("script"), { src: more, onerror: () => resolve() });
      script.onload = () => resolve((runner = runner || consentgateRunner(me)));
      if (me.nonce) script.nonce = me.nonce;
      document.head.append(script);
    });

  // Resolves to whether something has just been stopped, or is still to be cleared by the server.
  async function apply(state) {
    window.consentgateState && consentgateState(state);
    const question = document.querySelector("#consentgate [data-consentgate-question]:not([hidden])");
    if (question && !state.undecided.length) question.closest("[data-consentgate]").remove();
    for (const [area, pattern] of state.storage) sweep(area, new RegExp(pattern));
    const receipt = document.getElementById("consentgate-receipt");
    if (!runner && (state.services.length || state.banner || (receipt && state.outcome))) await fetchRunner();
    if (state.outcome && receipt) runner ? runner.renew(receipt) : receipt.remove();
    return (runner && runner.apply(state)) || state.clearing;
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
    runner && runner.silence();
    const address = new URL(stateAddress, location.href);
    address.search = new URLSearchParams({ turn, ...(css && { back: location.pathname + location.search, lang: document.documentElement.lang }) });
    fetch(address, { cache: "no-store" })
      .then((answer) => answer.ok && answer.json())
      .then((state) => state && apply(state))
      .then((again) => again && turn < 8 && check(turn + 1))
      .catch(() => {});
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
    if (runner) runner.stop(refuses);
    return fetch(form.action, { method: "POST", body: fields, headers: { Accept: "application/json" } })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer)))
      .then((state) => {
        confirm(form, state.outcome);
        channel && channel.postMessage(state);
        return apply(state);
      })
      .then((again) => again && check(1));
  }

  addEventListener("submit", (event) => {
    const { target: form, submitter: button } = event;
    if (!button || !button.name || !form.closest("[data-consentgate]")) return;
    event.preventDefault();
    event.stopPropagation();
    if (button.name === "hide") return hide(form.closest("[data-consentgate]"));
    send(form, button).catch(() => {
      // Whatever went wrong, the plain form says it in words.
      const { name, value } = button;
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
      HTMLFormElement.prototype.submit.call(form);
    });
  }, true);

  // A choice made in another tab, on another of the sites, or before this page came back out of the back/forward cache.
  let channel;
  const listen = () => {
    channel = window.BroadcastChannel && new BroadcastChannel("consentgate");
    if (channel) channel.onmessage = (event) => apply(event.data).then((again) => again && check(1));
  };
  addEventListener("pagehide", () => channel && channel.close());
  addEventListener("pageshow", (event) => {
    if (event.persisted) listen(), check();
  });
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && check());
  listen();
  if (runner) runner.start(JSON.parse(services || "[]"));
  css && window === window.top && check();
})();
