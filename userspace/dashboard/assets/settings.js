// SPDX-License-Identifier: MIT

import { $, $$, debounce, h, setText, show } from "./dom.js";
import { get, post, put } from "./api.js";
import { ask, fail, start, toast } from "./page.js";
import { kindsText, placeText, timeNode } from "./format.js";

const titles = {
  mode: "Mode",
  "detect.alert_score": "Alert at score", "detect.ban_score": "Ban at score",
  "detect.udp_alert_score": "Alert at UDP score", "detect.udp_ban_score": "Ban at UDP score", "detect.decay": "Decay",
  "ban.duration": "Duration", "ban.multiplier": "Multiplier", "ban.max_duration": "Longest",
  "mail.host": "Server", "mail.port": "Port", "mail.tls": "Encryption", "mail.username": "User name", "mail.from": "Sender",
  "mail.to": "Recipients", "mail.digest": "Digest", "mail.max_per_day": "Mails a day",
};
const choices = {
  mode: [["enforce", "enforce: ban scanners"], ["monitor", "monitor: only report them"]],
  "mail.tls": [["starttls", "STARTTLS"], ["tls", "TLS from the start"], ["none", "none"]],
};

let saved = {}; // values as the files say, as texts

// The words of the configuration's reference, where the page has shorter ones.
const shorter = {
  mode: "Monitoring still drops what the deny list and manual bans name.",
  "detect.ban_score": "Score at which a source is banned.", "detect.udp_ban_score": "UDP score at which a source is banned.",
  "mail.port": "0 takes 587, 465 or 25, by the encryption.", "mail.host": "Empty: no mail.", "mail.tls": "", "mail.username": "Empty: no authentication.", "mail.to": "Separated by commas.",
  "mail.digest": "At most one mail in this time; what happens meanwhile is told together.", "mail.max_per_day": "",
};

const idOf = (key) => "f-" + key.replaceAll(".", "-");
const fieldOf = (key) => document.getElementById(idOf(key));
const textOf = (value) => (Array.isArray(value) ? value.join(", ") : String(value ?? ""));

function control(s) {
  const common = { id: idOf(s.key), name: s.key, disabled: Boolean(s.locked), "aria-describedby": idOf(s.key) + "-help " + idOf(s.key) + "-said" };
  if (choices[s.key]) {
    return h("select", common, choices[s.key].map(([value, title]) => h("option", { value }, title)));
  }
  if (s.key === "mail.to") {
    return h("textarea", { ...common, rows: 2, spellcheck: "false" });
  }
  const numeric = /score|multiplier|port|per_day/.test(s.key);
  return h("input", { ...common, type: "text", spellcheck: "false", autocomplete: "off", inputmode: numeric ? "numeric" : false, class: /^(detect|ban)\.|port|digest|per_day/.test(s.key) ? "narrow" : false });
}

function field(s) {
  const from = s.from === "default" ? "" : s.from === "page" ? "set here" : "set in " + s.from;
  return h("div", { class: "field", data: { key: s.key } },
    h("label", { for: idOf(s.key) }, titles[s.key] ?? s.key), control(s),
    h("p", { class: "said", id: idOf(s.key) + "-said", role: "alert" }),
    h("p", { class: "help", id: idOf(s.key) + "-help" }, shorter[s.key] ?? s.description, " ",
      h("span", { class: "dim" }, s.from !== "default" && s.key !== "mode" && !["", '""', "[]"].includes(s.default) ? `Default: ${s.default}. ` : null, from && from + ". ", s.locked && "Cannot be changed here: " + s.locked + ". ",
        s.in_force !== undefined && `In force now: ${textOf(s.in_force)}.`)));
}

function passwordField(p) {
  return h("div", { class: "field", data: { key: "password" } },
    h("label", { for: "f-password" }, "Password"),
    h("input", { id: "f-password", type: "password", autocomplete: "new-password", placeholder: p.set ? "set; type to replace it" : "not set", "aria-describedby": "f-password-help f-password-said" }),
    h("p", { class: "said", id: "f-password-said", role: "alert" }),
    h("p", { class: "help", id: "f-password-help" }, "Kept in a file that only root reads, and never shown again. ", p.set ? h("button", { type: "button", class: "small quiet", onclick: removePassword }, "Remove it") : null));
}

async function load() {
  try {
    const a = await get("settings");
    setText($("#file"), "changes are written to " + a.file);
    const sections = { mode: $("#s-mode"), detect: $("#s-detect"), ban: $("#s-ban"), mail: $("#s-mail") };
    for (const box of Object.values(sections)) {
      $$(":scope > :not(legend)", box).forEach((e) => e.remove());
    }
    saved = {};
    for (const s of a.settings) {
      saved[s.key] = textOf(s.value);
      sections[s.key.split(".")[0]].append(field(s));
      fieldOf(s.key).value = saved[s.key];
      if (s.key === "mail.username") {
        sections.mail.append(passwordField(a.password));
      }
    }
    sections.mail.append(h("div", { class: "row wide" }, h("button", { type: "button", id: "mail-test", onclick: testMail }, "Save and send a test mail"), h("span", { id: "mail-said", role: "status" })));
    complain(a.problems);
    mark();
  } catch (problem) {
    $("#said").hidden = false;
    setText($("#said"), problem.message);
  }
}

