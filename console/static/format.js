// Numbers, ages and times as people read them. Unknown is always a dash, never 0.

export const DASH = "—";
export const NARROW = "\u202f"; // a thin space that doesn't break, between a number and its unit
export const WINDOWS = { "15min": `15${NARROW}min`, "1h": `1${NARROW}h`, "24h": `24${NARROW}h`, month: "month", year: "year" };
export const MARKS = { high: "▲", medium: "◆", low: "●" }; // of priorities of alarms
export const CATEGORIES = { 1: "UPS", 2: "distribution", 3: "rack" }; // of PUE: where IT energy is metered
const MINUS = "\u2212";

// As toFixed, with a true minus sign and never a minus zero.
export function fixed(value, decimals) {
  const shown = value.toFixed(decimals);
  if (!shown.startsWith("-")) return shown;
  return Number(shown) === 0 ? shown.slice(1) : MINUS + shown.slice(1);
}

function digits(value, significant = 4) {
  const size = Math.abs(value);
  const before = size >= 1 ? Math.floor(Math.log10(size)) + 1 : 1;
  return fixed(value, Math.max(0, Math.min(2, significant - before)));
}

// What would be written as a thousand of a unit is one of the next: 999.97 kW is 1.00 MW.
function scaled(value, steps) {
  const size = Math.abs(value);
  let at = steps.findIndex(([from]) => size >= from);
  if (at > 0 && Number(digits(size / steps[at][1])) * steps[at][1] >= steps[at - 1][0]) at -= 1;
  const [, factor, unit] = steps[at];
  return [digits(value / factor), unit];
}

// From which value on, divided by what, and the unit then.
const LADDERS = {
  W: [[1e6, 1e6, "MW"], [1e3, 1e3, "kW"], [0, 1, "W"]],
  VA: [[1e6, 1e6, "MVA"], [1e3, 1e3, "kVA"], [0, 1, "VA"]],
  var: [[1e6, 1e6, "Mvar"], [1e3, 1e3, "kvar"], [0, 1, "var"]],
  Wh: [[1e9, 1e9, "GWh"], [1e6, 1e6, "MWh"], [1e3, 1e3, "kWh"], [0, 1, "Wh"]],
  V: [[1e4, 1e3, "kV"], [0, 1, "V"]],
};
const ZERO = { W: "kW", VA: "kVA", var: "kvar", Wh: "kWh", V: "V" };
const DECIMALS = { "°C": 1, K: 1, A: 1, Hz: 2, "%": 1, "%RH": 0, "L/s": 1, kPa: 1, "L/kWh": 2, "1": 3, rpm: 0, "m³": 1 };

const FINE = new Set(["A", "L/s", "m³"]); // below 1, what flows at all must not read as 0.0

// Number and unit apart, for large type.
export function parts(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return [DASH, ""];
  if (LADDERS[unit]) {
    return value === 0 ? ["0", ZERO[unit]] : scaled(value, LADDERS[unit]);
  }
  if (unit === "s") return [age(value), ""];
  // Under a raised floor there are pascals: as kilopascals they would all be 0.0.
  if (unit === "kPa" && value !== 0 && Math.abs(value) < 0.9995) return [fixed(value * 1000, Math.abs(value) < 0.01 ? 1 : 0), "Pa"];
  const small = FINE.has(unit) && value !== 0 && Math.abs(value) < 1;
  const shown = fixed(value, small ? 2 : DECIMALS[unit] ?? 2);
  return [shown, unit === "1" ? "" : unit];
}

export function quantity(value, unit) {
  const [number, symbol] = parts(value, unit);
  return symbol ? `${number}${NARROW}${symbol}` : number;
}

// A point: states are words, the maker's where there are some; everything else is a quantity.
export function pointValue(point) {
  if (point.text) return point.text;
  if (point.value === null) return DASH;
  if (point.behaviour !== "state") return quantity(point.value, point.unit);
  return ["no", "yes"][point.value] ?? fixed(point.value, 0);
}

export function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return DASH;
  const value = share * 100;
  // 99.97 % must not read as 100 %: something is missing.
  const shown = value >= 99.995 || value === 0 ? value.toFixed(0) : value >= 99.5 ? Math.min(value, 99.9).toFixed(1) : value.toFixed(value < 9.5 ? 1 : 0);
  return `${shown}${NARROW}%`;
}

export function age(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return DASH;
  if (seconds < 120) return `${Math.round(seconds)}${NARROW}s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}${NARROW}min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)}${NARROW}h`;
  return `${Math.round(seconds / 86400)}${NARROW}d`;
}

// The zone if this browser knows it, else UTC: a clock that names its zone is right in either.
export function knownZone(timezone) {
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: timezone });
    return timezone;
  } catch {
    return "UTC";
  }
}

const formats = new Map();

function format(milliseconds, timezone, options) {
  const key = `${timezone} ${Object.keys(options)}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: timezone, ...options }));
  return formats.get(key).format(new Date(milliseconds));
}

const SECONDS = { second: "2-digit" };
const DATE = { day: "2-digit", month: "short" };
const ZONE = { timeZoneName: "short" };

export function clockTime(milliseconds, timezone, withDate = false) {
  return format(milliseconds, timezone, withDate ? DATE : SECONDS);
}

// The same with the zone.
export function zonedTime(milliseconds, timezone, withDate = false) {
  return format(milliseconds, timezone, { ...(withDate ? DATE : SECONDS), ...ZONE });
}

// With the day too if it is another one than today's.
export function momentTime(milliseconds, now, timezone) {
  const same = format(milliseconds, timezone, DATE).slice(0, 6) === format(now, timezone, DATE).slice(0, 6);
  return zonedTime(milliseconds, timezone, !same);
}

const CAPITALS = new Set(["chw", "cw", "tcs", "fws", "l1", "l2", "l3", "it", "ups", "cdu", "crah", "pdu", "rpp", "pue", "erf", "wue"]);
export function words(name) {
  const text = name.split("_").map((word) => (CAPITALS.has(word) ? word.toUpperCase() : word)).join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const GOOD = 192;
const USABLE = 64;
const HELD = new Set([20, 68]);
const SUBSTITUTE = 72;

// How far a number may be believed: good | estimated | uncertain | stale | none.
// A total is stale once nothing in it is measured, and estimated while only a part of it is.
export function judge(value, quality, coverage) {
  if (value === null || value === undefined) return "none";
  if (coverage !== null && coverage !== undefined) {
    if (coverage <= 0.0005) return "stale";
    return coverage < 0.9995 || quality < GOOD ? "estimated" : "good";
  }
  if (quality >= GOOD) return "good";
  if (HELD.has(quality) || quality < USABLE) return "stale";
  return quality === SUBSTITUTE ? "estimated" : "uncertain";
}

export function marked(text, state) {
  return state === "estimated" || state === "uncertain" ? `≈${NARROW}${text}` : text;
}

// The first words of a quality, where there is no room for all of them.
export function brief(text) {
  return text.split(",")[0];
}

export function explain(reading, seconds) {
  const parts = [reading.quality_text];
  if (reading.coverage !== null && reading.coverage !== undefined) parts.push(`${percent(reading.coverage)} measured`);
  const shown = seconds ?? reading.age;
  parts.push(shown === null || shown === undefined ? "never read" : `oldest reading ${age(shown)} ago`);
  return parts.join(" · ");
}
