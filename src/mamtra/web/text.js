// English text as ids of nano's letters. The full reading of numbers, dates and abbreviations is
// Python's (mamtra.text); here whole numbers up to 999,999 become words, and signs that nano does
// not know are left out.

const MARKS = [" ", "'", ".", ",", "?", "!", ";", ":", "-"];
const PHONES = ("aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r " +
  "s sh t th uh uw v w y z zh").split(" ");
const SYMBOLS = ["<pad>", ...MARKS, ..."abcdefghijklmnopqrstuvwxyz",
  ...PHONES.map((phone) => `{${phone}}`)];
const WORD = /[a-z]+(?:'[a-z]+)*(?:-[a-z]+(?:'[a-z]+)*)*/g;
const VOICELESS = ["f", "k", "p", "t", "th"], SIBILANTS = ["s", "z", "sh", "zh", "ch", "jh"];
const IDS = new Map(SYMBOLS.map((symbol, index) => [symbol, index]));
const SMALL = ("zero one two three four five six seven eight nine ten eleven twelve thirteen " +
  "fourteen fifteen sixteen seventeen eighteen nineteen").split(" ");
const TENS = "x x twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
const SAME = { "’": "'", "‘": "'", "“": "", "”": "", "–": "-", "—": ", ", "…": "." };
const PIECE_CHARACTERS = 100; // config.json: text.piece_characters

/** A whole number below a million in words. */
export function numberInWords(number) {
  if (number < 20) return SMALL[number];
  if (number < 100) {
    const rest = number % 10;
    return TENS[Math.floor(number / 10)] + (rest ? `-${SMALL[rest]}` : "");
  }
  const [size, name] = number < 1000 ? [100, "hundred"] : [1000, "thousand"];
  const rest = number % size;
  const joint = rest && rest < 100 ? " and " : " ";
  return `${numberInWords(Math.floor(number / size))} ${name}` +
    (rest ? joint + numberInWords(rest) : "");
}

/** The text in letters and marks that nano reads. */
export function readable(text) {
  return text
    .replace(/[’‘“”–—…]/g, (sign) => SAME[sign])
    .replace(/(\d),(?=\d{3}\b)/g, "$1")
    .replace(/\d{1,6}/g, (digits) => ` ${numberInWords(Number(digits))} `)
    .toLowerCase()
    .replace(/\s+/g, " ")
    .split("")
    .filter((character) => IDS.has(character))
    .join("")
    .replace(/ ([.,?!;:])/g, "$1")
    .replace(/ +/g, " ")
    .trim();
}

/** Sentences, long ones cut at a comma or a space. */
export function pieces(text) {
  const found = [];
  for (const sentence of readable(text).match(/[^.?!]+[.?!]*/g) ?? []) {
    let rest = sentence.trim();
    while (rest.length > PIECE_CHARACTERS) {
      const part = rest.slice(0, PIECE_CHARACTERS);
      const cut = Math.max(part.lastIndexOf(", ") + 1, 0) || part.lastIndexOf(" ");
      const end = cut > 0 ? cut : PIECE_CHARACTERS;
      found.push(rest.slice(0, end).trim());
      rest = rest.slice(end).trim();
    }
    if (/[a-z]/.test(rest)) found.push(/[.?!,]$/.test(rest) ? rest : `${rest}.`);
  }
  return found;
}

/** The phones of words, from a model's file of pronunciations. */
export class Pronunciations {
  constructor(written) { this.lines = `\n${written.trim()}\n`; }

  /** The phones of a word in lower case, or of its possessive; nothing where it is unknown. */
  phones(word) {
    const key = `\n${word}\t`, place = this.lines.indexOf(key);
    if (place >= 0) {
      const start = place + key.length;
      return this.lines.slice(start, this.lines.indexOf("\n", start)).split(" ");
    }
    const owner = word.endsWith("'s") ? this.phones(word.slice(0, -2)) : undefined;
    if (!owner) return undefined;
    const last = owner.at(-1);
    return [...owner, ...(SIBILANTS.includes(last) ? ["ax", "z"] : VOICELESS.includes(last) ? ["s"] : ["z"])];
  }

  /** Phones of a word, or of all parts of a word with hyphens. */
  whole(word) {
    const parts = word.split("-").map((part) => this.phones(part));
    return parts.every(Boolean) ? parts.flat() : undefined;
  }
}

/** Ids of readable text; words that the pronunciations know are in phones. */
export function encode(text, pronunciations) {
  const ids = [];
  let end = 0;
  const letters = (part) => { for (const character of part) ids.push(IDS.get(character)); };
  for (const found of pronunciations ? text.matchAll(WORD) : []) {
    const phones = pronunciations.whole(found[0]);
    if (!phones) continue;
    letters(text.slice(end, found.index));
    for (const phone of phones) ids.push(IDS.get(`{${phone}}`));
    end = found.index + found[0].length;
  }
  letters(text.slice(end));
  return ids;
}
