// What Python's text rules use of their language, for rules.js, which is made from them
// (mamtra.interop.text_script): regular expressions, matches, methods of strings and dicts.

class Pattern {
  constructor(source, flags) {
    this.source = source;
    this.all = new RegExp(source, `${flags}g`);
    this.here = new RegExp(source, `${flags}y`);
    this.whole = new RegExp(`^(?:${source})$`, flags);
    this.templates = new Map();
  }

  /** The match object of what exec or replace found. */
  static match(groups, named, index, string) {
    const found = Object.assign(Object.create(null), named);
    groups.forEach((group, number) => { found[number] = group ?? null; });
    for (const name of Object.keys(found)) found[name] ??= null;
    found.string = string;
    found.start = () => index;
    found.end = () => index + groups[0].length;
    found.groups = () => groups.slice(1).map((group) => group ?? null);
    found.groupdict = () => new Map(Object.entries(named ?? {}).map(([name, group]) => [name, group ?? null]));
    return found;
  }

  found(regex, text, start = 0) {
    regex.lastIndex = start;
    const found = regex.exec(text);
    return found && Pattern.match([...found], found.groups, found.index, text);
  }

  search(text) { return this.found(this.all, text); }

  match(text, start = 0) { return this.found(this.here, text, start); }

  fullmatch(text) { return this.found(this.whole, text); }

  findall(text) {
    return [...text.matchAll(this.all)].map((found) =>
      found.length === 1 ? found[0] : found.length === 2 ? found[1] ?? "" : found.slice(1).map((one) => one ?? ""));
  }

  * finditer(text) {
    for (const found of text.matchAll(this.all)) {
      yield Pattern.match([...found], found.groups, found.index, text);
    }
  }

  split(text) { return text.split(this.all); }

  /** A replacement with \1 in it, as a function. */
  template(written) {
    if (!this.templates.has(written)) {
      const parts = written.split(/\\(\d|n|\\)/);
      this.templates.set(written, (found) => parts.map((part, place) =>
        place % 2 === 0 ? part : part === "n" ? "\n" : part === "\\" ? "\\" : found[part] ?? "").join(""));
    }
    return this.templates.get(written);
  }

  sub(spoken, text) {
    const say = typeof spoken === "string" ? this.template(spoken) : spoken;
    return text.replace(this.all, (...given) => {
      const named = typeof given.at(-1) === "object" ? given.pop() : undefined;
      const string = given.pop(), index = given.pop();
      return say(Pattern.match(given, named, index, string));
    });
  }
}

const patterns = new Map();
export const re = (source, flags = "") => {
  const key = `${flags}/${source}`;
  if (!patterns.has(key)) patterns.set(key, new Pattern(source, flags));
  return patterns.get(key);
};
const compiled = (pattern) => (typeof pattern === "string" ? re(pattern) : pattern);
export const re_sub = (pattern, spoken, text) => compiled(pattern).sub(spoken, text);
export const re_fullmatch = (pattern, text) => compiled(pattern).fullmatch(text);
export const re_search = (pattern, text) => compiled(pattern).search(text);
export const re_findall = (pattern, text) => compiled(pattern).findall(text);

const BLANK = " \t\n\r\v\f";
const left = (text, marks) => {
  let start = 0;
  while (start < text.length && marks.includes(text[start])) start += 1;
  return text.slice(start);
};
const right = (text, marks) => {
  let end = text.length;
  while (end && marks.includes(text[end - 1])) end -= 1;
  return text.slice(0, end);
};
const any_of = (ends, test) => (Array.isArray(ends) ? ends.some(test) : test(ends));

const OF_STRINGS = {
  join: (text, parts) => [...parts].join(text),
  lower: (text) => text.toLowerCase(),
  upper: (text) => text.toUpperCase(),
  replace: (text, old, put) => text.replaceAll(old, () => put),
  strip: (text, marks = BLANK) => right(left(text, marks), marks),
  lstrip: (text, marks = BLANK) => left(text, marks),
  rstrip: (text, marks = BLANK) => right(text, marks),
  split: (text, mark) => (mark === undefined ? text.split(/\s+/).filter(Boolean) : text.split(mark)),
  startswith: (text, starts) => any_of(starts, (start) => text.startsWith(start)),
  endswith: (text, ends) => any_of(ends, (end) => text.endsWith(end)),
  partition: (text, mark) => {
    const place = text.indexOf(mark);
    return place < 0 ? [text, "", ""] : [text.slice(0, place), mark, text.slice(place + mark.length)];
  },
  rpartition: (text, mark) => {
    const place = text.lastIndexOf(mark);
    return place < 0 ? ["", "", text] : [text.slice(0, place), mark, text.slice(place + mark.length)];
  },
  isdecimal: (text) => /^\d+$/.test(text),
  isdigit: (text) => /^\d+$/.test(text),
  isalpha: (text) => /^\p{L}+$/u.test(text),
  isupper: (text) => text !== text.toLowerCase() && text === text.toUpperCase(),
  isascii: (text) => /^[\0-\x7f]*$/.test(text),
  capitalize: (text) => text.slice(0, 1).toUpperCase() + text.slice(1).toLowerCase(),
  removeprefix: (text, start) => (text.startsWith(start) ? text.slice(start.length) : text),
  removesuffix: (text, end) => (end && text.endsWith(end) ? text.slice(0, -end.length) : text),
  find: (text, part, start = 0) => text.indexOf(part, start),
  rfind: (text, part, start, end) => {
    const place = text.slice(start, end).lastIndexOf(part);
    return place < 0 ? place : start + place;
  },
  translate: (text, table) => Array.from(text, (one) => {
    const put = table.get(one.codePointAt(0)) ?? one;
    return typeof put === "number" ? String.fromCodePoint(put) : put;
  }).join(""),
};

