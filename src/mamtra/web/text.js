// English text as ids of nano's letters. The full reading of numbers, dates and abbreviations is
// Python's (mamtra.text); here whole numbers up to 999,999 become words, and signs that nano does
// not know are left out.

const MARKS = [" ", "'", ".", ",", "?", "!", ";", ":", "-"];
const SYMBOLS = ["<pad>", ...MARKS, ..."abcdefghijklmnopqrstuvwxyz"];
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

/** Ids of readable text. */
export function encode(text) {
  return Array.from(text, (character) => IDS.get(character));
}
