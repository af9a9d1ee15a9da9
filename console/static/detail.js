// The open node: its totals, its two feeds, its history, its racks, its devices and their points.

import { h, keyed, setAttribute, setClass, setText } from "./dom.js";
import { age, brief, explain, fixed, judge, marked, momentTime, percent, pointValue, quantity, words, CATEGORIES, DASH, NARROW, WINDOWS } from "./format.js";
import { Chart } from "./chart.js";
import { HallMap } from "./map.js";
import { getJson } from "./live.js";

const EVERY = 900; // ms between two looks at the open node: once a tick
const NOT_FOUND = 404;
const ROOM_FOR_RATIO = 0.25;
const HIDDEN_TOTALS = new Set(["power_feeda", "power_feedb"]); // shown as the split
const MOST_POINTS = 200;
const FIGURES = { pue: "PUE", erf: "ERF", wue: `WUE,${NARROW}L/kWh` };
const TEXT = "";
const NUMBER = "number"; // to the right, digit under digit
const DEVICES = { Device: TEXT, Kind: TEXT, Feed: TEXT, Reading: NUMBER, Quality: TEXT, Oldest: NUMBER };
const POINTS = { Point: TEXT, Value: NUMBER, Quality: TEXT, Age: NUMBER };
const FIGURE_COLUMNS = { "Key figures": TEXT, ...Object.fromEntries(Object.values(WINDOWS).map((text) => [text, NUMBER])) };
const ENERGIES = { "Counted since first read": TEXT, Amount: NUMBER, "of it estimated": NUMBER };

export class Detail {
  constructor(live, open) {
    this.live = live;
    this.open = open;
    this.id = null;
    this.point = ""; // whose history is shown unless another is chosen; the main one if it has no such
    this.loadedAt = 0;
    this.loading = false;
    this.chart = new Chart(live);
    this.map = new HallMap(live, open);
    this.box = document.getElementById("detail");
    this.parts = this.build();
    this.aged = new Map(); // what shows an age, when it was read and how it says so
    live.on("tick", () => this.refresh());
    live.on("state", () => this.tellAges());
  }

  build() {
    return {
      path: h("nav", { class: "path", "aria-label": "Where it stands" }),
      title: h("h2", { id: "node-title" }),
      facts: h("p", { class: "facts muted" }),
      feeds: h("nav", { class: "feeds", "aria-label": "What feeds it, and what it feeds" }),
      totals: h("div", { class: "totals" }),
      split: h("div", { class: "split" }),
      figures: h("div", { class: "figures" }),
      devices: h("section", { class: "devices" }),
      points: h("section", { class: "points" }),
      energies: h("section", { class: "energies" }),
    };
  }

  async show(id, point = "") {
    if (id !== this.id || point) {
      this.chartChosen = false;
      this.point = point;
    }
    this.id = id;
    await this.refresh(true);
  }

  async refresh(now = false) {
    if (!this.id || document.hidden) return;
    if (!now && (this.loading || performance.now() - this.loadedAt < EVERY)) return;
    this.loadedAt = performance.now();
    this.loading = true;
    const id = this.id;
    try {
      const node = await getJson(`/api/v1/nodes/${encodeURIComponent(id)}`);
      const inside = node.node === "space" && node.level === "rack" ? await getJson(`/api/v1/points?space=${encodeURIComponent(id)}&limit=${MOST_POINTS}`) : null;
      if (id === this.id) this.render(node, inside);
    } catch (error) {
      // What has gone from the site is not shown as if it were still read.
      if (id === this.id && (now || error.status === NOT_FOUND)) this.fail(error);
    } finally {
      this.loading = false;
    }
  }

  // Show an age in an element, and let it grow until there is a newer one.
  showAge(element, seconds, tell = age) {
    setText(element, tell(seconds));
    if (seconds === null) this.aged.delete(element);
    else this.aged.set(element, { read: this.live.now() - seconds * 1000, tell });
  }

  tellAges() {
    const now = this.live.now();
    for (const [element, { read, tell }] of this.aged) {
      if (element.isConnected) setText(element, tell(Math.max(0, (now - read) / 1000)));
      else this.aged.delete(element);
    }
  }

  fail(error) {
    const home = this.live.nodes.get(this.live.order[0]);
    const back = home ? h("button", { type: "button", class: "link", onclick: () => this.open(home.id) }, `Open ${home.name}`) : null;
    if (this.box.dataset.failed === error.message) return;
    this.box.replaceChildren(h("p", { class: "empty", role: "alert" }, `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}`), h("p", { class: "empty" }, back));
    this.box.dataset.failed = error.message;
  }

