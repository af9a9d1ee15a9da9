// New alarms, said to those who listen to the page: at once when one comes, and in a flood now and then how many.

const QUIET = 5000; // ms between two announcements
const MOST_KNOWN = 5000;

export class News {
  constructor(box) {
    this.box = box;
    this.known = null; // alarms seen before; those that may have ended are kept, as a flood hides some for a while
    this.waiting = [];
    this.more = false;
    this.due = false;
  }

  // The alarms that stand now, the most urgent first, and how many there are. Those of the first time are no news.
  take({ alarms, total }) {
    const fresh = alarms.filter((alarm) => !this.known?.has(keyOf(alarm)));
    if (this.known) {
      this.waiting.push(...fresh);
      this.more ||= fresh.length > 0 && total > alarms.length;
    }
    if (!this.known || this.known.size > MOST_KNOWN) this.known = new Set(alarms.map(keyOf));
    for (const alarm of fresh) this.known.add(keyOf(alarm));
    if (!this.due) this.say();
  }

  say() {
    this.due = this.waiting.length > 0;
    if (!this.due) return;
    this.box.textContent = announcement(this.waiting, this.more);
    this.waiting = [];
    this.more = false;
    setTimeout(() => this.say(), QUIET);
  }
}

function keyOf(alarm) {
  return `${alarm.id}@${alarm.raised}`;
}

function announcement(alarms, more) {
  if (alarms.length === 1 && !more) return `New alarm, ${alarms[0].priority}: ${alarms[0].message}`;
  const kinds = ["high", "medium", "low"].map((priority) => alarms.filter((alarm) => alarm.priority === priority)).filter((kind) => kind.length);
  const counts = kinds.map((kind) => `${kind.length} ${kind[0].priority}`).join(", ");
  return `${more ? "At least " : ""}${alarms.length} new alarms: ${counts}. The first: ${kinds[0][0].message}`;
}
