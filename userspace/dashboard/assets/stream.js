// SPDX-License-Identifier: MIT
//
// Server-sent events over fetch: EventSource cannot send the key.

import { key, signedOut } from "./api.js";

// hiddenFor is how long a page that nobody sees keeps its stream: browsers
// allow six connections to one address.
const hiddenFor = 20000;
const longestWait = 10000;

// follow calls on[name](data) for each event, and state("live" or
// "connecting") when the connection comes and goes. It never ends.
export function follow(rows, on, state) {
  let stop = new AbortController();
  let wait = 500;
  let hidden = 0;

  async function once() {
    stop = new AbortController();
    const answer = await fetch("/api/v1/stream" + (rows ? "?rows=1" : ""), {
      headers: { "X-DenMap-Key": key() },
      signal: stop.signal,
    });
    if (answer.status === 401) {
      signedOut();
      return;
    }
    if (!answer.ok) {
      throw new Error("no stream");
    }
    wait = 500;
    state("live");
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) {
        return;
      }
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      parts.forEach(dispatch);
    }
  }

  function dispatch(block) {
    const match = /^event: (\w+)\ndata: (.*)$/.exec(block);
    if (match) {
      on[match[1]]?.(JSON.parse(match[2]));
    }
  }

  async function loop() {
    for (;;) {
      if (document.hidden && hidden && Date.now() - hidden > hiddenFor) {
        await new Promise((seen) => document.addEventListener("visibilitychange", seen, { once: true }));
        continue;
      }
      await once().catch(() => {});
      state("connecting");
      await new Promise((later) => setTimeout(later, wait));
      wait = Math.min(wait * 2, longestWait);
    }
  }

  document.addEventListener("visibilitychange", () => {
    hidden = document.hidden ? Date.now() : 0;
    if (hidden) {
      setTimeout(() => document.hidden && stop.abort(), hiddenFor + 100);
    }
  });
  addEventListener("pagehide", () => stop.abort());
  loop();
}
