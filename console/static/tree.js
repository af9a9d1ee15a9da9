// The tree from the campus to the racks. Only rows that can be seen exist.

import { h, keyed, setAttribute, setClass, setText } from "./dom.js";
import { age, judge, marked, percent, quantity, MARKS } from "./format.js";

const ALL_OPEN_UP_TO = 120; // spaces; beyond, racks are folded away at first

export class Tree {
  constructor(live, open) {
    this.live = live;
    this.open = open;
    this.unfolded = new Set();
    this.current = null;
    this.box = document.getElementById("tree");
    this.rows = new Map();
    this.box.addEventListener("keydown", (event) => this.key(event));
    live.on("structure", () => this.build());
    live.on("tick", (ids) => this.update(ids));
    live.on("state", () => this.update(this.rows.keys(), true));
  }

  build() {
    const all = this.live.nodes.size <= ALL_OPEN_UP_TO && window.innerWidth > 900;
    const first = !this.rows.size; // later on readers have folded what they don't want to see
    for (const node of first ? this.live.nodes.values() : []) {
      if (all || ["campus", "building"].includes(node.level)) this.unfolded.add(node.id);
    }
    this.render();
  }

  select(id) {
    this.current = id;
    for (const node of this.live.ancestors(id).slice(0, -1)) this.unfolded.add(node.id);
    this.render();
    this.rows.get(id)?.scrollIntoView({ block: "nearest" });
  }

  visible() {
    const found = [];
    const walk = (id, depth) => {
      found.push([id, depth]);
      if (this.unfolded.has(id)) for (const child of this.live.children.get(id) ?? []) walk(child, depth + 1);
    };
    if (this.live.order.length) walk(this.live.order[0], 1);
    return found;
  }

  render() {
    const header = [["", 0]];
    keyed(this.box, [...header, ...this.visible()], ([id, depth]) => `${id} ${depth} ${this.live.children.has(id)}`, ([id, depth]) => this.create(id, depth), (row, [id]) => this.name(row, id));
    this.rows = new Map([...this.box.children].filter((row) => row.dataset.node).map((row) => [row.dataset.node, row]));
    for (const [id, row] of this.rows) {
      setAttribute(row, "aria-selected", id === this.current ? "true" : "false");
      if (this.live.children.has(id)) setAttribute(row, "aria-expanded", this.unfolded.has(id) ? "true" : "false");
      row.tabIndex = id === (this.rows.has(this.current) ? this.current : this.live.order[0]) ? 0 : -1;
    }
    this.update(this.rows.keys());
  }

  create(id, depth) {
    if (!id) {
      const names = ["Space", "Alarms", "IT power", "Measured", "Inlet", "Oldest"];
      return h("div", { class: "row head", role: "row" }, ...names.map((name) => h("span", { role: "columnheader" }, name)));
    }
    const node = this.live.nodes.get(id);
    const fold = this.live.children.has(id)
      ? h("button", { class: "fold", type: "button", tabindex: "-1", "aria-hidden": "true", onclick: (event) => this.fold(event, id) }, "▸")
      : null;
    return h(
      "div",
      { class: `row ${node.level}`, role: "row", "data-node": id, "aria-level": depth, onclick: () => this.open(id) },
      h("span", { class: `name depth-${depth}${this.live.children.has(id) ? "" : " leaf"}`, role: "gridcell" }, fold, h("span")),
      ...["alarms", "power", "coverage", "temperature", "age"].map((name) => h("span", { class: name, role: "gridcell" })),
    );
  }

  // The site may have been loaded anew with other names.
  name(row, id) {
    if (!id) return;
    const { name } = this.live.nodes.get(id);
    setText(row.firstElementChild.lastElementChild, name);
    setAttribute(row.firstElementChild, "title", name);
  }

  fold(event, id) {
    event.stopPropagation();
    if (this.unfolded.has(id)) this.unfolded.delete(id);
    else this.unfolded.add(id);
    this.render();
  }

  update(ids, agesOnly = false) {
    for (const id of ids) {
      const row = this.rows.get(id);
      if (!row) continue;
      const node = this.live.nodes.get(id);
      const seconds = this.live.age(node);
      showAge(row, seconds);
      setText(row.children[5], node.quality === null ? "" : age(seconds));
      if (!agesOnly) fill(row, node);
    }
  }

  key(event) {
    const row = event.target.closest(".row[data-node]");
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return; // Alt and an arrow is the browser's
    const id = row.dataset.node;
    const rows = [...this.rows.keys()];
    const at = rows.indexOf(id);
    const moves = { ArrowDown: rows[at + 1], ArrowUp: rows[at - 1], Home: rows[0], End: rows[rows.length - 1] };
    let next = moves[event.key];
    if (event.key === "ArrowRight" && this.live.children.has(id)) {
      if (this.unfolded.has(id)) next = rows[at + 1];
      else this.fold(event, id);
    } else if (event.key === "ArrowLeft") {
      if (this.unfolded.has(id) && this.live.children.has(id)) this.fold(event, id);
      else next = this.live.nodes.get(id).parent;
    } else if (event.key === "Enter" || event.key === " ") {
      this.open(id);
    } else if (!next) {
      return;
    }
    event.preventDefault();
    this.focus(next ?? id);
  }

  focus(id) {
    for (const row of this.rows.values()) row.tabIndex = -1;
    const row = this.rows.get(id);
    if (row) {
      row.tabIndex = 0;
      row.focus();
    }
  }
}

// Data attributes that tests and scripts rely on.
export function describe(element, node) {
  setAttribute(element, "data-quality", node.quality);
  setAttribute(element, "data-coverage", node.coverage);
  setAttribute(element, "data-watts", node.power);
  setAttribute(element, "data-state", judge(node.power, node.quality, node.coverage));
}

export function showAge(element, seconds) {
  setAttribute(element, "data-age", seconds === null ? null : seconds.toFixed(1));
}

function fill(row, node) {
  describe(row, node);
  const [, alarms, power, coverage, temperature] = row.children;
  setText(alarms, node.alarms ? `${MARKS[node.priority]}\u202f${short(node.alarms)}` : "");
  setAttribute(alarms, "title", node.alarms ? `${node.alarms.toLocaleString("en")} alarms` : null);
  setClass(alarms, "alarms", node.alarms ? node.priority : "");
  setAttribute(alarms, "aria-label", node.alarms ? `${node.alarms} alarms, worst ${node.priority}` : "no alarms");
  const state = judge(node.power, node.quality, node.coverage);
  const metered = node.quality !== null;
  setText(power, metered ? marked(quantity(node.power, "W"), state) : "");
  setClass(power, "power", state);
  setAttribute(power, "title", metered ? `${STATES[state]}${node.coverage === null ? "" : `, ${percent(node.coverage)} measured`}` : "no power meters");
  setText(coverage, metered ? percent(node.coverage) : "");
  setClass(coverage, "coverage", node.coverage !== null && node.coverage < 0.9995 ? "low-coverage" : "");
  const heat = judge(node.temperature, node.temperature_quality, null);
  setText(temperature, node.temperature_quality === null ? "" : marked(quantity(node.temperature, "°C"), heat));
  setClass(temperature, "temperature", heat);
}

// In a flood there is no room for every digit, and a number cut off would look like a small one.
function short(count) {
  return count < 1000 ? String(count) : `${Math.floor(count / 1000)}k`;
}

export const STATES = {
  good: "good",
  estimated: "partly estimated",
  uncertain: "uncertain",
  stale: "stale: nothing in it is measured now",
  none: "unknown",
};
