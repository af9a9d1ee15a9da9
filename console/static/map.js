// Halls as seen from above: a strip a row, a cell a rack, coloured by load or by inlet temperature.
// What the colour says is also written in the cell; what can't be believed is hatched and says so.

import { h, recall, remember, setAttribute, setText } from "./dom.js";
import { age, fixed, judge, percent, quantity, DASH, MARKS } from "./format.js";
import { describe, showAge, STATES } from "./tree.js";

const LOAD_STEPS = [0.25, 0.5, 0.75, 0.9, 1.0];
const HEAT_STEPS = [18, 22, 25, 27, 32];
const MODES = {
  load: { title: "Load", steps: LOAD_STEPS, labels: ["< 25 %", "25–50", "50–75", "75–90", "90–100", "▲ > 100 %"] },
  temperature: { title: "Air inlet", steps: HEAT_STEPS, labels: ["< 18 °C", "18–22", "22–25", "25–27", "▲ 27–32", "▲▲ > 32 °C"] },
};
const PERIODS_UNTIL_STALE = 2.5;

export class HallMap {
  constructor(live, open) {
    this.live = live;
    this.open = open;
    this.mode = recall("map") === "temperature" ? "temperature" : "load";
    this.cells = new Map();
    this.halls = [];
    this.current = null;
    this.legend = h("ul", { class: "legend", "aria-label": "Colours" });
    this.buttons = Object.entries(MODES).map(([mode, { title }]) =>
      h("button", { type: "button", "data-mode": mode, onclick: () => this.setMode(mode) }, title),
    );
    this.body = h("div", { class: "halls", onkeydown: (event) => this.key(event), onpointerover: (event) => this.explain(event) });
    this.element = h(
      "section",
      { class: "map", "aria-label": "Racks" },
      h("div", { class: "section-head" }, h("h3", {}, "Racks"), h("div", { class: "choice", role: "group", "aria-label": "Colour by" }, ...this.buttons), this.legend),
      this.body,
    );
    live.on("structure", () => this.forget());
    live.on("tick", (ids) => ids.forEach((id) => this.fill(id)));
    live.on("state", () => this.tellAges());
    this.setMode(this.mode);
  }

  setMode(mode) {
    this.mode = mode;
    remember("map", mode);
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    const steps = MODES[mode].labels.map((label, at) => h("li", {}, h("i", { class: `swatch ${mode}-${at}`, "aria-hidden": "true" }), label));
    steps.push(h("li", {}, h("i", { class: "swatch hatched", "aria-hidden": "true" }), "not fully measured"));
    this.legend.replaceChildren(...steps);
    for (const id of this.cells.keys()) this.fill(id);
  }

  // The site may have been loaded anew, with other racks.
  forget() {
    this.halls = [];
    this.cells = new Map();
  }

  // Show the halls that the node stands in or holds.
  show(nodeId) {
    const hall = this.live.ancestors(nodeId).find((node) => node.level === "hall");
    const halls = hall ? [hall] : this.live.below(nodeId, "hall");
    this.current = nodeId;
    this.element.hidden = !halls.some((each) => this.live.below(each.id, "rack").length);
    const same = halls.map((each) => each.id).join() === this.halls.join();
    if (!same) {
      this.halls = halls.map((each) => each.id);
      this.cells = new Map();
      this.body.replaceChildren(...halls.map((each) => this.hall(each)));
      this.reach(this.cells.get(nodeId) ?? this.cells.values().next().value);
    }
    for (const [id, cell] of this.cells) {
      setAttribute(cell, "aria-current", id === nodeId ? "true" : null);
      this.fill(id);
    }
  }

  hall(node) {
    const rows = this.live.below(node.id, "row");
    const strips = rows.length ? rows : [node];
    const widest = Math.max(1, ...strips.map((row) => this.live.below(row.id, "rack").length));
    const body = h("div", { class: "hall-rows" });
    for (const row of strips) {
      const racks = this.live.below(row.id, "rack");
      if (!racks.length) continue;
      const strip = h("div", { class: "strip", role: "group", "aria-label": row.name }, ...racks.map((rack) => this.cell(rack)));
      strip.style.setProperty("--racks", widest);
      body.append(h("div", { class: "hall-row" }, h("span", { class: "row-name", title: row.name }, row.name), strip));
    }
    return h("figure", { class: "hall" }, h("figcaption", {}, h("button", { type: "button", class: "link", onclick: () => this.open(node.id) }, node.name)), body);
  }

  cell(rack) {
    const cell = h(
      "button",
      { type: "button", class: "cell", "data-node": rack.id, onclick: () => this.open(rack.id) },
      h("span", { class: "cell-name" }, rack.position === null ? rack.name : String(rack.position)),
      " ", // apart to those who hear them
      h("span", { class: "cell-value" }),
      " ",
      h("span", { class: "cell-note" }),
    );
    cell.tabIndex = -1;
    this.cells.set(rack.id, cell);
    return cell;
  }

