// The list of alarms, and how collection goes.

import { h, keyed, setAttribute, setClass, setText } from "./dom.js";
import { age, momentTime, percent, words, MARKS } from "./format.js";
import { getJson } from "./live.js";
import { News } from "./news.js";

const COLLECTION_EVERY = 5000;
const MOST_SHOWN = 100;
const MOST_LISTED = 20; // devices, and endpoints: those in trouble first
const NOT_ONLINE = ["dormant", "suspect", "waiting"];

export class AlarmPanel {
  constructor(live, open) {
    this.live = live;
    this.open = open;
    this.state = "active";
    this.revision = null;
    this.asked = 0;
    this.news = new News(document.getElementById("news"));
    this.list = document.getElementById("alarm-list");
    this.here = null; // the open space, unless it is all of the site
    this.only = document.getElementById("alarms-here");
    this.only.addEventListener("change", () => this.load());
    this.buttons = [...document.querySelectorAll("#alarms .choice button")];
    for (const button of this.buttons) button.addEventListener("click", () => this.setState(button.dataset.state));
    live.on("tick", () => {
      if (live.alarms.revision !== this.revision) this.load();
    });
    live.on("state", () => this.tellAges());
  }

  // What is open: in a flood its own alarms can be asked for.
  show(id) {
    const node = this.live.nodes.get(id);
    this.here = node && node.parent !== null ? id : null;
    document.getElementById("alarms-only").hidden = this.here === null;
    setText(document.getElementById("alarms-where"), node?.name ?? "");
    if (this.only.checked) this.load();
  }

  setState(state) {
    this.state = state;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.state === state));
    this.load();
  }

  // Those that stand are asked for in any case: new ones are told of whatever is being looked at.
  async load() {
    const [turn, state, within] = [++this.asked, this.state, this.only.checked ? this.here : null];
    this.revision = this.live.alarms?.revision;
    try {
      const active = await this.ask("active");
      if (turn === this.asked) this.news.take(active);
      const answer = state === "active" && within === null ? active : await this.ask(state, within);
      if (turn === this.asked) this.render(answer, state, within === null ? "" : " here");
    } catch {
      if (turn === this.asked) this.revision = null;
    }
  }

  ask(state, within = null) {
    const space = within === null ? "" : `&space=${encodeURIComponent(within)}`;
    return getJson(`/api/v1/alarms?state=${state}&limit=${MOST_SHOWN}${space}`);
  }

  render(answer, state, where) {
    keyed(this.list, answer.alarms, (alarm) => `${state} ${alarm.id}@${alarm.raised}`, (alarm) => this.create(alarm), () => {});
    const empty = document.getElementById("alarm-empty");
    const nothing = state === "active" ? `No active alarms${where}` : `None has ended yet${where}`;
    const more = answer.total - answer.alarms.length;
    setText(empty, more > 0 ? `and ${more} more${where}` : answer.total ? "" : nothing);
    this.tellAges();
  }

  create(alarm) {
    const places = (alarm.place.length > 1 ? alarm.place.slice(1) : alarm.place).map((each) => each.name);
    const target = alarm.device || alarm.space;
    return h(
      "li",
      { class: `alarm ${alarm.priority}`, "data-alarm": alarm.id, "data-raised": Date.parse(alarm.raised), "data-cleared": alarm.cleared ? Date.parse(alarm.cleared) : null },
      h("div", { class: "alarm-head" },
        h("span", { class: "priority" }, `${MARKS[alarm.priority]} ${alarm.priority}`),
        alarm.category === "communication" ? h("span", { class: "category", title: "communication alarm" }, "comm.") : null,
        alarm.category === "platform" ? h("span", { class: "category", title: "alarm of dcops itself" }, "dcops") : null,
        h("span", { class: "alarm-age muted" })),
      h("button", { type: "button", class: "link place", title: "open it, with the history of what is wrong", onclick: () => this.open(target, alarm.point) }, ...placeNames(places.length ? places : [alarm.space])),
      h("p", { class: "message" }, alarm.message),
      alarm.action ? h("p", { class: "action" }, alarm.action) : null,
      runbook(alarm.runbook),
    );
  }

  tellAges() {
    const [now, zone] = [this.live.now(), this.live.timezone];
    if (!now) return;
    for (const row of this.list.children) {
      const raised = Number(row.dataset.raised);
      const cleared = Number(row.dataset.cleared);
      const [moment, seconds] = [momentTime(cleared || raised, now, zone), Math.max(0, ((cleared || now) - raised) / 1000)];
      setText(row.querySelector(".alarm-age"), cleared ? `ended ${moment}, lasted ${age(seconds)}` : `since ${moment}, ${age(seconds)}`);
    }
  }
}

