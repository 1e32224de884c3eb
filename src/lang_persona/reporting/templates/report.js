// Figures answer to the pointer and to the keyboard; without this script they are pictures with titles.
"use strict";

(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  document.body.append(tip);

  function show(spot) {
    const [head, ...rest] = spot.dataset.tip.split(": ");
    const name = document.createElement("strong");
    name.textContent = rest.length ? head : "";
    tip.replaceChildren(name, document.createTextNode(rest.length ? rest.join(": ") : head));
    tip.hidden = false;
    const place = spot.getBoundingClientRect();
    const room = document.documentElement.clientWidth;
    const left = place.left + place.width / 2 - tip.offsetWidth / 2;
    const above = place.top - tip.offsetHeight - 8;
    tip.style.left = `${Math.max(8, Math.min(left, room - tip.offsetWidth - 8)) + window.scrollX}px`;
    tip.style.top = `${(above > 8 ? above : place.bottom + 8) + window.scrollY}px`;
  }

  const hide = () => { tip.hidden = true; };

  for (const plot of document.querySelectorAll(".plot")) {
    const spots = [...plot.querySelectorAll(".spot")];
    for (const spot of spots) {
      spot.dataset.tip = spot.title;
      spot.removeAttribute("title");
      spot.addEventListener("pointerenter", () => show(spot));
      spot.addEventListener("pointerleave", () => { if (document.activeElement !== spot) hide(); });
      spot.addEventListener("focus", () => show(spot));
      spot.addEventListener("blur", hide);
      spot.addEventListener("click", () => spot.focus({ preventScroll: true }));
    }
    // One tab stop a figure; arrow keys go from value to value.
    plot.addEventListener("keydown", (event) => {
      if (event.key === "Escape") return hide();
      const seen = spots.filter((spot) => !spot.hidden);
      const now = seen.indexOf(document.activeElement);
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const end = { Home: 0, End: seen.length - 1 }[event.key];
      if (now < 0 || (step === undefined && end === undefined)) return;
      event.preventDefault();
      enter(spots, seen[end ?? (now + step + seen.length) % seen.length]).focus();
    });
    enter(spots, spots[0]);
    legend(plot, spots);
  }

  // The one spot that the tab key reaches.
  function enter(spots, chosen) {
    for (const spot of spots) spot.tabIndex = spot === chosen ? 0 : -1;
    return chosen;
  }

  // Buttons in place of the drawn legend: each hides its series and shows it again.
  function legend(plot, spots) {
    const series = new Map(spots.filter((spot) => spot.dataset.series).map((spot) => [spot.dataset.series, spot]));
    if (series.size < 2) return;
    const list = document.createElement("div");
    list.className = "series";
    list.setAttribute("role", "group");
    list.setAttribute("aria-label", "Show or hide");
    for (const [name, spot] of series) {
      const button = document.createElement("button");
      const swatch = document.createElement("span");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      swatch.style.background = spot.dataset.colour;
      button.append(swatch, name);
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        for (const part of plot.querySelectorAll("[data-series]")) {
          if (part.dataset.series !== name) continue;
          if (part instanceof SVGElement) part.style.display = on ? "" : "none";
          else part.hidden = !on;
        }
        enter(spots, spots.find((other) => !other.hidden));
      });
      list.append(button);
    }
    plot.classList.add("keyed");
    plot.parentElement.before(list);
  }

  // The contents stay open beside a wide page, with the section in view marked.
  const contents = document.querySelector(".contents");
  const wide = window.matchMedia("(min-width: 88rem)");
  const follow = () => { contents.open = wide.matches; };
  wide.addEventListener("change", follow);
  follow();
  const links = new Map([...contents.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) {
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  for (const section of document.querySelectorAll("main > section")) watch.observe(section);
})();
