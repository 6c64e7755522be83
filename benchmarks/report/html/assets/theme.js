// Light or dark by hand, boxes that scroll by keyboard, and paper that shows what a click would have opened.
"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.style.colorScheme ? root.style.colorScheme === "dark" : dark.matches);
  const name = () => (button.textContent = isDark() ? "Light page" : "Dark page");
  const kept = (value) => {
    try { // a browser may refuse a page from disk its storage
      if (value) localStorage.setItem("crossover-theme", value);
      return localStorage.getItem("crossover-theme");
    } catch {
      return null;
    }
  };
  const before = kept();
  if (before === "dark" || before === "light") root.style.colorScheme = before;
  button.hidden = false;
  button.addEventListener("click", () => {
    root.style.colorScheme = isDark() ? "light" : "dark";
    kept(root.style.colorScheme);
    name();
  });
  dark.addEventListener("change", name);
  name();

  const reach = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  document.querySelectorAll(".scroll, pre").forEach((box) => reach.observe(box));

  let opened = []; // the tables of pictures; code, patches and long lists print as they stand
  let colours = "";
  addEventListener("beforeprint", () => {
    colours = root.style.colorScheme;
    root.style.colorScheme = "light";
    opened = [...document.querySelectorAll("figure details:not([open])")];
    for (const each of opened) each.open = true;
  });
  addEventListener("afterprint", () => {
    root.style.colorScheme = colours;
    for (const each of opened) each.open = false;
  });
})();
