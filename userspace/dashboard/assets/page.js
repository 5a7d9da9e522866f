// SPDX-License-Identifier: MIT
//
// What all views share: the bar at the top, messages, questions.

import { $, h, setText, show } from "./dom.js";
import { post, signedOut } from "./api.js";
import { follow } from "./stream.js";
import { left, sourceURL } from "./format.js";

const toastLife = 15000;
// patience is how long the daemon may be away, as for a restart, before the
// page speaks of it.
const patience = 4000;

// start brings the bar to life. on takes the events of the stream; rows
// says whether the live table is wanted.
export function start(on = {}, rows = false) {
  themeButton();
  // On a phone the menu is wider than the screen.
  const nav = $("nav"), here = $("nav [aria-current]");
  if (here) nav.scrollLeft = here.offsetLeft + here.offsetWidth - nav.clientWidth + 16;
  $("#sign-out").addEventListener("click", async () => {
    await post("sign-out").catch(() => {});
    signedOut();
  });
  $("#find").addEventListener("submit", (event) => {
    event.preventDefault();
    const address = $("#find-address").value.trim();
    if (address) {
      location.assign(sourceURL(address));
    }
  });
  follow(rows, { ...on, pulse: (p) => { pulse(p); on.pulse?.(p); } }, linkState);
}

// linkState shows whether the page is live, and after a while that it is
// not: figures that stand still look like a quiet host.
let silent = 0;
function linkState(state) {
  $("#link").dataset.state = state;
  setText($("#link-text"), state);
  if (state === "live") {
    clearTimeout(silent);
    silent = 0;
  } else if (!silent) {
    const since = new Date().toLocaleTimeString(undefined, { hourCycle: "h23" });
    silent = setTimeout(() => {
      setText($("#problems"), `The daemon has not answered since ${since}: what is shown is of then. What protects the host is in the kernel; denmap status tells.`);
      $("#problems").hidden = false;
    }, patience);
  }
}

function pulse(p) {
  const mode = $("#mode");
  mode.hidden = false;
  mode.dataset.mode = p.paused_until ? "paused" : p.mode;
  setText(mode, p.paused_until ? "paused, " + left(p.paused_until) + " left" : p.mode === "enforce" ? "enforcing" : "monitoring");
  const problems = $("#problems");
  const text = p.problems.join(" · ");
  problems.hidden = !text;
  setText(problems, text);
}

function themeButton() {
  const button = $("#theme");
  const themes = ["system", "dark", "light"];
  const now = () => document.documentElement.dataset.theme ?? "system";
  const label = () => {
    button.textContent = { system: "◐", dark: "☾", light: "☀" }[now()];
    button.setAttribute("aria-label", "Theme: " + now());
    button.title = "Theme: " + now();
  };
  label();
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(now()) + 1) % themes.length];
    if (next === "system") {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem("denmap-theme");
    } else {
      document.documentElement.dataset.theme = next;
      localStorage.setItem("denmap-theme", next);
    }
    label();
  });
}

// toast tells the outcome of something, with a button to take it back.
export function toast(message, { notes = [], undo = "", bad = false } = {}) {
  const box = h("div", { class: bad ? "toast bad" : "toast" },
    h("p", {}, message, notes.map((n) => h("span", { class: "note" }, n))));
  const close = () => box.remove();
  if (undo) {
    box.append(h("button", { type: "button", onclick: async () => {
      close();
      try {
        toast((await post("undo", { undo })).message);
        dispatchEvent(new Event("denmap-changed"));
      } catch (problem) {
        fail(problem);
      }
    } }, "Undo"));
  }
  box.append(h("button", { type: "button", class: "quiet", "aria-label": "Dismiss", onclick: close }, "×"));
  $("#toasts").append(box);
  const leave = () => {
    if (box.matches(":hover, :focus-within")) {
      setTimeout(leave, 3000);
    } else {
      close();
    }
  };
  setTimeout(leave, toastLife);
}

export function fail(problem) {
  toast(problem.message, { bad: true, notes: problem.hint ? [problem.hint] : [] });
}

// ask shows a question and resolves to whether it was answered with yes.
export function ask(title, body, yes, { danger = true } = {}) {
  const dialog = $("#ask");
  setText($("#ask-title"), title);
  show($("#ask-body"), body);
  setText($("#ask-yes"), yes);
  $("#ask-yes").className = danger ? "danger" : "primary";
  dialog.returnValue = "no";
  dialog.showModal();
  $("#ask-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// spans makes the buttons hour, day, week, month; what is chosen stands in
// the address, so that it can be kept and sent.
export function spans(element, changed) {
  const names = { hour: "Hour", day: "Day", week: "Week", month: "Month" };
  const query = new URLSearchParams(location.search);
  let chosen = names[query.get("span")] ? query.get("span") : "day";
  const buttons = Object.entries(names).map(([name, title]) => h("button", {
    type: "button", "aria-pressed": String(name === chosen), data: { span: name },
    onclick: () => {
      chosen = name;
      buttons.forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.span === name)));
      keep({ span: name });
      changed(name);
    },
  }, title));
  element.append(...buttons);
  return () => chosen;
}

// now calls f every so many milliseconds while somebody sees the page.
export function now(f, milliseconds) {
  setInterval(() => document.hidden || f(), milliseconds);
}

// keep puts parameters into the address.
export function keep(parameters) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(parameters)) {
    if (value) {
      query.set(name, value);
    } else {
      query.delete(name);
    }
  }
  const text = query.toString();
  history.replaceState(null, "", location.pathname + (text ? "?" + text : ""));
}
