// The top of the page: the campus in seven numbers, and whether they are current.

import { h, recall, remember, setAttribute, setClass, setText } from "./dom.js";
import { age, clockTime, explain, fixed, judge, marked, parts, percent, zonedTime, CATEGORIES, DASH, WINDOWS } from "./format.js";

const element = (id) => document.getElementById(id);
const ROOM = [null, "little", "scant"]; // for the counts of alarms: smaller type in a flood

export class Header {
  constructor(live) {
    this.live = live;
    this.choice = recall("pue");
    this.choices = "";
    element("pue-choice").addEventListener("change", (event) => {
      this.choice = event.target.value;
      remember("pue", this.choice);
      this.showPue();
    });
    live.on("structure", () => this.showSite());
    live.on("tick", () => this.show());
    live.on("state", () => {
      this.showState();
      this.showAges();
    });
  }

  showSite() {
    setText(element("site-name"), this.live.site);
    this.showTitle();
  }

  // The number of alarms first, so that a tab among others tells it; how many there are now nobody knows
  // without data.
  showTitle() {
    const { alarms, site, state } = this.live;
    const active = alarms ? alarms.high + alarms.medium + alarms.low : 0;
    const news = state === "lost" ? "✕ no data · " : active ? `(${active}) ` : "";
    const title = `${news}${site ? `${site} · ` : ""}dcops`;
    if (document.title !== title) document.title = title;
  }

  show() {
    this.showReading("campus-power", this.live.campus.power);
    this.showReading("facility-power", this.live.campus.facility_power);
    this.showReading("worst-inlet", this.live.campus.inlet_temperature);
    this.showReading("worst-liquid", this.live.campus.tcs_supply_temperature);
    this.showPue();
    this.showAlarms();
    this.showState();
    this.showAges();
  }

  showReading(id, reading) {
    const box = element(id);
    if (!reading) {
      show(box, DASH, "", "none");
      setText(element(`${id}-sub`), "not metered");
      return;
    }
    const state = judge(reading.value, reading.quality, reading.coverage);
    const [number, unit] = parts(reading.value, reading.unit);
    show(box, marked(number, state), unit, state);
    if (reading.unit === "W") setAttribute(box, "data-watts", reading.value);
    else setAttribute(box, "data-value", reading.value);
    setAttribute(box, "data-quality", reading.quality);
    setAttribute(box, "data-coverage", reading.coverage);
  }

  showAges() {
    for (const [id, key] of Object.entries(READINGS)) {
      const reading = this.live.campus[key];
      if (!reading) continue;
      const seconds = this.live.since(reading);
      const box = element(id);
      setAttribute(box, "data-age", seconds === null ? null : seconds.toFixed(1));
      setAttribute(box, "title", explain(reading, seconds));
      const coverage = reading.coverage === null ? "" : `${percent(reading.coverage)} measured`;
      const oldest = seconds === null ? "never read" : age(seconds);
      setText(element(`${id}-sub`), [coverage, oldest].filter(Boolean).join(" · "));
    }
    this.showFreshness();
  }

  showFreshness() {
    const ages = Object.values(this.live.campus).map((reading) => this.live.since(reading)).filter((each) => each !== null);
    const box = element("freshness");
    const oldest = ages.length ? Math.max(...ages) : null;
    const sources = Object.values(this.live.campus).filter((reading) => reading.coverage !== null && reading.coverage < 0.9995);
    setText(box, age(oldest));
    setAttribute(box, "data-age", oldest === null ? null : oldest.toFixed(1));
    setClass(box, "big", oldest === null ? "none" : sources.length ? "estimated" : "good");
    const text = sources.length ? `${sources.length} of ${Object.keys(this.live.campus).length} totals partial` : "all totals measured";
    setText(element("freshness-sub"), ages.length ? text : "nothing read yet");
  }

