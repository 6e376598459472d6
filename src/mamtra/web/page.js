// The page: text in, sound out as it is made, and a WAV to keep.

import { Nano } from "./model.js";
import { notes } from "./text.js";

const [form, text, voice, seed, button, status, left, keep] =
  ["form", "text", "voice", "seed", "speak", "status", "notes", "keep"].map((id) => document.getElementById(id));
let model, audio, player;

const MARK = "Artificial speech, made by mamtra. digitalSourceType: " +
  "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

/** Samples as a WAV file that says in its metadata that its speech is artificial. */
function wav(samples, rate) {
  const mark = `${MARK}\0`.padEnd(2 * Math.ceil((MARK.length + 1) / 2), "\0"), head = 64 + mark.length;
  const view = new DataView(new ArrayBuffer(head + 2 * samples.length));
  const write = (place, word) =>
    [...word].forEach((letter, index) => view.setUint8(place + index, letter.charCodeAt(0)));
  write(0, "RIFF"); view.setUint32(4, view.byteLength - 8, true); write(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  write(36, "LIST"); view.setUint32(40, 12 + mark.length, true); write(44, "INFOICMT");
  view.setUint32(52, mark.length, true); write(56, mark);
  write(head - 8, "data"); view.setUint32(head - 4, 2 * samples.length, true);
  samples.forEach((value, index) => view.setInt16(head + 2 * index, Math.round(32767 * value), true));
  return new Blob([view], { type: "audio/wav" });
}

async function openAudio() {
  audio = new AudioContext({ sampleRate: model.rate });
  await audio.audioWorklet.addModule("player.js");
  player = new AudioWorkletNode(audio, "player");
  player.connect(audio.destination);
}

async function speak() {
  if (!audio) await openAudio();
  await audio.resume();
  player.port.postMessage("stop");
  const parts = [], begin = performance.now();
  let first;
  left.textContent = notes(text.value).join("; ");
  for await (const samples of model.speak(text.value, voice.value, Number(seed.value))) {
    first ??= performance.now() - begin;
    player.port.postMessage(samples);
    parts.push(...samples);
    status.textContent = `${(parts.length / model.rate).toFixed(1)} s spoken`;
  }
  const seconds = (performance.now() - begin) / 1000, length = parts.length / model.rate;
  status.textContent = `${length.toFixed(1)} s of speech in ${seconds.toFixed(1)} s, ` +
    `the first sound after ${(first / 1000).toFixed(2)} s`;
  keep.href = URL.createObjectURL(wav(parts, model.rate));
  keep.hidden = false;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  keep.hidden = true;
  try {
    await speak();
  } catch (problem) {
    status.textContent = `that did not work: ${problem.message}`;
  }
  button.disabled = false;
});

try {
  model = await Nano.load("model", (file) => { status.textContent = `loading ${file}`; });
  for (const name of model.voices) voice.add(new Option(name, name));
  status.textContent = "ready; everything runs inside this page";
  button.disabled = false;
} catch (problem) {
  status.textContent = `cannot load the model: ${problem.message}`;
}