  render(node, inside) {
    const { parts, chart, map } = this;
    delete this.box.dataset.failed;
    if (!parts.title.isConnected) {
      const top = h("div", { class: "top" }, parts.totals, chart.element);
      const bottom = h("div", { class: "bottom" }, parts.figures, parts.energies);
      this.box.replaceChildren(parts.path, parts.title, parts.facts, parts.feeds, top, parts.split, map.element, parts.devices, parts.points, bottom);
    }
    this.box.dataset.open = node.id;
    this.renderHead(node);
    if (node.node === "space") this.renderSpace(node, inside);
    else this.renderDevice(node);
  }

  renderHead(node) {
    const { parts } = this;
    const steps = node.node === "space" ? node.path.slice(0, -1) : node.path;
    keyed(parts.path, steps, (place) => place.id, (place) => h("button", { type: "button", class: "link", onclick: () => this.open(place.id) }, place.name), () => {});
    setText(parts.title, node.name);
    const facts = node.node === "space"
      ? [words(node.level), node.rated_power ? `rated ${quantity(node.rated_power, "W")}` : null, counted(node.alarms), node.id]
      : [words(node.kind), node.feed ? `feed ${node.feed}` : null, node.rated_power ? `rated ${quantity(node.rated_power, "W")}` : null, `read every ${quantity(node.period, "s")}`, node.collection ? `collection ${node.collection.state}${node.collection.last_error && node.collection.state !== "online" ? `: ${node.collection.last_error}` : ""}` : null, ...Object.entries(node.texts).map(([name, text]) => `${words(name)} ${text}`), node.id];
    setText(parts.facts, facts.filter(Boolean).join(" · "));
    this.renderFeeds(node.node === "space" ? [] : node.served_by, node.node === "space" ? [] : node.serves);
  }

  // The way of power and cooling, one step up and down. What feeds a space stands among its devices.
  renderFeeds(above, below) {
    const { feeds } = this.parts;
    const steps = [...above.map((id, at) => ["fed by", id, !at]), ...below.map((id, at) => ["feeds", id, !at])];
    const step = (id) => h("span", {}, h("span", { class: "muted" }), h("button", { type: "button", class: "link", onclick: () => this.open(id) }, id));
    keyed(feeds, steps, ([how, id]) => `${how} ${id}`, ([, id]) => step(id), (box, [how, , first]) => setText(box.firstChild, first ? `${how} ` : ""));
  }

  renderSpace(node, inside) {
    const { parts } = this;
    const totals = Object.entries(node.rollups).filter(([key]) => !HIDDEN_TOTALS.has(key));
    keyed(parts.totals, totals, ([key]) => key, ([key]) => this.createTotal(key), (card, [, reading]) => this.fillTotal(card, reading));
    this.renderSplit(node.rollups.power_feeda, node.rollups.power_feedb);
    if (!this.chartChosen) {
      const first = node.rollups[this.point] ?? node.rollups.power ?? totals[0]?.[1];
      this.chart.show(first?.series, first?.label);
    }
    this.map.show(node.id);
    this.renderFigures(node.id);
    this.renderDevices(node.devices, node.served_by);
    this.renderPoints(inside ? inside.points : [], inside?.total);
    this.renderEnergies(node.energies);
  }

  renderDevice(node) {
    const { parts } = this;
    for (const part of [parts.totals, parts.split, parts.figures, parts.devices, parts.energies]) part.replaceChildren();
    this.map.element.hidden = true;
    if (!this.chartChosen) {
      const named = (name) => node.points.find((point) => point.name === name);
      const first = named(this.point) ?? named("active_power") ?? node.points[0];
      this.chart.show(first?.series, first ? words(first.name) : "");
    }
    this.renderPoints(node.points);
  }

  createTotal(key) {
    return h("button", { type: "button", class: "total", "data-quantity": key, onclick: (event) => this.choose(event.currentTarget.dataset.series, event.currentTarget.dataset.label) },
      h("span", { class: "label" }), h("span", { class: "value" }), h("span", { class: "sub" }));
  }

