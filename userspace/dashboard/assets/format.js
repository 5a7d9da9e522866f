// SPDX-License-Identifier: MIT

import { h } from "./dom.js";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const shortForm = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const number = (n) => whole.format(n ?? 0);

// plural says how many there are of something.
export const plural = (n, one, many) => number(n) + " " + (n === 1 ? one : many);

// compact is for numbers that change quickly or may be large.
export const compact = (n) => (n < 10000 ? whole.format(n ?? 0) : shortForm.format(n));

// short is for axes.
export const short = (n) => shortForm.format(n);

export const rate = (n) => (n === 0 ? "–" : n < 10 ? String(n) + "/s" : compact(n) + "/s");

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  for (; n >= 1024 && i < units.length - 1; i++) {
    n /= 1024;
  }
  return (i > 0 && n < 10 ? n.toFixed(1) : Math.round(n)) + " " + units[i];
}

// flag is the emoji of a country, or nothing.
export function flag(iso) {
  if (!/^[A-Z]{2}$/.test(iso ?? "")) {
    return "";
  }
  return String.fromCodePoint(...[...iso].map((c) => 0x1f1e6 + c.charCodeAt(0) - 65));
}

export function placeText(place) {
  if (place.country || place.iso) {
    return (place.city ? place.city + ", " : "") + (place.country || place.iso);
  }
  return place.special ?? "";
}

export function networkText(place) {
  if (place.as) {
    return place.as;
  }
  return place.asn ? "AS" + place.asn : "";
}

// placeNode is a flag, which says nothing to who hears it, and the name of
// the country; the city, where there is room for it.
export function placeNode(place, whole = false) {
  const text = placeText(place);
  if (!text) {
    return h("span", { class: "dim" }, "unknown");
  }
  const sign = flag(place.iso);
  return h("span", { class: "place", title: text }, sign ? h("span", { class: "flag", "aria-hidden": "true" }, sign) : null, whole ? text : place.country || text);
}

export function seconds(s) {
  if (s < 90) {
    return Math.max(0, Math.round(s)) + " s";
  }
  if (s < 90 * 60) {
    return Math.round(s / 60) + " min";
  }
  if (s < 36 * 3600) {
    return Math.round(s / 3600) + " h";
  }
  return Math.round(s / 86400) + " d";
}

export const since = (time, now = Date.now()) => seconds((now - Date.parse(time)) / 1000);
export const left = (time, now = Date.now()) => seconds((Date.parse(time) - now) / 1000);

const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const thisYear = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", ...clock });
const anyYear = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric", ...clock });
const exactly = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function moment(time) {
  if (!time) {
    return "–";
  }
  const date = new Date(time);
  return (date.getFullYear() === new Date().getFullYear() ? thisYear : anyYear).format(date);
}

// exact is for what comes many times a second.
const finely = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", ...clock, second: "2-digit", fractionalSecondDigits: 3 });
export const exact = (time) => finely.format(new Date(time));

// timeNode shows a time, and on demand the exact one.
export function timeNode(time, text = moment(time)) {
  if (!time) {
    return h("span", { class: "dim" }, "–");
  }
  return h("time", { datetime: time, title: exactly.format(new Date(time)) }, text);
}

const stateWords = {
  banned: "banned", "would-ban": "would ban", watched: "watched", protected: "protected",
  alerted: "alerted", scored: "scored", ended: "ended", detected: "detected",
};
export const stateText = (state) => stateWords[state] ?? state;

// pathNode is the name of a file that may wrap behind its slashes only.
export const pathNode = (path) => h("span", { class: "path" }, path.split(/(?<=\/)/).flatMap((part) => [part, h("wbr")]).slice(0, -1));

export const kindsText = (kinds) => kinds.join(", ") || "–";

const tools = { unknown: "–", "kernel-connect": "connect()", "raw-unknown": "raw socket", "": "–" };
export const toolText = (tool) => tools[tool ?? ""] ?? tool;

export const sourceURL = (source) => "/source?address=" + encodeURIComponent(source);
