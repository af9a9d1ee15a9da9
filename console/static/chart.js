// A line of history: gaps stay gaps, the scale is written beside it.

import { h, setText, svg } from "./dom.js";
import { clockTime, quantity, zonedTime, DASH, NARROW } from "./format.js";
import { getJson } from "./live.js";

const RANGES = { "1h": [3600, `1${NARROW}h`], "24h": [86400, `24${NARROW}h`], "7d": [604800, `7${NARROW}d`] };
const EVERY = 30000;
const GOOD = 192;
const WIDTH = 600;
const HEIGHT = 90;

export class Chart {
  constructor(live) {
    this.live = live;
    this.range = "1h";
    this.series = null;
    this.asked = 0;
    this.title = h("h3", {}, "History");
    this.buttons = Object.entries(RANGES).map(([range, [, text]]) =>
      h("button", { type: "button", "data-range": range, "aria-pressed": String(range === this.range), onclick: () => this.setRange(range) }, text),
    );
    this.readout = h("span", { class: "readout muted" });
    this.high = h("span", { class: "axis high" });
    this.low = h("span", { class: "axis low" });
    this.from = h("span", { class: "axis from" });
    this.to = h("span", { class: "axis to" });
    this.area = svg("path", { class: "area" });
    this.line = svg("path", { class: "line" });
    this.doubtful = svg("path", { class: "doubtful" });
    this.note = h("span", { class: "axis note" });
    this.picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, this.area, this.line, this.doubtful);
    this.picture.addEventListener("pointermove", (event) => this.point(event));
    this.picture.addEventListener("pointerleave", () => setText(this.readout, ""));
    this.element = h(
      "section",
      { class: "chart" },
      h("div", { class: "section-head" }, this.title, h("div", { class: "choice", role: "group", "aria-label": "Time range" }, ...this.buttons), this.readout),
      h("div", { class: "plot" }, this.picture, this.high, this.low, this.from, this.note, this.to),
    );
    setInterval(() => this.load(), EVERY);
  }

  setRange(range) {
    this.range = range;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.range === range));
    this.load();
  }

  show(series, label) {
    this.element.hidden = !series;
    if (!series || series === this.series) return;
    this.series = series;
    this.label = label;
    setText(this.title, label);
    this.draw(null);
    this.load();
  }

  async load() {
    if (!this.series || document.hidden) return;
    const [series, turn] = [this.series, ++this.asked];
    const stop = Math.floor(this.live.now() || Date.now());
    const start = stop - RANGES[this.range][0] * 1000;
    try {
      const answer = await getJson(`/api/v1/history?series=${encodeURIComponent(series)}&start=${start}&stop=${stop}`);
      if (turn === this.asked) this.draw(answer);
    } catch (error) {
      if (turn === this.asked) this.draw(null, error.message);
    }
  }

  draw(answer, problem = "") {
    this.answer = answer;
    this.element.dataset.points = answer ? answer.values.filter((value) => value !== null).length : 0;
    const known = answer ? answer.values.filter((value) => value !== null) : [];
    for (const label of [this.high, this.low, this.from, this.note, this.to]) setText(label, "");
    this.line.setAttribute("d", "");
    this.doubtful.setAttribute("d", "");
    this.area.setAttribute("d", "");
    const nothing = problem || (answer ? "nothing stored in this time" : "");
    this.picture.setAttribute("aria-label", `${this.label}, last ${RANGES[this.range][1]}: ${nothing || "asked for"}`);
    setText(this.readout, known.length ? "" : nothing);
    if (!known.length) return;
    const [least, most] = [Math.min(...known), Math.max(...known)];
    const margin = (most - least || Math.abs(most) || 1) * 0.08;
    this.scale = { bottom: least - margin, span: most - least + 2 * margin, start: Date.parse(answer.start), stop: Date.parse(answer.stop) };
    const runs = this.runs(answer);
    this.line.setAttribute("d", runs.map((run) => "M" + run.map(([x, y]) => `${x},${y}`).join("L")).join(""));
    const doubts = runs.flatMap((run) => run.slice(1).flatMap(([x, y, good], at) => (good && run[at][2] ? [] : [`M${run[at][0]},${run[at][1]}L${x},${y}`])));
    this.doubtful.setAttribute("d", doubts.join(""));
    setText(this.note, doubts.length ? "dashed: not fully measured" : "");
    this.area.setAttribute("d", runs.map((run) => `M${run[0][0]},${HEIGHT}L${run.map(([x, y]) => `${x},${y}`).join("L")}L${run[run.length - 1][0]},${HEIGHT}Z`).join(""));
    const long = this.range !== "1h";
    setText(this.high, quantity(most, answer.unit));
    setText(this.low, quantity(least, answer.unit));
    setText(this.from, clockTime(this.scale.start, this.live.timezone, long));
    setText(this.to, zonedTime(this.scale.stop, this.live.timezone, long));
    this.picture.setAttribute("aria-label", `${this.label}, last ${RANGES[this.range][1]}: from ${quantity(least, answer.unit)} to ${quantity(most, answer.unit)}`);
  }

  // Points in a row without a hole between them.
  runs(answer) {
    const { bottom, span, start, stop } = this.scale;
    const found = [];
    let run = null;
    answer.values.forEach((value, at) => {
      if (value === null) {
        run = null;
        return;
      }
      if (!run) found.push((run = []));
      const x = ((answer.times[at] - start) / (stop - start)) * WIDTH;
      const y = HEIGHT - ((value - bottom) / span) * HEIGHT;
      run.push([x.toFixed(1), y.toFixed(1), answer.quality[at] >= GOOD]);
    });
    return found.map((each) => (each.length === 1 ? [each[0], [String(Number(each[0][0]) + 1), each[0][1], each[0][2]]] : each));
  }

  point(event) {
    if (!this.answer?.times.length || !this.scale) return;
    const box = this.picture.getBoundingClientRect();
    const time = this.scale.start + ((event.clientX - box.left) / box.width) * (this.scale.stop - this.scale.start);
    let at = this.answer.times.findIndex((each) => each > time);
    at = Math.max(0, (at < 0 ? this.answer.times.length : at) - 1);
    const value = this.answer.values[at];
    const held = this.answer.held?.[at] ? ", held" : "";
    const doubt = value !== null && this.answer.quality[at] < GOOD ? ", not fully measured" : "";
    const shown = value === null ? DASH : quantity(value, this.answer.unit) + held + doubt;
    setText(this.readout, `${zonedTime(this.answer.times[at], this.live.timezone, this.range !== "1h")} · ${shown}`);
  }
}
