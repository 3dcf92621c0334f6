"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const search = byId("search");
  const differing = byId("differing");
  const boxes = [...document.querySelectorAll("input[name=outcome]")];
  const cases = [...document.querySelectorAll(".case")];
  const chapters = [...document.querySelectorAll(".chapter")];
  const texts = new Map();

  // What the search looks at, read when it is first needed: requirement, id, facts and reasons.
  function textOf(item) {
    if (!texts.has(item)) {
      const parts = item.querySelectorAll(":scope > summary, :scope > .body > dl, :scope > .body > .reason");
      texts.set(item, [...parts].map((part) => part.textContent).join(" ").toLowerCase());
    }
    return texts.get(item);
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    for (const item of cases) {
      const outcomes = item.dataset.outcomes.split(" ");
      const fits = outcomes.some((outcome) => wanted.has(outcome))
        && (!differing || !differing.checked || outcomes.length > 1)
        && words.every((word) => textOf(item).includes(word));
      item.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    for (const chapter of chapters) {
      chapter.hidden = !chapter.querySelector(".case:not([hidden])");
    }
    byId("shown").value = `${shown} of ${cases.length} cases`;
    byId("none").hidden = shown > 0;
  }

  function reset() {
    search.value = "";
    for (const box of boxes) { box.checked = true; }
    if (differing) { differing.checked = false; }
    filter();
  }

  function move(step) {
    const visible = cases.filter((item) => !item.hidden);
    const here = visible.indexOf(document.activeElement.closest(".case"));
    const next = visible[here < 0 ? 0 : Math.min(visible.length - 1, Math.max(0, here + step))];
    if (next) {
      next.querySelector("summary").focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest" });
    }
  }

  function openTarget() {
    const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
    if (!target) { return; }
    if (target.hidden) { reset(); }
    if (target.matches(".case")) {
      target.open = true;
      target.querySelector("summary").focus({ preventScroll: true });
    }
    target.scrollIntoView();
  }

  // The address of the page then leads to the case that the reader has just opened.
  function opened(event) {
    const item = event.target;
    if (item.matches(".case") && item.open && item.contains(document.activeElement)) {
      history.replaceState(null, "", `#${encodeURIComponent(item.id)}`);
    }
  }

  search.addEventListener("input", filter);
  for (const box of boxes) { box.addEventListener("change", filter); }
  if (differing) { differing.addEventListener("change", filter); }
  byId("reset").addEventListener("click", reset);
  search.form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.key === "Escape") { reset(); search.blur(); return; }
    if (event.target === search) {
      if (event.key === "Enter") { search.blur(); move(1); }
      return;
    }
    if (event.key === "/") { event.preventDefault(); search.focus(); }
    if (event.key === "j") { move(1); }
    if (event.key === "k") { move(-1); }
  });
  document.addEventListener("toggle", opened, true);
  window.addEventListener("hashchange", openTarget);
  window.addEventListener("beforeprint", () => {
    for (const item of cases) {
      item.open = item.open || !/^(passed|not-applicable)$/.test(item.dataset.outcomes);
    }
  });
  filter();
  openTarget();
})();
