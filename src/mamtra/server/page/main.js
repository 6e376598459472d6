// The page: form in, sound and pictures out. Addresses are relative, so it works under any prefix.

import { SoundPicture, bytes, drawGraph, drawTokens, GUARD } from "./drawing.js";
import { rateOf, speakHere } from "./browser.js";
import { ServerError, problemOf, samplesOf, speak, wavOf } from "./stream.js";

const $ = (id) => document.getElementById(id);
const picture = new SoundPicture($("wave"), $("spectrogram"));
const RATE = 24000;
const HERE = "this browser";
let audio, node, running, rate = RATE;

const key = () => $("key").value.trim();
const headers = () => key() ? { authorization: `Bearer ${key()}` } : {};

function tell(text, problem = false, where = "status") {
  $(where).textContent = text;
  $(where).classList.toggle("problem", problem);
}

async function ask(path) {
  const response = await fetch(path, { headers: headers() });
  if (response.status === 401) $("key-field").hidden = false;
  if (!response.ok) throw new ServerError(await problemOf(response));
  return response.json();
}

async function openAudio(wanted) {
  if (audio?.sampleRate === wanted) { await audio.resume(); return; }
  await audio?.close();
  rate = wanted;
  audio = new AudioContext({ sampleRate: rate });
  await audio.audioWorklet.addModule("page/speaker.js");
  node = new AudioWorkletNode(audio, "speaker", { numberOfInputs: 0, outputChannelCount: [1] });
  node.port.onmessage = ({ data }) => { $("gaps").textContent = data.gaps; };
  node.connect(audio.destination);
  await audio.resume();
}

function values(model) {
  return {
    input: $("text").value, model, voice: $("voice").value,
    speed: Number($("speed").value), seed: Number($("seed").value),
  };
}

// Speaks with one model, of the server or of this browser; returns what was heard and how the state
// grew.
async function run(model, signal) {
  const here = model === HERE;
  await openAudio(here ? await rateOf((text) => tell(text)) : RATE);
  tell("Speaking");
  const events = here ? speakHere(values(), { signal }) : speak(values(model), { key: key(), signal, rate });
  const begun = performance.now(), points = [], parts = [];
  let first = 0, samples = 0, state = 0, ended = "end", said = 0, notes = [], last;
  node.port.postMessage({ clear: true });
  picture.clear(rate); $("tokens").replaceChildren(); $("gaps").textContent = "0";
  for await (const event of events) {
    if (event.samples || event.audio) {
      const piece = event.samples ?? samplesOf(event.audio);
      if (piece.length) {
        if (!first) { first = performance.now() - begun; $("first").textContent = `${first.toFixed(0)} ms`; }
        samples += piece.length; parts.push(piece);
        picture.push(piece);
        node.port.postMessage({ samples: piece });
      }
    }
    notes = event.notes ?? notes;
    const told = event.mamtra;
    if (told?.state_bytes) {
      if (told.piece !== last) points.push([(samples - (event.samples ?? []).length) / rate, null]);
      last = told.piece;
      state = Math.max(state, told.state_bytes);
      points.push([samples / rate, told.state_bytes]);
    }
    if (told?.speech_tokens) {
      drawTokens($("tokens"), told);
      said += told.text.length;
      if (told.stop_reason !== "end") ended = told.stop_reason;
      $("state").textContent = bytes(told.state_bytes);
      $("progress").value = Math.min(1, said / $("text").value.length);
    }
    $("seconds").textContent = `${(samples / rate).toFixed(1)} s`;
    $("took").textContent = `${((performance.now() - begun) / 1000).toFixed(1)} s`;
  }
  node.port.postMessage({ end: true });
  $("progress").value = 1;
  $("ended").textContent = GUARD[ended] ?? ended;
  return { model, parts, points, first, state, seconds: samples / rate, rate, notes };
}

function busy(is) {
  $("speak").disabled = is; $("stop").disabled = !is;
  $("progress").hidden = !is;
}

function listResults(results) {
  for (const player of $("rows").querySelectorAll("audio")) URL.revokeObjectURL(player.src);
  $("compared").hidden = false;
  drawGraph($("graph"), results.map(({ model, points }) => ({ name: model, points })));
  $("rows").replaceChildren(...results.map((result) => {
    const row = document.createElement("tr");
    const cells = [result.model, `${result.seconds.toFixed(1)} s`, `${result.first.toFixed(0)} ms`, bytes(result.state)];
    row.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
    const player = document.createElement("audio");
    player.controls = true; player.src = URL.createObjectURL(wavOf(result.parts, result.rate));
    player.setAttribute("aria-label", `Speech of ${result.model}`);
    const cell = document.createElement("td");
    cell.append(player); row.append(cell);
    return row;
  }));
}