  fillTotal(card, reading) {
    const state = judge(reading.value, reading.quality, reading.coverage);
    Object.assign(card.dataset, { series: reading.series, label: reading.label, quality: reading.quality });
    setClass(card, "total", state);
    setText(card.children[0], reading.label);
    setText(card.children[1], marked(quantity(reading.value, reading.unit), state));
    const coverage = reading.coverage !== null && reading.coverage < 0.9995 ? `${percent(reading.coverage)} measured · ` : "";
    const before = state === "stale" ? "stale " : coverage ? "" : "oldest ";
    this.showAge(card.children[2], reading.age, (seconds) => (seconds === null ? "never read" : `${coverage}${before}${age(seconds)}`));
    setAttribute(card, "title", explain(reading));
  }

  choose(series, label) {
    this.chartChosen = true;
    this.chart.show(series, label);
  }

  renderSplit(a, b) {
    const { split } = this.parts;
    if (!a || !b || a.value === null || b.value === null || a.value + b.value <= 0) {
      split.replaceChildren();
      return;
    }
    if (!split.children.length) {
      split.append(h("span", { class: "feed" }), h("span", { class: "bar", role: "img" }, h("i", { class: "a" })), h("span", { class: "feed" }));
    }
    const share = a.value / (a.value + b.value);
    const states = [a, b].map((reading) => judge(reading.value, reading.quality, reading.coverage));
    [a, b].forEach((reading, at) => {
      const box = split.children[at * 2];
      const held = states[at] === "stale";
      setClass(box, "feed", held ? "" : states[at]);
      setText(box, `Feed ${at ? "B" : "A"}  ${held ? "not measured" : marked(quantity(reading.value, "W"), states[at])}`);
      setAttribute(box, "title", explain(reading));
    });
    const known = !states.includes("stale");
    const bar = split.children[1];
    setClass(bar, "bar", known ? "" : "unknown");
    bar.style.setProperty("--share", known ? `${(share * 100).toFixed(1)}%` : "100%");
    setAttribute(bar, "aria-label", known ? `feed A carries ${percent(share)}` : "share of the feeds unknown");
    const ratio = `${Math.round(share * 100)} : ${100 - Math.round(share * 100)}`;
    // Too short a bar has no room for words; the powers beside it say as much.
    setText(bar.firstChild, !known ? "share unknown" : share >= ROOM_FOR_RATIO ? ratio : "");
  }

  async renderFigures(id) {
    const { figures } = this.parts;
    const campus = this.live.order[0];
    const kpis = id === campus ? this.live.kpis : ["building"].includes(this.live.nodes.get(id)?.level) ? await this.figuresOf(id) : [];
    const rows = new Map();
    for (const kpi of kpis.filter((each) => FIGURES[each.figure])) {
      const name = kpi.category ? `${FIGURES[kpi.figure]} cat. ${kpi.category} (${CATEGORIES[kpi.category]})` : FIGURES[kpi.figure];
      if (!rows.has(name)) rows.set(name, new Map());
      rows.get(name).set(kpi.window, kpi);
    }
    if (!rows.size || this.id !== id) {
      if (this.id === id) figures.replaceChildren();
      return;
    }
    if (!figures.children.length) figures.append(table("Key figures", FIGURE_COLUMNS));
    keyed(figures.querySelector("tbody"), [...rows], ([name]) => name, ([name]) => createFigure(name), (row, [, cells]) => Object.keys(WINDOWS).forEach((window, at) => fillFigure(row.children[at + 1], cells.get(window))));
  }

  async figuresOf(id) {
    try {
      return (await getJson(`/api/v1/kpis?node=${encodeURIComponent(id)}`)).kpis;
    } catch {
      return [];
    }
  }

  renderDevices(devices, servedBy) {
    const { devices: box } = this.parts;
    const all = [...devices.map((device) => ["here", device]), ...servedBy.map((device) => ["feeds it", device])];
    if (!all.length) {
      box.replaceChildren();
      return;
    }
    if (!box.children.length) box.append(h("h3", {}, "Devices"), table("Devices", DEVICES));
    keyed(box.querySelector("tbody"), all, ([, device]) => device.id, ([, device]) => this.createDevice(device), (row, [where, device]) => this.fillDevice(row, where, device));
  }

  createDevice(device) {
    return h("tr", { "data-node": device.id }, h("th", { scope: "row" }, h("button", { type: "button", class: "link", onclick: () => this.open(device.id) }, device.name)), ...Array.from({ length: 5 }, () => h("td")));
  }

