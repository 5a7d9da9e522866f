// SPDX-License-Identifier: MIT
//
// The token of a one-time link stands behind the "#", which browsers send
// nowhere; it leaves this page only in the body of the one request below.

const form = document.getElementById("form");
const field = document.getElementById("token");
const said = document.getElementById("said");

// tokenIn takes a whole link or the token alone.
function tokenIn(text) {
  const at = text.lastIndexOf("#");
  return text.slice(at + 1).trim();
}

async function signIn(token) {
  said.textContent = "";
  const answer = await fetch("/api/v1/sign-in", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  const body = await answer.json();
  if (!answer.ok) {
    throw new Error(body.error);
  }
  localStorage.setItem("denmap-key", body.key);
  const here = location.pathname + location.search;
  location.replace(location.pathname === "/sign-in" ? "/" : here);
}

async function attempt(token) {
  try {
    await signIn(token);
  } catch (problem) {
    said.textContent = problem instanceof TypeError ? "The daemon does not answer." : problem.message;
    field.focus();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(tokenIn(field.value));
});

function fromAddress() {
  const token = tokenIn(location.hash);
  if (location.hash && token) {
    // It must not stay in the history of the browser.
    history.replaceState(null, "", location.pathname);
    attempt(token);
  }
}
addEventListener("hashchange", fromAddress);
fromAddress();