  fill(id) {
    const cell = this.cells.get(id);
    if (!cell) return;
    const node = this.live.nodes.get(id);
    describe(cell, node);
    const { value, state, metered, text } = this.shown(node);
    const byLoad = this.mode === "load";
    const step = value === null ? "unknown" : MODES[this.mode].steps.filter((limit) => value >= limit).length;
    cell.dataset.flag = step === 5 ? (byLoad ? "▲" : "▲▲") : step === 4 && !byLoad ? "▲" : "";
    cell.className = `cell ${step === "unknown" ? "no-value" : `${this.mode}-${step}`}${metered && state !== "good" ? " hatched" : ""}${state === "stale" ? " stale" : ""}`;
    setText(cell.children[1], (["estimated", "uncertain"].includes(state) ? "≈" : "") + text);
    setText(cell.children[0], (node.position === null ? node.name : String(node.position)) + (node.alarms ? ` ${MARKS[node.priority]}` : ""));
    this.tellAge(id, cell);
  }

  // What the colour is of, and how far that may be believed: each of the two modes has its own meters.
  shown(node) {
    if (this.mode === "temperature") {
      const { temperature: value, temperature_quality: quality } = node;
      return { value, state: judge(value, quality, null), metered: quality !== null, text: value === null ? DASH : `${fixed(value, 1)}°` };
    }
    const value = node.rated_power && node.power !== null ? node.power / node.rated_power : null;
    const text = node.power === null ? DASH : value === null ? quantity(node.power, "W") : `${Math.round(value * 100)}%`;
    return { value, state: judge(node.power, node.quality, node.coverage), metered: node.quality !== null, text };
  }

  tellAges() {
    for (const [id, cell] of this.cells) this.tellAge(id, cell);
  }

  tellAge(id, cell) {
    const node = this.live.nodes.get(id);
    const seconds = this.live.age(node);
    showAge(cell, seconds);
    const note = this.note(node, seconds);
    setText(cell.children[2], note || cell.dataset.flag || "");
    const power = judge(node.power, node.quality, node.coverage);
    const heat = judge(node.temperature, node.temperature_quality, null);
    const text = `${node.name}: ${told(quantity(node.power, "W"), power, node.quality)}, inlet ${told(quantity(node.temperature, "°C"), heat, node.temperature_quality)}${note ? `, ${note}` : ""}${node.alarms ? `, alarms: ${node.alarms}` : ""}`;
    // What can be seen in the cell begins its name, so that it can be called by it.
    const seen = [...cell.children].map((part) => part.textContent).filter(Boolean).join(" ");
    setAttribute(cell, "aria-label", `${seen}, ${text}`);
  }

  // The long text is made for the cell that is pointed at, not for thousands every second.
  explain(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const node = this.live.nodes.get(cell.dataset.node);
    setAttribute(cell, "title", `${cell.getAttribute("aria-label")}, power ${percent(node.coverage)} measured, its oldest reading ${age(this.live.age(node))}`);
  }

  // One stop of the tab key for all racks; from there the arrows go on, as in the tree.
  reach(cell) {
    for (const each of this.cells.values()) if (each.tabIndex === 0) each.tabIndex = -1;
    if (cell) cell.tabIndex = 0;
  }

  key(event) {
    const cell = event.target.closest(".cell");
    if (!cell || event.altKey || event.ctrlKey || event.metaKey) return;
    const next = this.neighbour(cell, event.key);
    if (!next) return;
    event.preventDefault();
    this.reach(next);
    next.focus();
  }

  neighbour(cell, key) {
    const strips = [...this.body.querySelectorAll(".strip")];
    const strip = cell.parentElement;
    const [row, at] = [strips.indexOf(strip), [...strip.children].indexOf(cell)];
    const beside = (to) => (to ? to.children[Math.min(at, to.children.length - 1)] : null);
    const moves = {
      ArrowRight: () => cell.nextElementSibling,
      ArrowLeft: () => cell.previousElementSibling,
      ArrowDown: () => beside(strips[row + 1]),
      ArrowUp: () => beside(strips[row - 1]),
      Home: () => strip.firstElementChild,
      End: () => strip.lastElementChild,
    };
    return moves[key]?.() ?? null;
  }

  note(node, seconds) {
    const { state, metered } = this.shown(node);
    if (!metered) return "";
    if (this.mode === "temperature") return { none: "no data", stale: "stale" }[state] ?? "";
    const full = node.coverage !== null && node.coverage >= 0.9995;
    if (full) return "";
    if (seconds === null) return "no data";
    if (state === "stale" || node.coverage === null && seconds > PERIODS_UNTIL_STALE * (node.period ?? 0)) return `stale ${age(seconds)}`;
    return `${percent(node.coverage)} ok`;
  }
}

// A number in words, with how far it may be believed if it is metered at all.
function told(text, state, quality) {
  return quality === null ? text : `${text}, ${STATES[state]}`;
}
