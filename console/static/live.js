// What the stream says: the state of every space, and whether it can be believed to be current.

import { knownZone } from "./format.js";

const SILENCE = 5000; // ms without an event after which data counts as gone
const GIVEN_UP = 15000; // ms without one after which the connection does: a cut line tells nobody
const RETRY = 3000;
const LOOK = 10000; // ms between two looks where the stream has no room for one more
const ROOM = 60000; // ms until it is asked for room again
const ANSWER = 20000; // ms that an answer may take
const STREAM = "/api/v1/stream";
const LOOKED_AT = "/api/v1/live";
const FULL = "too_many_streams";

export class Live {
  constructor() {
    this.nodes = new Map();
    this.children = new Map();
    this.order = [];
    this.site = "";
    this.timezone = "UTC";
    this.campus = {};
    this.kpis = [];
    this.alarms = null;
    this.time = 0;
    this.state = "connecting";
    this.why = ""; // the server's own words when it refuses the stream
    this.looking = false; // now and then, as the stream has no room
    this.listeners = { tick: [], structure: [], state: [] };
    this.heard = null;
    this.triedAt = 0;
    this.source = null;
    this.begun = false; // whether a stream has ever begun
    this.loading = false;
  }

  on(event, listener) {
    this.listeners[event].push(listener);
  }

  // Server time now: it goes on after the last event, so that ages keep growing when nothing comes.
  now() {
    return this.time ? this.time + this.silence() : 0;
  }

  // How long nothing new has come, ms. One clock stands still while the machine sleeps, the other may be set back.
  silence() {
    return this.heard ? Math.max(performance.now() - this.heard.ran, Date.now() - this.heard.date) : 0;
  }

  age(node) {
    return node.read === null || node.read === undefined || !this.time ? null : Math.max(0, (this.now() - node.read) / 1000);
  }

  // Ages in readings are as of the last event.
  since(reading) {
    return reading.age === null ? null : reading.age + (this.now() - this.time) / 1000;
  }

  async start() {
    setInterval(() => this.watch(), 1000);
    document.addEventListener("visibilitychange", () => this.watch());
    await this.loadStructure();
    this.connect();
  }

  async loadStructure() {
    if (this.loading) return;
    this.loading = true;
    for (;;) {
      try {
        this.takeTree(await getJson("/api/v1/nodes"));
        break;
      } catch (error) {
        this.why = error.status ? error.message : ""; // without a status nobody answered
        this.setState("lost");
        this.emit("state");
        await pause(RETRY);
      }
    }
    this.loading = false;
    this.emit("structure");
  }

  takeTree(tree) {
    this.site = tree.site;
    this.timezone = knownZone(tree.timezone);
    this.nodes = new Map();
    this.children = new Map();
    this.order = tree.nodes.map((node) => node.id);
    const time = Date.parse(tree.time);
    if (!this.time) this.hear(time);
    for (const node of tree.nodes) {
      node.read = node.age === null ? null : time - node.age * 1000;
      this.nodes.set(node.id, node);
      if (node.parent !== null) {
        if (!this.children.has(node.parent)) this.children.set(node.parent, []);
        this.children.get(node.parent).push(node.id);
      }
    }
  }

  connect() {
    this.source?.close();
    this.triedAt = performance.now();
    const source = new EventSource(STREAM);
    this.source = source;
    source.addEventListener("snapshot", (event) => {
      this.looking = false;
      this.why = "";
      this.take(JSON.parse(event.data), true);
      // Not the first one: the site may have been loaded anew, with other names and ratings.
      if (this.begun) this.loadStructure();
      this.begun = true;
    });
    source.addEventListener("tick", (event) => this.take(JSON.parse(event.data), false));
    source.addEventListener("error", () => {
      // A browser gives up for good when the answer was not a stream; then it is for us to try again.
      if (source.readyState === EventSource.CLOSED && this.source === source) {
        this.source = null;
        this.goOn();
      } else if (!this.looking) {
        this.setState("lost");
      }
    });
  }

  // Without a stream: if it only has no room, what it would say is looked at now and then until it has some.
  async goOn() {
    const again = this.looking;
    const refusal = await this.askWhy();
    const full = refusal === FULL;
    this.looking = full || (again && refusal === "");
    if (again && full) await this.loadStructure();
    for (const began = performance.now(); full && this.looking && performance.now() - began < ROOM; ) {
      await this.look();
      if (this.looking) await pause(LOOK);
    }
    if (!this.looking) this.setState("lost");
    if (!(full && this.looking)) await pause(RETRY);
    if (!this.source) this.connect();
  }

  async look() {
    try {
      this.take(await getJson(LOOKED_AT), true);
    } catch {
      this.looking = false;
    }
  }

  // What the stream is refused with: a code, nothing if it is not, or null if nobody answers.
  async askWhy() {
    const stop = new AbortController();
    let refusal = null;
    try {
      const response = await fetch(STREAM, { signal: stop.signal });
      const { error } = response.ok ? {} : await response.json();
      this.why = error?.message ?? "";
      refusal = error?.code ?? "";
    } catch {
      this.why = "";
    }
    stop.abort();
    this.emit("state");
    return refusal;
  }

  hear(time) {
    this.time = time;
    this.heard = { ran: performance.now(), date: Date.now() };
  }

  take(data, complete) {
    const news = data.time !== this.time || this.state === "connecting";
    if (news) this.hear(data.time);
    this.campus = data.campus;
    this.kpis = data.kpis;
    this.alarms = data.alarms;
    const columns = data.nodes;
    if (complete && (columns.id.length !== this.nodes.size || columns.id.some((id) => !this.nodes.has(id)))) {
      this.loadStructure();
      return;
    }
    columns.id.forEach((id, at) => {
      const node = this.nodes.get(id);
      if (!node) return;
      for (const name of COLUMNS) node[name] = columns[name][at];
    });
    if (news) this.setState("live"); // else the server lives but its seconds do not close
    this.emit("tick", complete ? this.order : columns.id);
  }

  watch() {
    if (this.state === "live" && this.silence() > (this.looking ? 2.5 * LOOK : SILENCE)) this.setState("lost");
    if (this.source && this.silence() > GIVEN_UP && performance.now() - this.triedAt > GIVEN_UP) this.connect();
    this.emit("state");
  }

  setState(state) {
    if (this.state === state) return;
    this.state = state;
    if (state === "live" && !this.looking) this.why = "";
    this.emit("state");
  }

  emit(event, detail) {
    for (const listener of this.listeners[event]) {
      try {
        listener(detail);
      } catch (error) {
        reportError(error); // the rest of the page goes on
      }
    }
  }

  ancestors(id) {
    const found = [];
    for (let node = this.nodes.get(id); node; node = this.nodes.get(node.parent)) found.unshift(node);
    return found;
  }

  below(id, level) {
    const node = this.nodes.get(id);
    if (!node) return [];
    if (node.level === level) return [node];
    return (this.children.get(id) ?? []).flatMap((child) => this.below(child, level));
  }
}

const COLUMNS = ["power", "quality", "coverage", "read", "temperature", "temperature_quality", "alarms", "priority"];

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function getJson(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(ANSWER) });
  const body = await response.json();
  if (!response.ok) throw Object.assign(new Error(body.error?.message ?? response.statusText), { mend: body.error?.mend ?? "", status: response.status });
  return body;
}
