// English as nano reads it: written text in spoken words, in pieces, with the pauses it asks for. The
// rules are Python's (rules.js is made from mamtra.text when the page is written).

import {
  IN_BRACES, MARK, PHRASE, PREVIEW, SHORT_SHARE, SIGNS, TIDY, cut, mergeShort, pauseOf, plainPhones,
  plainText, rewrite, spokenWindow, together, unknownTags, windows, withoutKnownTags,
} from "./rules.js";

const HOLD = "\0"; // stands for a word in phones while the rules run
const SOUNDED = /[\p{L}\p{N}]/u;
const measure = (text) => text.length;

/** A text the way it is spoken, in letters and marks; empty where nothing can be spoken. */
export function normalize(text) {
  const held = IN_BRACES.findall(text).map((span) => plainPhones(span));
  const parts = windows(plainText(IN_BRACES.sub(() => HOLD, text.replaceAll(HOLD, " "))));
  const joined = parts.map((part) => spokenWindow(part)).join(" ");
  const spoken = parts.length > 1 ? rewrite(joined, TIDY) : joined;
  if (!/[A-Za-z\0]/.test(spoken)) return "";
  return spoken.replaceAll(HOLD, () => held.shift());
}

/** A piece with a mark that ends a sentence. */
const closed = (piece) => (/[.?!]$/.test(piece) ? piece : `${piece.replace(/[ ,;:-]+$/, "")}.`);

/** A text as it is spoken, in pieces of a sentence or so, none longer than so many letters. */
export function pieces(text, longest) {
  const sentences = normalize(text).split(/(?<=[.?!]) /).filter(Boolean);
  const parts = sentences.flatMap((sentence) => cut(sentence, longest, measure));
  return mergeShort(parts, Math.trunc(SHORT_SHARE * longest), longest, measure).map(closed);
}

/** The parts of a text between its marks of pauses, each with the seconds of the pause after it. */
function passages(text) {
  const found = [{ text: "", pause: null }];
  let start = 0;
  for (const mark of MARK.finditer(text)) {
    const before = text.slice(start, mark.start()), pause = pauseOf(mark);
    start = mark.end();
    if (SOUNDED.test(before)) found.push({ text: before, pause });
    else found.at(-1).pause = together(found.at(-1).pause, pause);
  }
  return [...found, { text: text.slice(start), pause: null }];
}

/** Pieces with the pause after each in seconds, null where the text does not say. */
export function timedPieces(text, longest) {
  const found = [{ text: "", pause: null }];
  for (const passage of passages(text)) {
    found.push(...pieces(passage.text, longest).map((piece) => ({ text: piece, pause: null })));
    found.at(-1).pause = together(found.at(-1).pause, passage.pause);
  }
  return found.filter((piece) => piece.text || piece.pause);
}

const OTHER = /[^\0-\u024f\u0300-\u036f\u1e00-\u1eff\u2000-\u2bff\u0370-\u03ff]+/gu;
const SIGN = /[\p{So}\p{Sm}\p{Sk}\p{No}]/u;
const ascii = (letter) => letter <= "\x7f";
/** So many letters as a note quotes, in the quotes that Python takes. */
function preview(letters) {
  const text = letters.slice(0, PREVIEW).join("").replaceAll("\\", "\\\\");
  return text.includes("'") && !text.includes('"') ? `"${text}"` : `'${text.replaceAll("'", "\\'")}'`;
}

/** The letters of other scripts, word by word. */
const otherScripts = (text) => (text.match(OTHER) ?? [])
  .map((run) => [...run].filter((letter) =>
    /\p{L}/u.test(letter) && ![...letter.normalize("NFKC")].every(ascii)).join(""))
  .filter(Boolean).join(" ");

/** What will be left out of a text, or be read as words though it looks like markup. */
export function notes(text) {
  const found = [], bare = MARK.sub(() => " ", text), letters = otherScripts(bare);
  if (letters) found.push(`left out, this model reads Latin letters only: ${preview([...letters])}`);
  const signs = [...new Set(bare)].filter((sign) => !ascii(sign) && SIGN.test(sign)).slice(0, SIGNS);
  const unsaid = signs.filter((sign) => !normalize(sign));
  if (unsaid.length) found.push(`left out, there are no words for: ${preview(unsaid)}`);
  const tags = [...new Set(unknownTags(bare))].join(" ");
  if (tags) found.push(`left out, this model knows no such tag: ${preview([...tags])}`);
  const [phrase] = PHRASE.findall(withoutKnownTags(bare));
  if (phrase) found.push(`read as words, no known markup: ${preview([...phrase])}`);
  return found;
}
