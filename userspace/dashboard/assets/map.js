// SPDX-License-Identifier: MIT

import { $, h, setText, show, svg } from "./dom.js";
import { get } from "./api.js";
import { spans, start } from "./page.js";
import { flag, number } from "./format.js";

let world = null;
const shapes = new Map(); // by ISO code
let circles = null;

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
  show($("#map"), svg("svg", { viewBox: `0 0 ${world.width} ${world.height}`, role: "img", "aria-label": "World map of scans; the table of countries says the same" }, land, circles));
}

const nameOf = (c) => c.name || world?.countries[c.iso]?.name || c.iso || "not known";

function link(c) {
  return "/timeline?span=" + span() + "&country=" + encodeURIComponent(c.iso || "-");
}

function drawCountries(list) {
  const most = Math.max(1, ...list.filter((c) => c.iso).map((c) => c.scans));
  shapes.forEach((shape) => delete shape.dataset.hit);
  const drawn = [];
  for (const c of list) {
    const at = world.countries[c.iso]?.at;
    if (!at) continue;
    const shape = shapes.get(c.iso);
    if (shape) shape.dataset.hit = "1";
    // The area of a circle says how many.
    const radius = 7 + 53 * Math.sqrt(c.scans / most);
    const circle = svg("circle", { cx: at[0], cy: at[1], r: radius.toFixed(1), data: { iso: c.iso } });
    circle.addEventListener("mouseenter", () => tell(c, circle));
    circle.addEventListener("mouseleave", () => tell(null));
    circle.addEventListener("click", () => location.assign(link(c)));
    drawn.push(circle);
  }
  show(circles, drawn); // the small ones come last, on top
  const share = list.reduce((sum, c) => sum + c.scans, 0) || 1;
  show($("#countries"), list.map((c) => {
    const bar = h("span", { class: "share", "aria-hidden": "true" });
    bar.style.setProperty("--part", c.scans / Math.max(most, c.scans));
    return h("tr", { onmouseenter: () => tell(c, $(`circle[data-iso="${c.iso ?? ""}"]`)), onmouseleave: () => tell(null) },
      h("th", { scope: "row" }, h("a", { href: link(c) }, c.iso ? h("span", { class: "flag", "aria-hidden": "true" }, flag(c.iso)) : null, nameOf(c)), bar),
      h("td", { class: "number", title: (100 * c.scans / share).toFixed(1) + " % of all" }, number(c.scans)),
      h("td", { class: "number" }, number(c.sources)),
      h("td", { class: "number" }, number(c.banned)));
  }));
}

// tell shows the values of a country beside its circle.
function tell(c, circle) {
  const tip = $("#tip");
  document.querySelectorAll(".circles .on").forEach((e) => e.classList.remove("on"));
  tip.hidden = !c || !circle;
  if (tip.hidden) return;
  circle.classList.add("on");
  show(tip, h("strong", {}, flag(c.iso) + " " + nameOf(c)), h("div", {}, `${number(c.scans)} scans by ${number(c.sources)} sources, ${number(c.banned)} banned`));
  const box = $(".mapbox").getBoundingClientRect();
  const at = circle.getBoundingClientRect();
  const x = Math.min(Math.max(at.x + at.width / 2 - box.x, 110), box.width - 110);
  tip.style.setProperty("left", x + "px");
  tip.style.setProperty("top", Math.max(at.y - box.y - 8, 50) + "px");
}

let asked = 0;
async function load() {
  const mine = ++asked;
  try {
    const answer = await get("countries", { span: span() });
    if (mine !== asked) return;
    await ready;
    drawCountries(answer.countries);
    const scans = answer.countries.reduce((sum, c) => sum + c.scans, 0);
    setText($("#said"), `${number(scans)} scans from ${answer.countries.filter((c) => c.iso).length} countries`);
  } catch (problem) {
    setText($("#said"), problem.message);
  }
}

const ready = drawWorld();
const span = spans($("#spans"), load);
start();
load();
