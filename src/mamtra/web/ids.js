// Letters and phones as ids: nano's symbols, and which words a model's pronunciations put in phones.

const MARKS = [" ", "'", ".", ",", "?", "!", ";", ":", "-"];
const PHONES = ("aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r " +
  "s sh t th uh uw v w y z zh").split(" ");
const SYMBOLS = ["<pad>", ...MARKS, ..."abcdefghijklmnopqrstuvwxyz",
  ...PHONES.map((phone) => `{${phone}}`)];
const WORD = /[a-z]+(?:'[a-z]+)*(?:-[a-z]+(?:'[a-z]+)*)*/g;
const VOICELESS = ["f", "k", "p", "t", "th"], SIBILANTS = ["s", "z", "sh", "zh", "ch", "jh"];
const IDS = new Map(SYMBOLS.map((symbol, index) => [symbol, index]));

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

/** Ids of spoken words; those that the pronunciations know, and those in braces, are in phones. */
export function encode(spoken, pronunciations) {
  return spoken.toLowerCase().split(/(\{[a-z ]*\})/).flatMap((part, place) => (place % 2
    ? part.slice(1, -1).split(" ").map((phone) => IDS.get(`{${phone}}`))
    : outsideBraces(part, pronunciations))).filter((id) => id !== undefined);
}

function outsideBraces(text, pronunciations) {
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
