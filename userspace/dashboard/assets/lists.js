// SPDX-License-Identifier: MIT

import { $, $$, debounce, h, setText, show } from "./dom.js";
import { call, get, post, remove } from "./api.js";
import { ask, fail, keep, start, toast } from "./page.js";
import { left, number, sourceURL, timeNode } from "./format.js";

const pageSize = 100;
const query = new URLSearchParams(location.search);
let list = query.get("list") === "deny" ? "deny" : "allow";
let offset = 0;
$("#search").value = query.get("search") ?? "";

const abouts = {
  allow: "Never scored and never banned. Allow beats everything, also the deny list.",
  deny: "Always dropped, from the first packet on.",
};

// complain puts a message beside its field, or shows it as a whole.
function complain(problem, prefix = "") {
  const said = $(`#e-${prefix}${problem.field}`);
  if (!problem.field || !said) {
    fail(problem);
    return;
  }
  setText(said, problem.message);
  const field = $(`[aria-describedby="${said.id}"]`);
  field?.setAttribute("aria-invalid", "true");
}

function quiet(form) {
  $$(".said", form).forEach((e) => { setText(e, ""); e.classList.remove("note"); });
  $$("[aria-invalid]", form).forEach((e) => e.removeAttribute("aria-invalid"));
}

function entryOf(force) {
  return { addresses: $("#addresses").value, comment: $("#comment").value, for: $("#for").value, watch: list === "allow" && $("#watch").checked, force };
}

// check explains while somebody types, as adding would.
let checked = 0;
const check = debounce(async () => {
  const mine = ++checked;
  quiet($("#add"));
  if (!$("#addresses").value.trim()) return;
  try {
    const answer = await post(`lists/${list}/check`, entryOf(false));
    if (mine !== checked || !answer.notes) return;
    $("#e-addresses").classList.add("note");
    setText($("#e-addresses"), answer.notes.join("; "));
  } catch (problem) {
    if (mine === checked && problem.field) complain(problem);
  }
}, 300);

async function add(event) {
  event.preventDefault();
  checked++;
  quiet($("#add"));
  const done = (answer) => {
    toast(answer.message, answer);
    $("#add").reset();
    load(false);
  };
  try {
    done(await post("lists/" + list, entryOf(false)));
  } catch (problem) {
    if (problem.force && await ask(`Put it on the ${list} list?`, h("p", {}, problem.message + "."), "Do it all the same")) {
      await post("lists/" + list, entryOf(true)).then(done, fail);
      return;
    }
    complain(problem);
    $("#addresses").focus();
  }
}

async function importFile(event) {
  event.preventDefault();
  quiet($("#import"));
  const [file] = $("#file").files;
  if (!file) {
    complain({ field: "file", message: "choose a file first" });
    return;
  }
  const box = $("#imported");
  box.hidden = false;
  setText(box, "reading …");
  try {
    const answer = await call("POST", `lists/${list}/import`, {
      query: { comment: $("#i-comment").value, for: $("#i-for").value, force: $("#force").checked ? "true" : "" },
      text: file,
    });
    show(box, h("p", {}, answer.message), answer.notes ? h("ul", {}, answer.notes.map((n) => h("li", {}, n))) : null);
    load(false);
  } catch (problem) {
    box.hidden = true;
    complain(problem, problem.field === "file" ? "" : "i-");
  }
}

async function take(address) {
  try {
    const answer = await remove("lists/" + list, { address });
    toast(answer.message, answer);
    load(false);
  } catch (problem) {
    fail(problem);
  }
}

function validity(e) {
  const parts = [e.expired ? "expired" : e.until ? [timeNode(e.until), ` (${left(e.until)} left)`] : "for good"];
  if (e.watch) parts.push(h("span", { class: "badge" }, "watch"));
  return parts.flatMap((p) => [p, " "]);
}

function row(e) {
  const cell = (title, ...content) => h("td", { role: "cell", data: { title } }, content);
  return h("tr", { role: "row", class: e.expired ? "old" : false },
    cell("Address", h("a", { class: "address", href: sourceURL(e.address) }, e.address)),
    cell("Valid", validity(e)),
    cell("Comment", h("span", { class: "comment" }, e.comment || "–")),
    h("td", { role: "cell", class: "number", data: { title: "Line" } }, String(e.line)),
    h("td", { role: "cell", class: "c-buttons" }, h("button", { type: "button", class: "small warn", "aria-label": "Remove " + e.address, onclick: () => take(e.address) }, "Remove")));
}

let asked = 0;
async function load(more) {
  const mine = ++asked;
  const search = $("#search").value.trim();
  keep({ list, search });
  offset = more ? offset + pageSize : 0;
  try {
    const a = await get("lists/" + list, { search, offset, limit: pageSize });
    if (mine !== asked) return;
    if (!more) show($("#entries"));
    $("#entries").append(...a.entries.map(row));
    const shown = $("#entries").children.length;
    setText($("#count"), search ? `${number(a.matching)} of ${number(a.total)}` : `${number(a.total)} in ${a.path}`);
    $("#more").hidden = shown >= a.matching;
    $("#empty").hidden = shown > 0 || Boolean(a.refused);
    setText($("#empty"), search ? "No entry fits." : `The ${list} list is empty.`);
    $("#refused").hidden = !a.refused;
    if (a.refused) show($("#refused"), `The file ${a.path} is refused, and the last good list stays in force: `, h("ul", {}, a.refused.map((l) => h("li", {}, l))));
    $("#warnings-box").hidden = a.warnings.length === 0;
    show($("#warnings"), a.warnings.map((w) => h("li", {}, w)));
  } catch (problem) {
    if (mine === asked) fail(problem);
  }
}

function choose(name) {
  list = name;
  $$("#which button").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.list === name)));
  setText($("#about"), abouts[name]);
  $("#watch-line").hidden = name !== "allow";
  $("#imported").hidden = true;
  quiet($("#add"));
  quiet($("#import"));
  load(false);
}

$("#which").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) choose(button.dataset.list);
});
$("#add").addEventListener("input", check);
$("#add").addEventListener("submit", add);
$("#import").addEventListener("submit", importFile);
$("#search").addEventListener("input", debounce(() => load(false), 200));
$("#more").addEventListener("click", () => load(true));
addEventListener("denmap-changed", () => load(false));
start();
choose(list);
