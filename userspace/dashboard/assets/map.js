// SPDX-License-Identifier: MIT

import { $, $$, h, setText, show, svg } from "./dom.js";
import { get } from "./api.js";
import { now, spans, start } from "./page.js";
import { flag, number, plural } from "./format.js";

// often is how often the map asks again while somebody sees it.
const often = 30000;
const listed = 12; // places in the list below the map

let world = null;
const shapes = new Map(); // by ISO code
let circles = null;
let latest = { countries: [], places: [] };

async function drawWorld() {
  const answer = await fetch("/assets/world.json");
  world = await answer.json();
  const land = svg("g", { class: "land" });
  for (const [iso, path] of Object.entries(world.shapes)) {
    const shape = svg("path", { d: path });
    shapes.set(iso, shape);
    land.append(shape);
  }
  circles = svg("g", { class: "circles" });
  show($("#map"), svg("svg", { viewBox: `0 0 ${world.width} ${world.height}`, role: "img", "aria-label": "World map of scans; the tables of countries and places say the same" }, land, circles));
  new ResizeObserver(() => drawMarks()).observe($("#map"));
}

// project is Equal Earth, as in worldmap/project.go.
function project(lat, lon) {
  const m = Math.sqrt(3) / 2;
  const flat = (latitude, longitude) => {
    const t = Math.asin(m * Math.sin(latitude * Math.PI / 180));
    const t2 = t * t, t6 = t2 ** 3;
    return [longitude * Math.PI / 180 * Math.cos(t) / (m * (1.340264 - 0.243318 * t2 + t6 * (0.006251 + 0.034164 * t2))),
      t * (1.340264 - 0.081106 * t2 + t6 * (0.000893 + 0.003796 * t2))];
  };
  const [x, y] = flat(lat, lon);
  const scale = world.width / 2 / flat(0, 180)[0];
  return [world.width / 2 + x * scale, (flat(84, 0)[1] - y) * scale];
}

const countryName = (c) => c.name || world?.countries[c.iso]?.name || c.iso || "not known";
const placeName = (p) => [p.city, p.iso && countryName(p)].filter(Boolean).join(", ") || "not known";

function link(c) {
  return "/timeline?span=" + span() + "&country=" + encodeURIComponent(c.iso || "-");
}

// marks are the circles: one for each place with coordinates, and one in
// the middle of each country for its scans from elsewhere.
function marks({ countries, places }) {
  const placed = new Map();
  const out = [];
  for (const p of places) {
    const at = project(p.lat, p.lon);
    if (at[1] > world.height) continue; // south of the picture
    placed.set(p.iso, (placed.get(p.iso) ?? 0) + p.scans);
    out.push({ ...p, at, title: placeName(p) });
  }
  for (const c of countries) {
    const at = world.countries[c.iso]?.at;
    const part = placed.get(c.iso) ?? 0;
    if (!at || c.scans <= part) continue;
    out.push(part ? { iso: c.iso, at, scans: c.scans - part, title: countryName(c) + ", elsewhere" } : { ...c, at, title: countryName(c) });
  }
  return out.sort((a, b) => b.scans - a.scans); // the small ones come last, on top
}

function drawMarks() {
  const wide = $("#map").clientWidth;
  if (!wide) return;
  const unit = world.width / wide; // of the picture, in a pixel
  const largest = Math.min(30, Math.max(13, wide / 34));
  const list = marks(latest);
  const most = Math.max(1, ...list.map((m) => m.scans));
  shapes.forEach((shape) => delete shape.dataset.hit);
  show(circles, list.map((m) => {
    const shape = shapes.get(m.iso);
    if (shape) shape.dataset.hit = "1";
    // The area of a circle says how many.
    const radius = (2.5 + (largest - 2.5) * Math.sqrt(m.scans / most)) * unit;
    const circle = svg("circle", { cx: m.at[0].toFixed(1), cy: m.at[1].toFixed(1), r: radius.toFixed(1), data: { iso: m.iso ?? "", place: m.title } });
    circle.addEventListener("mouseenter", () => tell(m, circle));
    circle.addEventListener("mouseleave", () => tell(null));
    circle.addEventListener("click", () => location.assign(link(m)));
    return circle;
  }));
}

