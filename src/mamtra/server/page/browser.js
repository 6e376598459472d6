// Speech made inside this browser, by the page that `mamtra export nano --to web` writes, as the same
// events as the server's.

let model, notes;

async function open(told) {
  if (!model) {
    const { Nano } = await import(new URL("browser/model.js", document.baseURI));
    ({ notes } = await import(new URL("browser/text.js", document.baseURI)));
    model = await Nano.load("browser/model", (file) => told(`Loading ${file} into the browser`));
  }
  return model;
}

// Its rate, once it is loaded; `told` hears what is being loaded.
export const rateOf = async (told) => (await open(told)).rate;

export async function* speakHere({ input, voice, seed }, { signal }) {
  yield { notes: notes(input) };
  const finished = [];
  const chosen = model.voices.includes(voice) ? voice : model.voices[0];
  for await (const samples of model.speak(input, chosen, seed, (piece) => finished.push(piece))) {
    if (signal.aborted) throw new DOMException("stopped", "AbortError");
    const piece = finished.shift();
    yield { samples, mamtra: piece && { ...piece, stop_reason: "end" } };
  }
}
