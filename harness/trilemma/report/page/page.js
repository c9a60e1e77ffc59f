"use strict";
(() => {
  const told = JSON.parse(document.getElementById("document").textContent);
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const two = (value) => value.toFixed(2).replace(/^-(0\.00)$/, "$1");
  const said = (score) => `${score.value.toFixed(3)} (${score.low.toFixed(3)} to ${score.high.toFixed(3)})`;
  const mechanisms = new Map(told.mechanisms.map((it) => [it.label, it]));

  /* the trade-off plane, at every price */
  const plane = document.querySelector("#plane svg");
  const frame = Object.fromEntries(["left", "top", "width", "height"].map((side) => [side, Number(plane.dataset[side])]));
  const across = (value) => frame.left + frame.width * value;
  const upwards = (value) => frame.top + frame.height * (1 - value);
  const dots = all(".mark", plane);

  function set(element, places) {
    for (const [name, value] of Object.entries(places)) element.setAttribute(name, value);
  }

  function move(place) {
    for (const dot of dots) {
      const here = mechanisms.get(dot.dataset.label).by_price[place];
      const { sybil_resistance: sr, neutrality: cn, quality_attacked: q } = here;
      const x = across(cn.value), y = upwards(sr.value);
      const circle = dot.querySelector("circle");
      set(circle, { cx: x, cy: y, r: 4 + 8 * Math.sqrt(q.value) });
      Object.assign(circle.dataset, { sr: sr.value, cn: cn.value, q: q.value });
      set(dot.querySelector(".across"), { x1: across(cn.low), x2: across(cn.high), y1: y, y2: y });
      set(dot.querySelector(".upwards"), { x1: x, x2: x, y1: upwards(sr.low), y2: upwards(sr.high) });
      dot.dataset.tip = `${dot.dataset.label}: SR ${said(sr)}, CN ${said(cn)}, Q ${said(q)}`;
      dot.setAttribute("aria-label", dot.dataset.tip);
    }
    join();
    name();
  }

  function join() {
    const points = dots.map((dot) => dot.querySelector("circle")).map((it) => [Number(it.dataset.cn), Number(it.dataset.sr)]);
    const line = [];
    for (const [cn, sr] of points.sort((one, other) => other[0] - one[0] || other[1] - one[1])) {
      if (line.length && sr <= line.at(-1)[1]) continue;
      if (line.length) line.push([cn, line.at(-1)[1]]);
      line.push([cn, sr]);
    }
    const path = line.reverse().map(([cn, sr]) => `${across(cn)},${upwards(sr)}`).join("L");
    plane.querySelector(".pareto-line").setAttribute("d", path ? `M${path}` : "");
  }

  /* a name stands beside its dot, as near as no other name or dot is in the way */
  function name() {
    const taken = dots.map((dot) => dot.querySelector("circle").getBBox());
    for (const dot of dots) {
      const circle = dot.querySelector("circle"), text = dot.querySelector("text");
      const [x, y, r] = ["cx", "cy", "r"].map((it) => Number(circle.getAttribute(it)));
      const { width, height } = text.getBBox();
      const box = places(x, y, r + 11, width, height).find((it) => fits(it, taken));
      taken.push(box);
      const left = box.x < x;
      set(text, { x: left ? box.x + width : box.x, y: box.y + height * 0.8, "text-anchor": left ? "end" : "start" });
      set(leader(dot), { x1: x, y1: y, x2: left ? box.x + width + 2 : box.x - 2, y2: box.y + height / 2 });
    }
  }

  /* to the right and to the left, then ever further down and up; the last is taken come what may */
  function* rows(height) {
    for (let step = 0; step < 40; step += 1) yield (step % 2 ? 1 : -1) * Math.ceil(step / 2) * height;
  }

  function places(x, y, away, width, height) {
    const sides = [x + away, x - away - width];
    return [...rows(height), 0].flatMap((down, n) => sides.map((side) => (
      { x: side, y: y + down - height / 2, width, height, anyway: n === 40 })));
  }

  function fits(box, taken) {
    const inside = box.x >= frame.left - 12 && box.x + box.width <= frame.left + frame.width + 16
      && box.y >= frame.top - 14 && box.y + box.height <= frame.top + frame.height + 14;
    const free = taken.every((it) => box.x > it.x + it.width || it.x > box.x + box.width
      || box.y >= it.y + it.height || it.y >= box.y + box.height);
    return box.anyway || (inside && free);
  }

  function leader(dot) {
    const known = dot.querySelector(".leader");
    if (known) return known;
    const made = document.createElementNS(plane.namespaceURI, "line");
    made.setAttribute("class", "leader");
    dot.prepend(made);
    return made;
  }

  const price = document.getElementById("price");
  price.addEventListener("input", () => {
    const here = told.mechanisms[0].by_price[price.value].price;
    document.getElementById("price-said").textContent = here;
    price.setAttribute("aria-valuetext", `${here} of all that an epoch pays`);
    move(Number(price.value));
  });
  if (dots.length) {
    move(Number(price.value));
    addEventListener("resize", name);
  }

  /* the reader's own demands */
  const demands = document.getElementById("demands");
  function judge() {
    const side = document.getElementById("side").value;
    const asked = all("input[type=range]", demands);
    for (const it of asked) it.nextElementSibling.textContent = two(Number(it.value));
    let passing = 0;
    for (const rule of told.mechanisms) {
      const short = asked.filter((it) => rule[side][it.dataset.score].value < Number(it.value));
      const names = short.map((it) => it.parentElement.firstChild.textContent.trim());
      passing += short.length === 0;
      for (const it of all(`[data-label="${CSS.escape(rule.label)}"]`)) it.classList.toggle("fails", short.length > 0);
      const row = all("#rows tbody tr").find((it) => it.dataset.label === rule.label);
      row.querySelector(".failing").textContent = names.length ? `fails ${names.join(", ")}` : "";
    }
    const demanding = asked.some((it) => Number(it.value) > 0);
    document.getElementById("passing").textContent = demanding ? `${passing} of ${told.mechanisms.length} mechanisms pass.` : "";
  }
  demands.addEventListener("input", judge);
  demands.addEventListener("submit", (event) => event.preventDefault());

  /* sorting */
  const table = document.getElementById("rows");
  const heads = all("thead tr:last-child th", table);
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const value = (row) => (column ? Number(row.cells[column].dataset.value) : row.dataset.label);
    const falling = column ? head.getAttribute("aria-sort") !== "descending" : head.getAttribute("aria-sort") === "ascending";
    const order = all("tbody tr", table).sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      return (a < b ? -1 : a > b ? 1 : 0) * (falling ? -1 : 1);
    });
    for (const it of heads) it.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    table.tBodies[0].append(...order);
  }));

  /* tooltips, for the pointer and for the keyboard */
  const tip = document.getElementById("tip");
  const TOLD = "[data-tip], [data-harm]";
  function cell({ parentNode, dataset: { attack, harm, play } }) {
    const row = parentNode.closest(".row").dataset.label;
    return `${row}, ${attack}: ${Number(harm).toFixed(3)}${play ? `, ${play}` : ""}`;
  }
  let shown = null;
  function show(event) {
    shown = event.target.closest?.(TOLD) ?? event.target.querySelector?.(TOLD);
    if (!shown) return hide();
    tip.textContent = shown.dataset.tip ?? cell(shown);
    tip.hidden = false;
    stand();
  }
  function stand() {
    if (tip.hidden) return;
    const box = shown.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const x = Math.min(Math.max(4, box.left + box.width / 2 - own.width / 2), innerWidth - own.width - 4);
    const y = box.top > own.height + 10 ? box.top - own.height - 6 : box.bottom + 6;
    Object.assign(tip.style, { left: `${x}px`, top: `${y}px` });
  }
  function hide() { tip.hidden = true; }
  addEventListener("pointerover", show);
  addEventListener("focusin", show);
  addEventListener("focusout", hide);
  addEventListener("scroll", stand, { passive: true, capture: true });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  /* a witness opens where a link leads to it */
  function unfold() {
    const at = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (at instanceof HTMLDetailsElement) {
      at.open = true;
      at.scrollIntoView();
      at.querySelector("summary").focus();
    }
  }
  addEventListener("hashchange", unfold);
  unfold();

  /* downloads */
  function save(name, kind, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: kind }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  const scores = ["sybil_resistance", "neutrality", "quality", "quality_attacked"];
  function csv() {
    const quoted = (value) => (/[",\n\r]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
    /* a spreadsheet would run a name that begins like a formula */
    const text = (value) => quoted(/^[=+\-@\t]/.test(value) ? `'${value}` : value);
    const head = ["mechanism", "identities", ...scores.flatMap((it) => [it, `${it}_low`, `${it}_high`]), "minimum", "cutoff_number"];
    const lines = told.mechanisms.flatMap((rule) => [["verified", 1], ["free", told.budget.identities]].map(([side, count]) => [
      text(rule.label), count, ...scores.flatMap((it) => [rule[side][it].value, rule[side][it].low, rule[side][it].high]),
      rule[side].minimum, rule[side].cutoff_number ?? "",
    ]));
    return [head, ...lines].map((line) => line.join(",")).join("\r\n") + "\r\n";
  }
  document.getElementById("csv").addEventListener("click", () => save("trilemma.csv", "text/csv", csv()));
  document.getElementById("json").addEventListener("click", () => save("trilemma.json", "application/json", JSON.stringify(told, null, 2)));

  const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "paint-order", "text-anchor"];
  function drawn(svg) {
    const copy = svg.cloneNode(true);
    const pairs = [[svg, copy], ...all("*", svg).map((it, n) => [it, all("*", copy)[n]])];
    for (const [from, to] of pairs) {
      const style = getComputedStyle(from);
      for (const it of STYLES) to.setAttribute(it, style.getPropertyValue(it));
      for (const it of ["class", "tabindex", "data-tip"]) to.removeAttribute(it);
    }
    return copy;
  }
  function whole(figure) {
    const parts = all("svg", figure).map(drawn);
    const boxes = parts.map((it) => it.viewBox.baseVal);
    const columns = Math.min(4, parts.length);
    const [width, tall] = [Math.max(...boxes.map((it) => it.width)) + 12, Math.max(...boxes.map((it) => it.height)) + 12];
    const out = document.createElementNS(plane.namespaceURI, "svg");
    set(out, { xmlns: plane.namespaceURI, viewBox: `-6 -6 ${width * columns} ${tall * Math.ceil(parts.length / columns)}` });
    parts.forEach((it, n) => {
      set(it, { x: width * (n % columns), y: tall * Math.floor(n / columns), width: boxes[n].width, height: boxes[n].height });
      out.append(it);
    });
    return new XMLSerializer().serializeToString(out);
  }
  for (const figure of all("figure")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "actions";
    button.textContent = "Download as SVG";
    button.setAttribute("aria-label", `Download ${figure.dataset.name} as SVG`);
    button.addEventListener("click", () => save(`${figure.dataset.name}.svg`, "image/svg+xml", whole(figure)));
    figure.append(button);
  }
})();
