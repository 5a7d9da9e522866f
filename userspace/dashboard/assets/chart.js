// SPDX-License-Identifier: MIT
//
// A timeline as one row of bars for each series, above a common axis.

import { $, h, setText, show, svg } from "./dom.js";
import { compact, number, short } from "./format.js";

const rowHeight = 74;
const axisHeight = 22;
const leftSide = 92;

export const series = [
  { name: "probes", title: "Probes" },
  { name: "alerts", title: "Alerts" },
  { name: "bans", title: "Bans" },
  { name: "drops", title: "Drops" },
];

// nice rounds up to a number that people like on an axis.
function nice(n) {
  if (n <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 4, 5, 8, 10].map((f) => f * power).find((v) => v >= n);
}

// chart draws into box and tells values in tip and, for who hears, live.
export class Chart {
  constructor(box, tip, live) {
    this.box = box;
    this.tip = tip;
    this.live = live;
    this.buckets = [];
    this.at = -1;
    new ResizeObserver(() => this.draw()).observe(box);
    box.addEventListener("mousemove", (e) => this.point(e.clientX));
    box.addEventListener("touchstart", (e) => this.point(e.touches[0].clientX), { passive: true });
    box.addEventListener("mouseleave", () => this.choose(-1));
    box.addEventListener("blur", () => this.choose(-1));
    box.addEventListener("keydown", (e) => this.key(e));
  }

  set({ buckets, seconds }) {
    this.buckets = buckets;
    this.seconds = seconds;
    this.at = -1;
    this.draw();
    this.choose(-1);
  }

  time(start, long) {
    const date = new Date(start);
    const days = this.buckets.length * this.seconds > 2 * 86400;
    if (long) {
      const end = new Date(date.getTime() + this.seconds * 1000);
      const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
      return date.toLocaleDateString(undefined, { weekday: "short", day: "numeric", month: "short" }) + ", " +
        date.toLocaleTimeString(undefined, clock) + "–" + end.toLocaleTimeString(undefined, clock);
    }
    return days ? date.toLocaleDateString(undefined, { day: "numeric", month: "short" }) : date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  }

  draw() {
    const width = this.box.clientWidth;
    const n = this.buckets.length;
    if (!width || !n) {
      show(this.box);
      return;
    }
    const room = width - leftSide;
    this.step = room / n;
    const height = series.length * rowHeight + axisHeight;
    const parts = series.map((s, i) => this.drawRow(s, i, room));
    this.cross = svg("rect", { class: "cross", x: 0, y: 0, width: Math.max(this.step, 2), height: height - axisHeight, visibility: "hidden" });
    show(this.box, svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" }, this.cross, parts, this.drawAxis(room, height)));
  }

  drawRow(s, i, room) {
    const base = (i + 1) * rowHeight - 6;
    const tall = rowHeight - 16;
    const values = this.buckets.map((b) => b[s.name]);
    const most = nice(Math.max(...values));
    const sum = values.reduce((a, b) => a + b, 0);
    const thick = Math.max(1, this.step - (this.step > 4 ? 1.5 : 0.3));
    let path = "";
    values.forEach((v, k) => {
      if (v > 0) {
        const high = Math.max(1.5, (v / most) * tall);
        path += `M${(leftSide + k * this.step).toFixed(1)} ${base}v${(-high).toFixed(1)}h${thick.toFixed(1)}v${high.toFixed(1)}z`;
      }
    });
    return svg("g", { class: "s-" + s.name },
      svg("line", { class: "grid", x1: leftSide, x2: leftSide + room, y1: base - tall, y2: base - tall }),
      svg("line", { class: "base", x1: leftSide, x2: leftSide + room, y1: base, y2: base }),
      svg("text", { class: "name", x: 0, y: base - tall + 12 }, s.title),
      svg("text", { class: "sum", x: 0, y: base - tall + 30 }, compact(sum)),
      svg("text", { class: "most", x: leftSide - 6, y: base - tall + 4, "text-anchor": "end" }, short(most)),
      svg("path", { d: path }));
  }

  drawAxis(room, height) {
    const every = Math.max(1, Math.ceil(78 / this.step));
    const marks = [];
    for (let k = Math.floor(every / 2); k < this.buckets.length; k += every) {
      const x = leftSide + k * this.step;
      marks.push(svg("text", { class: "tick", x, y: height - 5, "text-anchor": "middle" }, this.time(this.buckets[k].start)));
    }
    return svg("g", {}, marks);
  }

  point(clientX) {
    const x = clientX - this.box.getBoundingClientRect().x - leftSide;
    this.choose(x < 0 ? -1 : Math.min(this.buckets.length - 1, Math.floor(x / this.step)));
  }

  key(event) {
    const last = this.buckets.length - 1;
    const moves = { ArrowLeft: this.at < 0 ? last : this.at - 1, ArrowRight: this.at < 0 ? last : this.at + 1, Home: 0, End: last };
    if (event.key in moves && last >= 0) {
      event.preventDefault();
      this.choose(Math.min(last, Math.max(0, moves[event.key])));
      const b = this.buckets[this.at];
      setText(this.live, this.time(b.start, true) + ": " + series.map((s) => number(b[s.name]) + " " + s.title.toLowerCase()).join(", "));
    }
  }

  choose(i) {
    this.at = i;
    this.tip.hidden = i < 0 || !this.cross;
    this.cross?.setAttribute("visibility", this.tip.hidden ? "hidden" : "visible");
    if (this.tip.hidden) return;
    const b = this.buckets[i];
    const x = leftSide + i * this.step;
    this.cross.setAttribute("x", x);
    show(this.tip, h("strong", {}, this.time(b.start, true)),
      h("dl", {}, series.map((s) => h("div", { class: "s-" + s.name }, h("dt", {}, s.title), h("dd", {}, number(b[s.name])))),
        b.would_ban ? h("div", {}, h("dt", {}, "Would ban"), h("dd", {}, number(b.would_ban))) : null,
        b.lost ? h("div", {}, h("dt", {}, "Lost events"), h("dd", {}, number(b.lost))) : null));
    const room = this.box.clientWidth;
    const side = x > room / 2 ? x - 12 - this.tip.offsetWidth : x + this.step + 12;
    this.tip.style.setProperty("left", Math.max(0, Math.min(side, room - this.tip.offsetWidth)) + this.box.offsetLeft + "px");
    this.tip.style.setProperty("top", this.box.offsetTop + 8 + "px");
  }

  // table is the same for who reads tables.
  table() {
    return h("table", {}, h("caption", { class: "vh" }, "Values of the timeline"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Time"), series.map((s) => h("th", { scope: "col", class: "number" }, s.title)))),
      h("tbody", {}, this.buckets.map((b) => h("tr", {}, h("th", { scope: "row" }, this.time(b.start, true)), series.map((s) => h("td", { class: "number" }, number(b[s.name])))))));
  }
}

export const chartIn = (root = document) => new Chart($("#chart", root), $("#tip", root), $("#value", root));