function bar(part) {
  const element = h("span", { class: "share", "aria-hidden": "true" });
  element.style.setProperty("--part", part);
  return element;
}

// line is a row of one of the two tables; hovering shows where it is.
function line(c, name, most, total, find) {
  return h("tr", { onmouseenter: () => tell({ ...c, title: name }, find()), onmouseleave: () => tell(null) },
    h("th", { scope: "row" }, bar(c.scans / most), h("a", { href: link(c) }, c.iso ? h("span", { class: "flag", "aria-hidden": "true" }, flag(c.iso)) : null, name)),
    h("td", { class: "number", title: (100 * c.scans / total).toFixed(1) + " % of all" }, number(c.scans)),
    h("td", { class: "number" }, number(c.sources)),
    h("td", { class: "number" }, number(c.banned)));
}

function drawTables({ countries, places }) {
  const total = countries.reduce((sum, c) => sum + c.scans, 0) || 1;
  const most = Math.max(1, ...countries.map((c) => c.scans));
  // The first circle of a country is its largest.
  show($("#countries"), countries.map((c) => line(c, countryName(c), most, total, () => $$("circle", circles).find((e) => e.dataset.iso === (c.iso ?? "")))));
  $("#ranking").hidden = countries.length === 0;
  const first = places.filter((p) => p.city).slice(0, listed);
  $("#places-panel").hidden = first.length === 0;
  show($("#places"), first.map((p) => line(p, placeName(p), first[0].scans, total, () => $$("circle", circles).find((e) => e.dataset.place === placeName(p)))));
}

// tell shows the values of a mark beside its circle.
function tell(m, circle) {
  const tip = $("#tip");
  $$(".on", circles).forEach((e) => e.classList.remove("on"));
  tip.hidden = !m || !circle;
  if (tip.hidden) return;
  circle.classList.add("on");
  const values = [plural(m.scans, "scan", "scans") + (m.sources ? " by " + plural(m.sources, "source", "sources") : ""), m.sources ? number(m.banned) + " banned" : ""];
  show(tip, h("strong", {}, [flag(m.iso), m.title].filter(Boolean).join(" ")), h("div", {}, values.filter(Boolean).join(", ")));
  const box = $(".mapbox").getBoundingClientRect();
  const at = circle.getBoundingClientRect();
  const half = tip.offsetWidth / 2 + 4;
  tip.style.setProperty("left", Math.min(Math.max(at.x + at.width / 2 - box.x, half), box.width - half) + "px");
  const below = at.y - box.y - 8 < tip.offsetHeight;
  tip.style.setProperty("top", (below ? at.bottom - box.y + 8 + tip.offsetHeight : at.y - box.y - 8) + "px");
}

let asked = 0;
async function load(options) {
  const mine = ++asked;
  try {
    const answer = await get("countries", { span: span() }, options);
    await ready;
    if (mine !== asked) return;
    latest = answer;
    tell(null);
    drawMarks();
    drawTables(answer);
    const scans = answer.countries.reduce((sum, c) => sum + c.scans, 0);
    const known = answer.countries.filter((c) => c.iso).length;
    setText($("#said"), scans ? `${plural(scans, "scan", "scans")} from ${plural(known, "country", "countries")}` : "");
    $("#empty").hidden = scans > 0;
    setText($("#empty"), `No scan in the last ${span()}.`);
  } catch (problem) {
    setText($("#said"), problem.message);
  }
}

const ready = drawWorld();
const span = spans($("#spans"), () => load());
start();
load();
now(() => load({ unattended: true }), often);