/** A method of a string, a dict, a list, a match or a pattern. */
export function call(owner, name, ...given) {
  if (typeof owner === "string") return OF_STRINGS[name](owner, ...given);
  if (owner instanceof Map) {
    if (name === "get") return owner.has(given[0]) ? owner.get(given[0]) : given[1] ?? null;
    return [...owner[name === "items" ? "entries" : name]()];
  }
  if (Array.isArray(owner) && name === "append") return void owner.push(...given);
  return owner[name](...given);
}

/** An entry of a dict, a list, a string or a match. */
export function at(owner, key) {
  if (owner instanceof Map) return owner.get(key);
  if (typeof owner === "string" || Array.isArray(owner)) return owner.at(key);
  return owner[key];
}

export const slice = (owner, start, end) => owner.slice(start ?? 0, end ?? undefined);
export const bool = (value) => (value instanceof Map || value instanceof Set
  ? value.size > 0 : Array.isArray(value) ? value.length > 0 : Boolean(value));
export const and = (...parts) => {
  let value;
  for (const part of parts) if (!bool(value = part())) return value;
  return value;
};
export const or = (...parts) => {
  let value;
  for (const part of parts) if (bool(value = part())) return value;
  return value;
};
export const eq = (a, b) => (Array.isArray(a) && Array.isArray(b)
  ? a.length === b.length && a.every((one, place) => eq(one, b[place])) : (a ?? null) === (b ?? null));
const within = (one, owner) => (owner instanceof Map || owner instanceof Set || owner instanceof Range
  ? owner.has(one) : owner.includes(one));
export const add = (a, b) => (Array.isArray(a) ? [...a, ...b] : a + b);

class Range {
  constructor(start, stop) { Object.assign(this, { start, stop }); }

  has(value) { return Number.isInteger(value) && this.start <= value && value < this.stop; }

  * [Symbol.iterator]() { for (let value = this.start; value < this.stop; value += 1) yield value; }
}

export const range = (start, stop) => (stop === undefined ? new Range(0, start) : new Range(start, stop));
export const float = (value) => Number.parseFloat(value);
export const int = (value) => (typeof value === "string" ? Number.parseInt(value, 10) : Math.trunc(value));
export const len = (value) => (typeof value === "string" || Array.isArray(value) ? value.length : value.size);
export const str = Object.assign((value) => (value === null ? "None" : String(value)), OF_STRINGS);
export const map = (change, values) => [...values].map((value) => change(value));
export const any = (values) => [...values].some(bool);
export const all = (values) => [...values].every(bool);
export const sum = (values) => [...values].reduce((a, b) => a + Number(b), 0);
export const zip = (first, second) => [...first].slice(0, [...second].length).map((one, place) => [one, second[place]]);
export const next = (values) => values[0];
export const max = (...values) => Math.max(...values);
export const min = (...values) => Math.min(...values);
export const divmod = (a, b) => [Math.floor(a / b), a % b];
export { within as in };

export const unicodedata_normalize = (form, text) => text.normalize(form);
const CATEGORIES = [["Mn", /\p{Mn}/u], ["Me", /\p{Me}/u], ["Cf", /\p{Cf}/u]];
export const unicodedata_category = (one) => CATEGORIES.find(([, test]) => test.test(one))?.[0] ?? "";
/** A digit of any script: digits stand side by side, so the zero is found by going back. */
export function unicodedata_decimal(one, otherwise) {
  const digit = (code) => /\p{Nd}/u.test(String.fromCodePoint(code)), code = one.codePointAt(0);
  if (!digit(code)) return otherwise;
  let value = 0;
  while (value < 9 && digit(code - value - 1)) value += 1;
  return value;
}

let entities = new Map();
export const setEntities = (found) => { entities = found; };
export function html_unescape(written) {
  const name = written.slice(1, -1);
  const code = name[0] !== "#" ? entities.get(name)
    : /x/i.test(name[1]) ? Number.parseInt(name.slice(2), 16) : Number.parseInt(name.slice(1), 10);
  return code > 0 && code < 0x110000 ? String.fromCodePoint(code) : name === "apos" ? "'" : written;
}

const SMALL = ("zero one two three four five six seven eight nine ten eleven twelve thirteen " +
  "fourteen fifteen sixteen seventeen eighteen nineteen").split(" ");
const TENS = "x x twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
const SIZES = [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"], [1000, "thousand"], [100, "hundred"]];
const ODD = { one: "first", two: "second", three: "third", five: "fifth", eight: "eighth", nine: "ninth", twelve: "twelfth" };

/** How many, in words. */
export function cardinal(value) {
  if (value < 0) return `minus ${cardinal(-value)}`;
  if (value < 20) return SMALL[value];
  if (value < 100) return TENS[Math.floor(value / 10)] + (value % 10 ? ` ${SMALL[value % 10]}` : "");
  const [size, name] = SIZES.find(([least]) => value >= least);
  const rest = value % size;
  return `${cardinal(Math.floor(value / size))} ${name}` +
    (rest ? (rest < 100 ? " and " : " ") + cardinal(rest) : "");
}

/** Which place, in words. */
export function ordinal(value) {
  const words = cardinal(value).split(" "), last = words.pop();
  return [...words, ODD[last] ?? (last.endsWith("y") ? `${last.slice(0, -1)}ieth` : `${last}th`)].join(" ");
}
