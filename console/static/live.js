// What the stream says: the state of every space, and whether it can be believed to be current.

const SILENCE = 5000; // ms without an event after which data counts as gone
const RETRY = 3000;

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
    this.listeners = { tick: [], structure: [], state: [] };
    this.heardAt = 0;
    this.source = null;
  }

  on(event, listener) {
    this.listeners[event].push(listener);
  }

  // Server time now: it goes on after the last event, so that ages keep growing when nothing comes.
  now() {
    return this.time ? this.time + (performance.now() - this.heardAt) : 0;
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
    await this.loadStructure();
    this.connect();
  }

  async loadStructure() {
    for (;;) {
      try {
        const tree = await getJson("/api/v1/nodes");
        this.takeTree(tree);
        return;
      } catch {
        this.setState("lost");
        await new Promise((resolve) => setTimeout(resolve, RETRY));
      }
    }
  }

  takeTree(tree) {
    this.site = tree.site;
    this.timezone = tree.timezone;
    this.nodes = new Map();
    this.children = new Map();
    this.order = tree.nodes.map((node) => node.id);
    const time = Date.parse(tree.time);
    if (!this.time) [this.time, this.heardAt] = [time, performance.now()];
    for (const node of tree.nodes) {
      node.read = node.age === null ? null : time - node.age * 1000;
      this.nodes.set(node.id, node);
      if (node.parent !== null) {
        if (!this.children.has(node.parent)) this.children.set(node.parent, []);
        this.children.get(node.parent).push(node.id);
      }
    }
    this.emit("structure");
  }

  connect() {
    this.source?.close();
    const source = new EventSource("/api/v1/stream");
    this.source = source;
    let begun = false;
    source.addEventListener("snapshot", (event) => {
      this.take(JSON.parse(event.data), true);
      // Not the first one: the site may have been loaded anew, with other names and ratings.
      if (begun) this.loadStructure();
      begun = true;
    });
    source.addEventListener("tick", (event) => this.take(JSON.parse(event.data), false));
    source.addEventListener("error", () => {
      this.setState("lost");
      // A browser gives up for good when the answer was not a stream; then it is for us to try again.
      if (source.readyState === EventSource.CLOSED && this.source === source) {
        this.source = null;
        setTimeout(() => this.source ?? this.connect(), RETRY);
      }
    });
  }

  take(data, complete) {
    this.time = data.time;
    this.heardAt = performance.now();
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
    this.setState("live");
    this.emit("tick", complete ? this.order : columns.id);
  }

  watch() {
    if (this.state === "live" && performance.now() - this.heardAt > SILENCE) this.setState("lost");
    this.emit("state");
  }

  setState(state) {
    if (this.state === state) return;
    this.state = state;
    this.emit("state");
  }

  emit(event, detail) {
    for (const listener of this.listeners[event]) listener(detail);
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

export async function getJson(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  const body = await response.json();
  if (!response.ok) throw Object.assign(new Error(body.error?.message ?? response.statusText), { mend: body.error?.mend ?? "", status: response.status });
  return body;
}
