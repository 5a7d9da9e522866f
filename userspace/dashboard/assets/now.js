// SPDX-License-Identifier: MIT

import { $, $$, debounce, h, setText } from "./dom.js";
import { post } from "./api.js";
import { ask, fail, keep, start, toast } from "./page.js";
import { buttons } from "./actions.js";
import { scoreCell } from "./score.js";
import { compact, kindsText, left, networkText, number, placeNode, placeText, rate, since, sourceURL, stateText, toolText } from "./format.js";

// atOnce is how many rows are in the page at a time.
const atOnce = 200;

const stateOrder = ["ended", "scored", "protected", "watched", "alerted", "would-ban", "banned"];

// columns: the name that sorts, the title, what to sort by, and the cell.
const columns = [
  { name: "source", title: "Address", by: (r) => r.sortAddress, cell: addressCell, up: true },
  { name: "place", title: "Place", by: (r) => placeText(r.place) || "\uffff", cell: (r) => placeNode(r.place), up: true },
  { name: "network", title: "Network", by: (r) => networkText(r.place) || "\uffff", cell: (r) => cut(networkText(r.place)), up: true },
  { name: "kinds", title: "Kinds", by: (r) => kindsText(r.kinds), cell: (r) => cut(kindsText(r.kinds)), up: true },
  { name: "tool", title: "Tool", by: (r) => toolText(r.tool), cell: (r) => toolText(r.tool), up: true },
  { name: "ports", title: "Ports", by: (r) => r.distinct, cell: portsCell, number: true },
  { name: "rate", title: "Rate", by: (r) => r.rate, cell: (r) => rate(r.rate), number: true },
  { name: "score", title: "Score", by: (r) => Math.max(r.score, r.udp_score), cell: (r) => scoreCell(r, scores) },
  { name: "grade", title: "Grade", by: (r) => r.grade ?? "", cell: (r) => r.grade ?? "–", up: true },
  { name: "action", title: "Action", by: (r) => stateOrder.indexOf(r.state), cell: stateCell },
  { name: "dropped", title: "Dropped", by: (r) => r.dropped, cell: (r) => (r.dropped ? compact(r.dropped) : "–"), number: true },
  { name: "last", title: "Seen", by: (r) => r.last, cell: lastCell, number: true },
];

const rows = new Map(); // by source: the row, its element, its cells
let scores = { alert: 4, ban: 8, udp_alert: 8, udp_ban: 16 };
let order = { name: "last", down: true };
let shown = atOnce;
let search = "";
let wanted = "";

function addressCell(r) {
  return h("a", { class: "address", href: sourceURL(r.source) }, r.source);
}

function cut(text) {
  return text ? h("span", { class: "cut", title: text }, text) : h("span", { class: "dim" }, "–");
}

function portsCell(r) {
  return h("span", { data: { count: r.distinct }, title: r.ports.length ? "ports " + r.ports.join(", ") : false }, number(r.distinct));
}

function stateCell(r) {
  const more = r.state === "banned" ? (r.until ? ", " + left(r.until) : ", no end") : "";
  const title = [r.reason, r.dropped ? number(r.dropped) + " packets dropped" : ""].filter(Boolean).join("; ");
  return h("span", { class: "state", data: { state: r.state }, title: title || false }, stateText(r.state) + more);
}

function lastCell(r) {
  return h("time", { datetime: r.last, title: new Date(r.last).toLocaleString() }, since(r.last));
}

// sortAddress orders addresses by their numbers.
function sortAddress(text) {
  const [address] = text.split("/");
  if (!address.includes(":")) {
    return "4" + address.split(".").map((n) => n.padStart(3, "0")).join(".");
  }
  const [head, tail] = address.split("::");
  const front = head ? head.split(":") : [];
  const back = tail ? tail.split(":") : [];
  const middle = tail === undefined ? [] : Array(8 - front.length - back.length).fill("0");
  return "6" + [...front, ...middle, ...back].map((g) => g.padStart(4, "0")).join(":");
}