  fillDevice(row, where, device) {
    const reading = device.headline;
    const state = reading ? judge(reading.value, reading.quality, null) : "none";
    const cells = row.children;
    setText(cells[1], words(device.kind) + (where === "here" ? "" : ` (${where})`));
    setText(cells[2], device.feed ?? "");
    setText(cells[3], reading ? marked(quantity(reading.value, reading.unit), state) : DASH);
    setClass(cells[3], "number value", state);
    setAttribute(cells[3], "title", reading ? `${words(reading.label)}: ${explain(reading)}` : null);
    setText(cells[4], brief(device.worst_text));
    setAttribute(cells[4], "title", device.worst_text);
    setClass(cells[4], device.worst >= 192 ? "muted" : "doubt", "");
    setClass(cells[5], "number", "");
    this.showAge(cells[5], device.oldest);
    setAttribute(row, "data-quality", device.worst);
    setAttribute(row, "data-age", device.oldest);
  }

  renderPoints(points, total = points.length) {
    const { points: box } = this.parts;
    if (!points.length) {
      box.replaceChildren();
      return;
    }
    if (!box.children.length) box.append(h("h3", {}, "Points"), table("Points", POINTS), h("p", { class: "empty" }));
    setText(box.lastElementChild, total > points.length ? `and ${total - points.length} more: open a device to see its own` : "");
    const several = new Set(points.map((point) => point.group)).size > 1;
    keyed(box.querySelector("tbody"), points, (point) => point.series, (point) => this.createPoint(point, several), (row, point) => this.fillPoint(row, point));
  }

  createPoint(point, several) {
    const choose = () => this.choose(point.series, `${several ? `${point.group} ` : ""}${words(point.name)}`);
    return h("tr", { "data-series": point.series }, h("th", { scope: "row" }, h("button", { type: "button", class: "link", title: "show its history", onclick: choose }, words(point.name)), several ? h("small", { class: "muted" }, ` ${point.group}`) : null), h("td"), h("td"), h("td"));
  }

  fillPoint(row, point) {
    const state = judge(point.value, point.quality, null);
    const cells = row.children;
    setText(cells[1], marked(pointValue(point), state));
    setClass(cells[1], "number value", state);
    setText(cells[2], brief(point.quality_text));
    setClass(cells[2], point.quality >= 192 ? "muted" : "doubt", "");
    setClass(cells[3], "number", "");
    this.showAge(cells[3], point.age);
    const read = point.time ? momentTime(Date.parse(point.time), this.live.now(), this.live.timezone) : "never";
    setAttribute(cells[1], "title", `${point.quality_text} · read ${read}`);
    setAttribute(row, "data-quality", point.quality);
    setAttribute(row, "data-age", point.age);
  }

  renderEnergies(energies) {
    const { energies: box } = this.parts;
    const rows = Object.entries(energies);
    if (!rows.length) {
      box.replaceChildren();
      return;
    }
    if (!box.children.length) box.append(table("Energies", ENERGIES));
    keyed(box.querySelector("tbody"), rows, ([key]) => key, ([, energy]) => h("tr", {}, h("th", { scope: "row" }, energy.label), h("td", { class: "number value" }), h("td", { class: "number value" })), (row, [, energy]) => {
      setText(row.children[1], quantity(energy.value, energy.unit));
      setText(row.children[2], quantity(energy.estimated, energy.unit));
      setAttribute(row.children[1], "title", energy.quality_text);
    });
  }
}

// A table that may be wider than its place: keys scroll it, too. Columns by name, with the class of each.
function table(label, columns) {
  const heads = Object.entries(columns).map(([name, kind]) => h("th", { scope: "col", class: kind || null }, name));
  const whole = h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody"));
  return h("div", { class: "scroll", role: "region", "aria-label": label, tabindex: "0" }, whole);
}

function counted(alarms) {
  if (!alarms) return "no active alarm";
  return alarms === 1 ? "1 active alarm" : `${alarms} active alarms`;
}

function createFigure(name) {
  const cells = Object.keys(WINDOWS).map(() => h("td", {}, h("span"), h("small", { class: "muted" })));
  return h("tr", {}, h("th", { scope: "row" }, name), ...cells);
}

function fillFigure(cell, kpi) {
  const state = kpi?.status === "complete" ? "good" : kpi?.status === "incomplete" ? "estimated" : "none";
  setClass(cell, "number value", state);
  setText(cell.firstChild, !kpi ? "" : kpi.value === null ? DASH : marked(fixed(kpi.value, 3), state));
  setText(cell.lastChild, kpi?.status === "incomplete" ? ` ${percent(kpi.coverage)}` : "");
  setAttribute(cell, "title", kpi ? `${kpi.status} · ${percent(kpi.coverage)} of the window measured` : null);
}