let heard = [], file;

// What is spoken with: one of the server's models or this browser, or all of them one after another.
function chosen() {
  const models = [...$("model").options].map((option) => option.value);
  const here = $("here").checked ? [HERE] : [];
  if ($("compare").checked) return [...models, ...here];
  return here.length ? here : [$("model").value];
}

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  running = new AbortController();
  busy(true); tell("Speaking"); tell("", false, "notes"); $("download").disabled = true; $("progress").value = 0; heard = [];
  const models = chosen();
  const results = [];
  try {
    for (const model of models) results.push(await run(model, running.signal));
    heard = results.at(-1).parts;
    if (models.length > 1) listResults(results);
    tell([...new Set(results.flatMap((result) => result.notes))].join("; "), false, "notes");
    tell("Done");
  } catch (problem) {
    if (running.signal.aborted) tell("Stopped");
    else if (problem instanceof ServerError) tell(problem.message, true);
    else tell($("here").checked ? `That did not work: ${problem.message}` : `The server cannot be reached: ${problem.message}`, true);
    node?.port.postMessage({ clear: true });
    heard = picture.parts.slice();
  } finally {
    busy(false);
    $("download").disabled = !heard.length;
  }
});

$("stop").addEventListener("click", () => running?.abort());
$("speed").addEventListener("input", () => { $("speed-shown").textContent = Number($("speed").value).toFixed(2); });
$("download").addEventListener("click", () => {
  const link = document.createElement("a");
  URL.revokeObjectURL(file);   // of the download before
  link.href = file = URL.createObjectURL(wavOf(heard, rate)); link.download = "speech.wav"; link.click();
});

async function listVoices() {
  const { voices } = await ask(`v1/audio/voices?model=${encodeURIComponent($("model").value)}`);
  const own = voices.filter((voice) => !voice.alias_of);
  const chosen = $("voice").value;
  $("voice").replaceChildren(...own.map((voice) => new Option(voice.name, voice.id)));
  if (own.some((voice) => voice.id === chosen)) $("voice").value = chosen;
  $("voices").replaceChildren(...own.map((voice) => {
    const row = document.createElement("tr");
    row.append(...[voice.name, voice.source, voice.licence, voice.consent].map((text) => Object.assign(document.createElement("td"), { textContent: text || "not noted" })));
    return row;
  }));
}

$("upload").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData();
  form.append("audio_sample", $("recording").files[0]);
  form.append("name", $("name").value);
  form.append("ref_text", $("words").value);
  form.append("consent", "the speaker has agreed, as confirmed on the page");
  try {
    const path = `v1/audio/voices?model=${encodeURIComponent($("model").value)}`;
    const response = await fetch(path, { method: "POST", headers: headers(), body: form });
    if (!response.ok) throw new ServerError(await problemOf(response));
    await listVoices();
    $("voice").value = $("name").value;
    tell("The voice is ready.", false, "upload-status");
  } catch (problem) { tell(problem.message, true, "upload-status"); }
});

// The switch, or how to get what it needs.
function offerBrowser(ready) {
  $("here").disabled = !ready; $("here-note").hidden = ready;
  $("here-note").textContent = "To speak in this browser as well, without the server's help: " +
    "npm pack onnxruntime-web@1.30.0, then mamtra export nano --to web -o site --runtime onnxruntime-web-1.30.0.tgz, " +
    "and start the server with --browser site.";
}

// Inside the browser there is one speed.
$("here").addEventListener("change", () => { $("speed").disabled = $("here").checked && !$("compare").checked; });

async function start() {
  try {
    const { models, upload, key_needed, browser } = await ask("ready");
    offerBrowser(browser);
    $("key-field").hidden = !key_needed; $("upload").hidden = !upload;
    $("model").replaceChildren(...models.map((name) => new Option(name, name)));
    $("compare").closest("label").hidden = models.length < 2 && !browser;
    if (!key_needed || key()) await listVoices();
  } catch (problem) { tell(problem.message, true); }
}

$("model").addEventListener("change", () => listVoices().catch((problem) => tell(problem.message, true)));
$("key").addEventListener("change", () => listVoices().catch((problem) => tell(problem.message, true)));
start();