function take(row) {
  row.sortAddress = sortAddress(row.source);
  row.text = [row.source, placeText(row.place), row.place.iso, networkText(row.place), row.place.asn ? "AS" + row.place.asn : "",
    row.kinds.join(" "), row.tool, row.grade, stateText(row.state), ...row.ports, row.interface].join(" ").toLowerCase();
  const have = rows.get(row.source);
  if (have) {
    have.row = row;
    have.stale = true;
  } else {
    rows.set(row.source, { row, element: null, cells: [], drawn: [], stale: true });
  }
}

function fits(r) {
  switch (wanted) {
    case "banned":
      if (r.state !== "banned") return false;
      break;
    case "active":
      if (Date.now() - Date.parse(r.last) > 120000 || r.state === "ended") return false;
      break;
    case "spared":
      if (r.state === "banned" || r.state === "ended") return false;
      break;
  }
  return search.split(/\s+/).every((word) => r.text.includes(word));
}

function compare(a, b) {
  const { by } = columns.find((c) => c.name === order.name);
  const x = by(a), y = by(b);
  const result = x < y ? -1 : x > y ? 1 : 0;
  return (order.down ? -result : result) || (a.sortAddress < b.sortAddress ? -1 : 1);
}

// held says that the pointer or the keyboard is in the table: rows must not
// move away from under it.
const held = () => $("#rows").matches(":hover, :focus-within");

function draw() {
  const body = $("#rows");
  let list = [...rows.values()].filter((e) => fits(e.row));
  list.sort((a, b) => compare(a.row, b.row));
  if (held()) {
    const at = new Map([...body.children].map((element, i) => [element, i]));
    const place = (e) => (e.element && at.has(e.element) ? at.get(e.element) : Infinity);
    list.sort((a, b) => { const x = place(a), y = place(b); return x === y ? 0 : x - y; });
  }
  const total = list.length;
  list = list.slice(0, shown);
  const keepers = new Set();
  let next = body.firstElementChild;
  for (const entry of list) {
    drawRow(entry);
    keepers.add(entry.element);
    if (entry.element === next) {
      next = next.nextElementSibling;
    } else {
      body.insertBefore(entry.element, next);
    }
  }
  for (const element of [...body.children]) {
    if (!keepers.has(element)) {
      element.remove();
    }
  }
  setText($("#count"), total === rows.size ? number(total) : `${number(total)} of ${number(rows.size)}`);
  $("#more-line").hidden = total <= shown;
  const empty = $("#empty");
  empty.hidden = total > 0;
  setText(empty, rows.size ? "No source fits." : "Nobody is probing this host.");
}

function drawRow(entry) {
  const r = entry.row;
  if (!entry.element) {
    entry.cells = columns.map((c) => h("td", { role: "cell", class: "c-" + c.name + (c.number ? " number" : ""), data: { title: c.title } }));
    entry.last = h("td", { role: "cell", class: "c-buttons" });
    entry.element = h("tr", { role: "row", data: { source: r.source } }, entry.cells, entry.last);
  }
  if (!entry.stale) {
    return;
  }
  entry.stale = false;
  entry.element.dataset.state = r.state;
  columns.forEach((c, i) => {
    const node = c.cell(r);
    const drawn = typeof node === "string" ? node : node.outerHTML;
    if (entry.drawn[i] !== drawn) {
      entry.drawn[i] = drawn;
      entry.cells[i].replaceChildren(node);
    }
  });
  const banned = r.state === "banned";
  if (entry.banned !== banned) {
    entry.banned = banned;
    const focused = entry.last.contains(document.activeElement);
    entry.last.replaceChildren(...buttons(r.source, banned));
    if (focused) {
      entry.last.firstElementChild.focus();
    }
  }
}

// Several messages in a row are one drawing.
let waiting = false;
function soon() {
  if (!waiting) {
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  }
}

function headings() {
  $("#headings").append(...columns.map((c) => h("th", { role: "columnheader", scope: "col", class: "c-" + c.name + (c.number ? " number" : ""), data: { column: c.name } },
    h("button", { type: "button", class: "sort", onclick: () => sortBy(c.name) }, c.title))), h("th", { role: "columnheader", scope: "col", class: "c-buttons" }, h("span", { class: "vh" }, "Do")));
  const select = $("#order");
  select.append(...columns.map((c) => h("option", { value: c.name }, c.title)));
  select.addEventListener("change", () => sortBy(select.value));
  mark();
}

