// SPDX-License-Identifier: MIT
//
// Before the first paint: what the user chose, if not what the system says.
(() => {
  const theme = localStorage.getItem("denmap-theme");
  if (theme === "dark" || theme === "light") {
    document.documentElement.dataset.theme = theme;
  }
})();
