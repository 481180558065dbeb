/*
 * A stand-in for Google's tag, written for this demo. It shares no code with the real one; it follows what Google
 * documents about consent: the data layer, consent mode, ga-disable, the cookies and their settings, and the hits.
 * Like the real tag it sends cookieless pings while consent is denied, so that a site that loads it too early shows.
 */
(function () {
  "use strict";

  var scriptOrigin = new URL(document.currentScript.src).origin;
  var loadedAt = Date.now();
  var visibleSince = loadedAt;
  var consent = {}; // signal -> "granted" or "denied"; a signal nobody mentioned counts as granted
  var shared = {}; // gtag("set", …)
  var tags = []; // one for each gtag("config", id)

  function isGranted(signal) {
    return consent[signal] !== "denied";
  }

  function isDisabled(tag) {
    return window["ga-disable-" + tag.id] === true;
  }

  function consentCode() {
    return "G1" + ["ad_storage", "analytics_storage"].map(function (signal) {
      if (!(signal in consent)) return "-";
      return isGranted(signal) ? "1" : "0";
    }).join("");
  }

  /* Cookies */

  function readCookie(name) {
    var found = document.cookie.split("; ").find(function (pair) { return pair.startsWith(name + "="); });
    return found && found.slice(name.length + 1);
  }

  function cookieText(tag, name, value, domain) {
    var seconds = tag.settings.cookie_expires;
    if (seconds === undefined) seconds = 63072000; // two years
    var text = name + "=" + value + ";path=" + (tag.settings.cookie_path || "/");
    if (domain) text += ";domain=" + domain;
    if (Number(seconds) > 0) text += ";max-age=" + Number(seconds);
    if (tag.settings.cookie_flags) text += ";" + tag.settings.cookie_flags;
    return text;
  }

  /* From the shortest parent with two labels down to the host itself: "auto" is the highest level that takes it. */
  function domainsFor(tag) {
    var wanted = tag.settings.cookie_domain || "auto";
    if (wanted === "none") return [""];
    if (wanted !== "auto") return [wanted];
    var labels = location.hostname.split(".");
    var domains = [];
    for (var count = 2; count <= labels.length; count++) domains.push(labels.slice(-count).join("."));
    return domains.concat("");
  }

  function writeCookie(tag, name, value) {
    if (tag.domain !== undefined) {
      document.cookie = cookieText(tag, name, value, tag.domain);
      return;
    }
    domainsFor(tag).some(function (domain) {
      document.cookie = cookieText(tag, name, value, domain);
      if (readCookie(name) !== value) return false;
      tag.domain = domain;
      return true;
    });
  }

  function cookieName(tag, name) {
    return (tag.settings.cookie_prefix || "") + name;
  }

  function randomNumber() {
    return Math.floor(Math.random() * 2147483647);
  }

  function seconds(milliseconds) {
    return Math.floor(milliseconds / 1000);
  }

  /* Give the visitor a number and note the visit, but only when analytics storage is granted. */
  function touchCookies(tag) {
    if (isDisabled(tag) || !isGranted("analytics_storage")) return;
    var name = cookieName(tag, "_ga");
    var known = readCookie(name);
    if (known) tag.clientId = known.split(".").slice(2).join(".");
    if (!known || tag.settings.cookie_update !== false) {
      var labels = (tag.domain || location.hostname).split(".").length;
      writeCookie(tag, name, known || "GA1." + labels + "." + tag.clientId);
    }
    var visit = "GS2.1.s" + seconds(loadedAt) + "$o1$g1$t" + seconds(Date.now()) + "$h" + randomNumber();
    writeCookie(tag, cookieName(tag, "_ga_" + tag.id.replace(/^G-/, "")), visit);
    if (isGranted("ad_storage") && !readCookie("_gcl_au")) {
      writeCookie(tag, "_gcl_au", "1.1." + randomNumber() + "." + seconds(Date.now()));
    }
  }

  /* Hits */

  function post(address) {
    if (navigator.sendBeacon && navigator.sendBeacon(address)) return;
    fetch(address, { method: "POST", mode: "no-cors", keepalive: true, credentials: "include" }).catch(function () {});
  }

  function query(tag, event, details) {
    var values = new URLSearchParams({
      v: "2",
      tid: tag.id,
      en: event,
      gcs: consentCode(),
      cid: isGranted("analytics_storage") ? tag.clientId : tag.passingId,
      dl: location.href,
      dt: document.title,
      dr: document.referrer,
      ul: navigator.language.toLowerCase(),
      sr: screen.width + "x" + screen.height,
      _p: String(loadedAt)
    });
    Object.keys(details || {}).forEach(function (name) { values.set("ep." + name, String(details[name])); });
    return values.toString();
  }

  function send(tag, event, details) {
    if (isDisabled(tag)) return;
    touchCookies(tag);
    var server = tag.settings.server_container_url || scriptOrigin;
    post(new URL(server, location.href).href.replace(/\/$/, "") + "/g/collect?" + query(tag, event, details));
  }

  /* Unless Google signals are switched off, the real tag also calls an advertising host. */
  function sendToAdvertising(tag) {
    if (isDisabled(tag) || tag.settings.allow_google_signals === false) return;
    post(scriptOrigin + "/measurement/conversion?" + query(tag, "google_signals"));
  }

  function sendAll(event, details) {
    tags.forEach(function (tag) { send(tag, event, details); });
  }

  /* Commands */

  var commands = {
    consent: function (action, signals) {
      if (action !== "default" && action !== "update") return;
      var wasGranted = isGranted("analytics_storage");
      Object.keys(signals || {}).forEach(function (name) {
        if (signals[name] === "granted" || signals[name] === "denied") consent[name] = signals[name];
      });
      if (!wasGranted && isGranted("analytics_storage")) sendAll("consent_update");
    },
    set: function (name, value) {
      if (name && typeof name === "object") Object.assign(shared, name);
      else shared[name] = value;
    },
    config: function (id, settings) {
      if (!/^G-[A-Z0-9]+$/.test(id)) return;
      var known = tags.find(function (tag) { return tag.id === id; });
      var tag = known || { id: id, clientId: randomNumber() + "." + seconds(loadedAt), passingId: String(randomNumber()) };
      tag.settings = Object.assign({}, shared, settings);
      if (!known) tags.push(tag);
      if (tag.settings.send_page_view === false) return;
      send(tag, "page_view");
      sendToAdvertising(tag);
    },
    event: function (name, details) {
      var only = details && details.send_to;
      tags.forEach(function (tag) {
        if (!only || [].concat(only).indexOf(tag.id) !== -1) send(tag, name, details);
      });
    },
    get: function (id, field, callback) {
      var tag = tags.find(function (one) { return one.id === id; });
      if (typeof callback === "function") callback(tag && field === "client_id" ? tag.clientId : undefined);
    }
  };

  function obey(entry) {
    if (Object.prototype.toString.call(entry) !== "[object Arguments]") return;
    var command = Object.prototype.hasOwnProperty.call(commands, entry[0]) && commands[entry[0]];
    if (command) command.apply(null, Array.prototype.slice.call(entry, 1));
  }

  var layer = window.dataLayer = window.dataLayer || [];
  layer.slice().forEach(obey);
  layer.push = function () {
    var length = Array.prototype.push.apply(layer, arguments);
    Array.prototype.forEach.call(arguments, obey);
    return length;
  };

  /* What the visitor does */

  document.addEventListener("click", function (event) {
    var link = event.target.closest && event.target.closest("a[href]");
    if (!link) return;
    sendAll("click", { link_url: link.href, outbound: link.hostname !== location.hostname });
  }, true);

  document.addEventListener("visibilitychange", function () {
    if (document.visibilityState === "visible") {
      visibleSince = Date.now();
      return;
    }
    sendAll("user_engagement", { engagement_time_msec: Date.now() - visibleSince });
  });
})();