function sortBy(name) {
  const column = columns.find((c) => c.name === name);
  order = { name, down: order.name === name ? !order.down : !column.up };
  keep({ sort: (order.down ? "-" : "") + name });
  mark();
  soon();
}

function mark() {
  for (const th of $$("#headings th[data-column]")) {
    const mine = th.dataset.column === order.name;
    th.setAttribute("aria-sort", mine ? (order.down ? "descending" : "ascending") : "none");
  }
  $("#order").value = order.name;
}

function fromAddress() {
  const query = new URLSearchParams(location.search);
  const sort = query.get("sort") ?? "";
  const name = sort.replace(/^-/, "");
  if (columns.some((c) => c.name === name)) {
    order = { name, down: sort.startsWith("-") };
  }
  search = query.get("q") ?? "";
  $("#search").value = search;
  search = search.toLowerCase();
}

fromAddress();
headings();
$("#search").addEventListener("input", debounce(() => {
  search = $("#search").value.trim().toLowerCase();
  keep({ q: search });
  shown = atOnce;
  draw();
}, 80));
$("#states").addEventListener("click", (event) => {
  const chosen = event.target.closest("button");
  if (!chosen) return;
  wanted = chosen.dataset.show;
  $$("#states button").forEach((b) => b.setAttribute("aria-pressed", String(b === chosen)));
  shown = atOnce;
  draw();
});
$("#more").addEventListener("click", () => { shown += atOnce; draw(); });
$("#rows").addEventListener("mouseleave", soon);
$("#rows").addEventListener("focusout", soon);

$("#ban-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = $("#ban-said"), field = $("#ban-address"), length = $("#ban-for");
  said.textContent = "";
  [field, length].forEach((f) => f.removeAttribute("aria-invalid"));
  const request = (force) => post("bans", { source: field.value.trim(), for: length.value.trim(), force });
  const done = (answer) => { toast(answer.message, answer); field.value = length.value = ""; };
  try {
    done(await request(false));
  } catch (problem) {
    if (problem.force && await ask(`Ban ${field.value.trim()}?`, h("p", {}, problem.message + "."), "Do it all the same")) {
      await request(true).then(done, fail);
    } else if (!problem.force) {
      said.textContent = problem.message;
      const wrong = problem.field === "for" ? length : field;
      wrong.setAttribute("aria-invalid", "true");
      wrong.focus();
    }
  }
});

start({
  table(t) {
    const present = new Set();
    for (const row of t.rows) {
      take(row);
      present.add(row.source);
    }
    for (const source of [...rows.keys()]) {
      if (!present.has(source)) rows.delete(source);
    }
    draw();
  },
  rows(t) {
    t.rows.forEach(take);
    t.removed.forEach((source) => rows.delete(source));
    soon();
  },
  pulse(p) {
    if (JSON.stringify(scores) !== JSON.stringify(p.scores)) {
      scores = p.scores;
      rows.forEach((e) => { e.stale = true; });
      soon();
    }
    setText($("#t-packets"), compact(p.packets) + "/s");
    setText($("#t-drops"), compact(p.drops) + "/s");
    setText($("#t-sources"), number(p.sources));
    setText($("#t-bans"), number(p.bans));
    const good = p.interfaces.filter((i) => !i.problem).length;
    setText($("#t-interfaces"), good === p.interfaces.length ? p.interfaces.map((i) => i.name).join(", ") || "–" : `${good} of ${p.interfaces.length}`);
    $("#t-interfaces").classList.toggle("bad", good < p.interfaces.length);
    setText($("#t-lost"), number(p.lost));
    $("#t-lost").classList.toggle("bad", p.lost > 0);
  },
}, true);

// Times that are told as "3 s ago" go on.
setInterval(() => {
  if (!document.hidden) {
    rows.forEach((e) => { e.stale = true; });
    soon();
  }
}, 5000);
