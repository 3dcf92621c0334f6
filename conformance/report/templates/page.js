"use strict";
(() => {
  const search = document.getElementById("search");
  const boxes = [...document.querySelectorAll("input[name=outcome]")];
  const cases = [...document.querySelectorAll(".case")];
  const chapters = [...document.querySelectorAll(".chapter")];

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    for (const item of cases) {
      const fits = item.dataset.outcomes.split(" ").some((outcome) => wanted.has(outcome))
        && words.every((word) => item.dataset.words.includes(word));
      item.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    for (const chapter of chapters) {
      chapter.hidden = !chapter.querySelector(".case:not([hidden])");
    }
    document.getElementById("shown").value = `${shown} of ${cases.length} cases`;
    document.getElementById("none").hidden = shown > 0;
  }

  function move(step) {
    const visible = cases.filter((item) => !item.hidden);
    const here = visible.indexOf(document.activeElement.closest(".case"));
    const next = visible[here < 0 ? 0 : Math.min(visible.length - 1, Math.max(0, here + step))];
    if (next) { next.querySelector("summary").focus(); }
  }

  function reset() {
    search.value = "";
    for (const box of boxes) { box.checked = true; }
    filter();
  }

  function openTarget() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.matches(".case")) { target.open = true; target.scrollIntoView(); }
  }

  search.addEventListener("input", filter);
  for (const box of boxes) { box.addEventListener("change", filter); }
  document.getElementById("reset").addEventListener("click", reset);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.key === "Escape") { reset(); search.blur(); return; }
    if (event.target.matches("input[type=search]")) { return; }
    if (event.key === "/") { event.preventDefault(); search.focus(); }
    if (event.key === "j") { move(1); }
    if (event.key === "k") { move(-1); }
  });
  window.addEventListener("hashchange", openTarget);
  window.addEventListener("beforeprint", () => {
    for (const item of cases) { item.open = item.open || !/^(passed|not-applicable)$/.test(item.dataset.outcomes); }
  });
  filter();
  openTarget();
})();
