"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  const root = document.documentElement;
  const search = byId("search");
  const found = byId("found");
  const turns = all(".turn");
  for (const element of all(".controls, .keys")) element.hidden = false;

  const setOpen = (open, selector) => {
    for (const element of all(selector)) element.open = open;
  };
  byId("unfold").addEventListener("click", () => setOpen(true, ".turn details"));
  byId("fold").addEventListener("click", () => setOpen(false, ".turn details"));
  byId("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  // Search: each part of the conversation is kept or hidden as a whole; folds that contain a match are opened.
  const PARTS = ".say, .thought, .steps > li, .file, .tests, .made, .why.stop, .more";
  const MOST_MARKS = 2000;
  let parts = null;
  let hits = [];
  let at = -1;
  let openedBySearch = [];

  const indexParts = () =>
    all(PARTS, byId("main"))
      .filter((element) => !element.parentElement.closest(".steps > li, .say, .thought"))
      .map((element) => ({ element, text: element.textContent.toLowerCase(), turn: element.closest(".turn") }));

  const mark = (elements, words) => {
    if (!CSS.highlights) return;
    const ranges = [];
    for (const element of elements) {
      const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
      while (ranges.length < MOST_MARKS && walker.nextNode()) {
        const text = walker.currentNode.data.toLowerCase();
        for (let from = text.indexOf(words); from >= 0; from = text.indexOf(words, from + words.length)) {
          const range = new Range();
          range.setStart(walker.currentNode, from);
          range.setEnd(walker.currentNode, from + words.length);
          ranges.push(range);
        }
      }
      if (ranges.length >= MOST_MARKS) break;
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  };

  const clear = () => {
    for (const element of all("main [hidden], .index [hidden]")) element.hidden = false;
    for (const element of openedBySearch) element.open = false;
    openedBySearch = [];
    all(".hit").forEach((element) => element.classList.remove("hit"));
    if (CSS.highlights) CSS.highlights.delete("found");
    hits = [];
    at = -1;
    found.textContent = "";
  };

  const run = () => {
    const words = search.value.trim().toLowerCase();
    clear();
    if (!words) return;
    parts ??= indexParts();
    const kept = new Set();
    for (const part of parts) {
      const match = part.text.includes(words);
      part.element.hidden = !match;
      if (!match) continue;
      hits.push(part.element);
      kept.add(part.turn);
      for (let fold = part.element.closest("details"); fold; fold = fold.parentElement.closest("details")) {
        kept.add(fold);
        if (fold.open) continue;
        fold.open = true;
        openedBySearch.push(fold);
      }
    }
    for (const fold of all(".group, .agent")) fold.hidden = !kept.has(fold) && !fold.querySelector(":scope > .say:not([hidden])");
    for (const turn of turns) turn.hidden = !kept.has(turn);
    for (const entry of all(".index [data-for]")) entry.hidden = byId(entry.dataset.for).hidden;
    const inTurns = turns.filter((turn) => !turn.hidden).length;
    found.textContent = hits.length
      ? `${hits.length} ${hits.length === 1 ? "part" : "parts"} in ${inTurns} ${inTurns === 1 ? "request" : "requests"}. Enter: next.`
      : "Nothing found.";
    mark(hits, words);
  };

  const go = (step) => {
    if (!hits.length) return;
    hits[at]?.classList.remove("hit");
    at = (at + step + hits.length) % hits.length;
    hits[at].classList.add("hit");
    hits[at].scrollIntoView({ block: "center" });
    found.textContent = `${at + 1} of ${hits.length}`;
  };

  let waiting;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(run, 120);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      clearTimeout(waiting);
      if (!hits.length) run();
      go(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      search.value = "";
      clear();
      search.blur();
    }
  });

  // A link to a folded part opens the folds around it, and the part itself.
  const reveal = () => {
    const target = byId(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.hidden || target.closest("[hidden]")) {
      search.value = "";
      clear();
    }
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    const own = target.querySelector(":scope > details");
    if (own && target.matches("li")) own.open = true;
    target.scrollIntoView({ block: target.matches(".turn, .session") ? "start" : "center" });
    for (const link of all(".index a[aria-current]")) link.removeAttribute("aria-current");
    const turn = target.closest(".turn");
    if (turn) all(".index a").find((link) => link.hash === `#${turn.id}`)?.setAttribute("aria-current", "true");
  };
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();

  const neighbour = (step) => {
    const shown = turns.filter((turn) => !turn.hidden);
    const tops = shown.map((turn) => turn.getBoundingClientRect().top);
    let index = step > 0 ? tops.findIndex((top) => top > 40) : tops.findLastIndex((top) => top < -10);
    if (index < 0) index = step > 0 ? shown.length - 1 : 0;
    shown[index]?.scrollIntoView({ block: "start" });
    shown[index]?.focus({ preventScroll: true });
  };
  addEventListener("keydown", (event) => {
    if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = {
      "/": () => search.focus(),
      j: () => neighbour(1),
      k: () => neighbour(-1),
      o: () => setOpen(true, ".group, .agent"),
      c: () => setOpen(false, ".turn details"),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });
})();