  showPue() {
    const figures = this.live.kpis.filter((kpi) => kpi.figure === "pue");
    this.offer(figures);
    element("pue-choice").hidden = !figures.length;
    const figure = figures.find((kpi) => keyOf(kpi) === this.choice) ?? figures[0];
    const box = element("campus-pue");
    if (!figure) {
      show(box, DASH, "", "none");
      setText(element("campus-pue-sub"), "not metered");
      return;
    }
    const state = figure.status === "complete" ? "good" : figure.status === "incomplete" ? "estimated" : "none";
    show(box, figure.value === null ? DASH : marked(fixed(figure.value, 3), state), "", state);
    setAttribute(box, "data-value", figure.value);
    setAttribute(box, "data-category", figure.category);
    setAttribute(box, "data-window", figure.window);
    setAttribute(box, "data-coverage", figure.coverage);
    setAttribute(box, "title", `${figure.status}: ${percent(figure.coverage)} of the window measured · IT energy at ${CATEGORIES[figure.category]} · last ${WINDOWS[figure.window]}`);
    setText(element("campus-pue-sub"), `${figure.status} · ${percent(figure.coverage)}`);
  }

  offer(figures) {
    const keys = figures.map(keyOf);
    if (!keys.includes(this.choice)) {
      const best = figures.filter((kpi) => kpi.window === "15min").sort((a, b) => b.category - a.category)[0];
      this.choice = best ? keyOf(best) : null;
    }
    if (keys.join() === this.choices) return;
    this.choices = keys.join();
    const select = element("pue-choice");
    select.replaceChildren(
      ...figures.map((kpi) => h("option", { value: keyOf(kpi) }, `cat. ${kpi.category} · ${WINDOWS[kpi.window]}`)),
    );
    select.value = this.choice;
  }

  showAlarms() {
    this.showTitle();
    for (const box of element("alarm-counts").children) {
      const count = this.live.alarms[box.dataset.priority];
      setText(box.querySelector("b"), String(count));
      setClass(box, `count ${box.dataset.priority}`, count ? "some" : "");
    }
    this.fitCounts();
  }

  fitCounts() {
    const box = element("alarm-counts");
    const text = `${box.textContent} ${window.innerWidth}`;
    if (text === this.fitted) return;
    this.fitted = text;
    for (const room of ROOM) {
      setAttribute(box, "data-room", room);
      if (box.scrollWidth <= box.clientWidth) break;
    }
  }

  // What is read out when it changes keeps still in between: the age stands beside it.
  showState() {
    const { live } = this;
    const box = element("stream-state");
    document.body.dataset.stream = live.state;
    box.dataset.state = live.state;
    setText(box, this.stateText());
    const old = live.state === "lost" && live.time ? `${age(live.silence() / 1000)} ago: what is shown is old` : "";
    setText(element("stream-age"), [live.why, old].filter(Boolean).join(" · "));
    setText(element("clock"), live.time ? `${clockTime(live.now(), live.timezone)} ${live.timezone}` : "");
    this.showTitle();
  }

  stateText() {
    const { live } = this;
    if (live.state === "live") return live.looking ? "live, every 10 s" : "live";
    if (live.state === "connecting") return "connecting…";
    return live.time ? `no data since ${zonedTime(live.time, live.timezone)}` : "no connection";
  }
}

const READINGS = {
  "campus-power": "power",
  "facility-power": "facility_power",
  "worst-inlet": "inlet_temperature",
  "worst-liquid": "tcs_supply_temperature",
};

function keyOf(kpi) {
  return `${kpi.category}.${kpi.window}`;
}

function show(box, number, unit, state) {
  setClass(box, "big", state);
  let value = box.querySelector(".value");
  if (!value) {
    box.replaceChildren(h("span", { class: "value" }), h("span", { class: "unit" }));
    value = box.querySelector(".value");
  }
  setText(value, number);
  setText(box.querySelector(".unit"), unit);
}