function changes() {
  const out = {};
  for (const [key, value] of Object.entries(saved)) {
    const now = fieldOf(key).value.trim();
    if (now !== value) {
      out[key] = key === "mail.to" ? now.split(/[,;\n]/).map((a) => a.trim()).filter(Boolean) : now;
    }
  }
  return out;
}

function request() {
  const body = { changes: changes() };
  const password = $("#f-password")?.value;
  if (password) {
    body.password = password;
  }
  return body;
}

const dirty = () => Object.keys(changes()).length + ($("#f-password")?.value ? 1 : 0);

function mark() {
  const n = dirty();
  $("#save").disabled = $("#discard").disabled = n === 0;
  setText($("#changed"), n === 0 ? "" : n === 1 ? "1 change" : n + " changes");
  for (const key of Object.keys(saved)) {
    fieldOf(key).closest(".field").classList.toggle("changed", fieldOf(key).value.trim() !== saved[key]);
  }
}

function quiet() {
  $$(".settings .said").forEach((e) => setText(e, ""));
  $$(".settings [aria-invalid]").forEach((e) => e.removeAttribute("aria-invalid"));
  $("#said").hidden = true;
}

// complain puts each problem beside its field; what has none goes above.
function complain(problems) {
  const rest = [];
  for (const p of problems) {
    const key = p.key.replace(/\[.*$/, "") === "mail.password_file" ? "password" : p.key.replace(/\[.*$/, "");
    const said = document.getElementById(idOf(key) + "-said");
    if (!said) {
      rest.push((p.key ? p.key + ": " : "") + p.text);
      continue;
    }
    setText(said, (said.textContent ? said.textContent + "; " : "") + p.text);
    fieldOf(key).setAttribute("aria-invalid", "true");
  }
  if (rest.length) {
    $("#said").hidden = false;
    setText($("#said"), rest.join(" · "));
  }
}

const check = debounce(async () => {
  if (!dirty()) {
    quiet();
    return;
  }
  try {
    await post("settings/check", request());
    quiet();
  } catch (problem) {
    quiet();
    complain(problem.details?.problems ?? [{ key: "", text: problem.message }]);
  }
}, 350);

function riskText(r) {
  return h("div", { class: "risk" },
    h("h3", {}, `${titles[r.key] ?? r.key}: ${r.from} → ${r.to}`),
    h("p", {}, r.text),
    h("p", { class: "past" }, r.past),
    r.examples.length ? h("div", { class: "tablewrap" }, h("table", {}, h("caption", { class: "vh" }, "The latest of them"),
      h("tbody", {}, r.examples.map((s) => h("tr", {}, h("td", { class: "address" }, s.source), h("td", {}, placeText(s.place)), h("td", { class: "spare" }, kindsText(s.kinds)), h("td", { class: "nowrap" }, "score " + s.score), h("td", { class: "spare" }, timeNode(s.last))))))) : null);
}

// save writes, asking first what has to be asked. It resolves to whether it
// was done.
async function save(confirm = "") {
  if (!dirty()) {
    return true;
  }
  quiet();
  try {
    const answer = await put("settings", { ...request(), confirm });
    toast(answer.message, { notes: answer.warnings ?? [], bad: Boolean(answer.warnings) });
    await load();
    return true;
  } catch (problem) {
    if (problem.status === 409 && problem.details?.risks?.length) {
      if (await ask("Change who is banned?", problem.details.risks.map(riskText), "Change it")) {
        return save(problem.details.confirm);
      }
      return false;
    }
    if (problem.details?.problems) {
      complain(problem.details.problems);
      $(".settings [aria-invalid]")?.focus();
    } else {
      fail(problem);
    }
    return false;
  }
}

async function removePassword() {
  try {
    const answer = await put("settings", { changes: { "mail.username": null }, password: "" });
    toast(answer.message + ": neither user name nor password");
    await load();
  } catch (problem) {
    complain(problem.details?.problems ?? [{ key: "", text: problem.message }]);
  }
}

async function testMail() {
  if (!(await save())) {
    return;
  }
  const button = $("#mail-test");
  const said = $("#mail-said");
  button.disabled = true;
  setText(said, "sending …");
  try {
    const answer = await post("mail/test");
    show(said, answer.message + ". ", answer.results.map((r) => h("span", { class: r.ok ? "good" : "bad" }, `${r.target}: ${r.ok ? "accepted" : r.error}${r.explain ? " (" + r.explain + ")" : ""} `)));
  } catch (problem) {
    setText(said, "");
    if (problem.field) {
      complain([{ key: problem.field, text: problem.message }]);
    } else {
      setText(said, problem.message);
    }
  }
  button.disabled = false;
}

$("#form").addEventListener("input", () => { mark(); check(); });
$("#form").addEventListener("submit", (event) => { event.preventDefault(); save(); });
$("#form").addEventListener("reset", (event) => { event.preventDefault(); quiet(); load(); });
addEventListener("beforeunload", (event) => { if (dirty()) event.preventDefault(); });
start();
load();
