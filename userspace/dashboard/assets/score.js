// SPDX-License-Identifier: MIT

import { h } from "./dom.js";

// scoreCell is the score as a bar up to the ban threshold, with a mark at
// the alert threshold. Of the two scores it shows the one nearer to a ban.
export function scoreCell(r, scores) {
  const udp = r.udp_score / scores.udp_ban > r.score / scores.ban;
  const value = udp ? r.udp_score : r.score;
  const ban = udp ? scores.udp_ban : scores.ban;
  const alert = udp ? scores.udp_alert : scores.alert;
  const part = Math.min(1, value / ban);
  const bar = h("span", { class: "meter", data: { level: value >= ban ? "ban" : value >= alert ? "alert" : "low" } }, h("span", { class: "fill" }));
  bar.style.setProperty("--part", part);
  bar.style.setProperty("--alert", alert / ban);
  bar.setAttribute("aria-hidden", "true");
  return h("span", { class: "score", title: `${udp ? "UDP score" : "score"} ${value}; alert at ${alert}, ban at ${ban}` }, bar,
    h("span", { class: "value" }, `${value}/${ban}${udp ? " udp" : ""}`));
}