export class CollectionPanel {
  constructor(open) {
    this.open = open;
    this.load();
    setInterval(() => this.load(), COLLECTION_EVERY);
  }

  async load() {
    if (document.hidden) return;
    try {
      this.render(await getJson(`/api/v1/collection?state=${NOT_ONLINE.join()}&limit=${MOST_LISTED}`));
    } catch {
      // The stream's state already says that nothing comes.
    }
  }

  render(answer) {
    const { totals, states } = answer;
    const text = `${share(states, "online")} devices online · ${share(answer.endpoint_states, "connected")} endpoints connected · polls ${count(totals.polls_done)} done, ${count(totals.polls_missed)} missed, ${count(totals.polls_failed)} failed`;
    setText(document.getElementById("collection-totals"), text);
    tellMore("device", NOT_ONLINE.reduce((sum, state) => sum + states[state], 0) - answer.devices.length);
    tellMore("endpoint", sumOf(answer.endpoint_states) - answer.endpoints.length);
    keyed(document.getElementById("endpoint-list"), answer.endpoints, (each) => each.endpoint, () => h("li", {}, h("span", { class: "dot", "aria-hidden": "true" }), h("span", { class: "what" }), h("span", { class: "how muted" })), fillEndpoint);
    keyed(document.getElementById("device-list"), answer.devices, (each) => each.device, (each) => h("li", {}, h("span", { class: "dot", "aria-hidden": "true" }, "✕"), h("button", { type: "button", class: "link", onclick: () => this.open(each.device) }, each.device), h("span", { class: "how muted" })), (row, each) => {
      setClass(row, each.state, "");
      setText(row.children[0], each.state === "waiting" ? "…" : "✕");
      setText(row.children[2], [words(each.state), each.last_error].filter(Boolean).join(": "));
    });
  }
}

// Where the mend stands at length: an address of the site's own, else a section of the shipped runbook.
function runbook(where) {
  if (!where) return null;
  const own = /^https?:\/\//.test(where);
  return h("a", { class: "runbook link", href: own ? where : `/runbook#${encodeURIComponent(where)}`, target: "_blank", rel: "noreferrer" }, own ? "Runbook" : `Runbook: ${where}`);
}

// The names of nested places. One that is written from right to left must not turn their order round.
function placeNames(names) {
  return names.flatMap((name, at) => [at ? " › " : null, h("bdi", {}, name)]);
}

function sumOf(counts) {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}

function count(number) {
  return number.toLocaleString("en");
}

function share(states, wanted) {
  return `${count(states[wanted])} of ${count(sumOf(states))}`;
}

function tellMore(what, left) {
  setText(document.getElementById(`${what}-more`), left > 0 ? `and ${count(left)} more: see dcops collection` : "");
}

function fillEndpoint(row, endpoint) {
  setClass(row, endpoint.state, "");
  setText(row.children[0], endpoint.state === "connected" ? "●" : endpoint.state === "down" ? "✕" : "…");
  setText(row.children[1], `${endpoint.endpoint} ${endpoint.address}`);
  const busy = endpoint.protocol.startsWith("modbus") && endpoint.utilisation !== null ? `, ${percent(endpoint.utilisation)} busy` : "";
  const errors = sumOf(endpoint.errors);
  const why = endpoint.state === "down" && endpoint.last_error ? `: ${endpoint.last_error}` : "";
  setText(row.children[2], `${words(endpoint.state)}${why}${busy}${errors ? `, ${count(errors)} errors` : ""}`);
  setAttribute(row, "title", endpoint.last_error ? `last error: ${endpoint.last_error}` : endpoint.round_trip === null ? "not asked yet" : `round trip ${(endpoint.round_trip * 1000).toFixed(1)} ms`);
}
