// SPDX-License-Identifier: MIT
//
// What can be done about a source, the same wherever it is shown.

import { h } from "./dom.js";
import { post, remove } from "./api.js";
import { ask, fail, toast } from "./page.js";

// act does something and tells; what the daemon only does when it is asked
// twice is asked.
async function act(title, request) {
  try {
    done(await request(false));
  } catch (problem) {
    if (!problem.force) {
      fail(problem);
      return;
    }
    if (await ask(title, h("p", {}, problem.message + "."), "Do it all the same")) {
      await request(true).then(done, fail);
    }
  }
}

function done(answer) {
  toast(answer.message, answer);
  dispatchEvent(new Event("denmap-changed"));
}

export const ban = (source) => act("Ban " + source + "?", (force) => post("bans", { source, force }));
export const unban = (source) => act("", () => remove("bans", { source }));
export const allow = (source) => list("allow", source);
export const deny = (source) => list("deny", source);

function list(name, source) {
  const comment = "added on the page, " + new Date().toISOString().slice(0, 10);
  return act(`Put ${source} on the ${name} list?`, (force) => post("lists/" + name, { addresses: source, comment, force }));
}

// buttons are those for a source, which is banned or not.
export function buttons(source, banned) {
  const one = (text, title, action, extra) => h("button", {
    type: "button", class: "small " + (extra ?? ""), title, "aria-label": `${text} ${source}`, onclick: () => action(source),
  }, text);
  return [
    banned ? one("Unban", "Lift the ban and forget the score", unban) : one("Ban", "Ban for as long as ban.duration says", ban, "warn"),
    one("Allow", "Put on the allow list: never banned", allow),
    one("Deny", "Put on the deny list: always dropped", deny, "warn"),
  ];
}
