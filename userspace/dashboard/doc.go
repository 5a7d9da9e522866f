// SPDX-License-Identifier: MIT

// Package dashboard is DenMap's web page and the JSON API under /api/v1
// that it uses. It is served on loopback only, to who has signed in with a
// one-time link.
//
// Who may do what is decided in one place (guard.go), before any handler:
//
//   - The Host header must name this host by a loopback name and the port
//     it listens on, so that a foreign name that resolves to 127.0.0.1
//     reaches nothing.
//   - A browser that says where a request comes from (Origin,
//     Sec-Fetch-Site) must say: from this page.
//   - Without a session there is the sign-in page, whatever the path.
//   - The API wants, beside the session's cookie, the session's key in the
//     header X-DenMap-Key. No other origin can send that header, and the
//     key is in the storage of this origin, which includes the port: a
//     cookie alone, which browsers share between all ports of a host, is
//     worth nothing.
//
// No GET changes anything. Texts from the network go to the page as JSON
// and into it as text nodes; the Content-Security-Policy allows neither
// inline script or style nor, by trusted types, markup from strings.
//
// The package holds no policy of its own: lists are edited by package
// lists, settings checked by package config, and everything else is asked
// of the interfaces in options.go.
package dashboard
