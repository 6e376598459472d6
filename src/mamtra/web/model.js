// nano inside a page: the same graphs as in Python, run by onnxruntime-web on WebAssembly.

import * as ort from "./ort.wasm.min.mjs";
import { Pronunciations, encode } from "./ids.js";
import { timedPieces } from "./text.js";
import { choose, normal, uniform } from "./sampling.js";

const SPECIAL = 2; // ids of start (0) and task (1) come before those of speech and text
const TABLE = 2048; // positions of the rotary tables
const ROOM = 512; // ids that a piece may take
const ALL = 2n ** 40n; // a chunk that never ends
const PAUSE_SECONDS = 0.25; // between pieces, where the text does not say

const bytes = async (url) => {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
};
const int64 = (numbers, shape) => new ort.Tensor("int64", BigInt64Array.from(numbers, BigInt), shape);
const float32 = (numbers, shape) => new ort.Tensor("float32", numbers, shape);

/** A float16 number's value. */
function half(bits) {
  const [sign, exponent, part] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + part / 1024) : 2 ** -14 * (part / 1024));
}

/** The speaker's vector of a saved voice. */
async function speakerOf(url) {
  const file = await bytes(url);
  const view = new DataView(file.buffer);
  const size = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + size)));
  const [start, end] = header.speaker.data_offsets;
  const count = (end - start) / 2;
  return Float32Array.from({ length: count }, (_, index) =>
    half(view.getUint16(8 + size + start + 2 * index, true)));
}

export class Nano {
  /** Load everything from a folder; `told` hears what is being loaded. */
  static async load(folder, told = () => {}) {
    const model = new Nano();
    model.folder = folder;
    model.manifest = JSON.parse(new TextDecoder().decode(await bytes(`${folder}/manifest.json`)));
    ort.env.wasm.numThreads = 1;
    for (const [name, graph] of Object.entries(model.manifest.graphs)) {
      told(graph.file);
      const data = await Promise.all(graph.weights.map(async (path) =>
        ({ path, data: await bytes(`${folder}/${path}`) })));
      const options = { externalData: data, executionProviders: ["wasm"] };
      model[name] = await ort.InferenceSession.create(await bytes(`${folder}/${graph.file}`), options);
    }
    const words = model.manifest.pronunciations;
    if (words) {
      told(words);
      model.pronunciations = new Pronunciations(
        new TextDecoder().decode(await bytes(`${folder}/${words}`)));
    }
    const { width, theta } = model.manifest.rotary;
    const table = (wave) => float32(Float32Array.from({ length: TABLE * width }, (_, index) =>
      wave(Math.floor(index / width) / theta ** ((index % width) / width))), [TABLE, width]);
    model.tables = { cosine: table(Math.cos), sine: table(Math.sin) };
    return model;
  }

  get rate() { return this.manifest.vocoder.rate_hz; }

  get voices() { return this.manifest.voices; }

  /** Bytes of the language model's memory after so many ids. */
  memoryBytes(ids) {
    return 4 * Object.values(this.manifest.states).reduce((sum, shape) => sum + shape.reduce((a, size) =>
      a * (size === "capacity" ? ids : size === "batch" ? 1 : size), 1), 0);
  }

  /** An empty memory of the language model. */
  memory() {
    return Object.fromEntries(Object.entries(this.manifest.states).map(([name, shape]) => {
      const sizes = shape.map((size) => (size === "capacity" ? ROOM : size === "batch" ? 1 : size));
      return [name, float32(new Float32Array(sizes.reduce((a, b) => a * b, 1)), sizes)];
    }));
  }

  /** Read ids on top of a memory; logits of the next. */
  async read(ids, start, memory) {
    const positions = ids.map((_, index) => start + index);
    const shape = [1, ids.length];
    const inputs = { ids: int64(ids, shape), positions: int64(positions, shape) };
    const found = await this.speech_lm.run({ ...inputs, ...this.tables, ...memory });
    for (const name of Object.keys(memory)) memory[name] = found[`next.${name}`];
    return found.logits.data;
  }

  /** Speech tokens of a piece, one by one. */
  async *tokens(text, random) {
    const { codes, guard, sampling } = this.manifest;
    const ids = encode(text, this.pronunciations), memory = this.memory(), history = [];
    const least = Math.floor(ids.length * guard.min_per_text_token);
    const most = Math.floor(ids.length * guard.max_per_text_token) + guard.spare_tokens;
    const first = SPECIAL + codes + 3; // three speech ids are no sound: end, unused, fill
    const prompt = [0, ...ids.map((id) => first + id), 1];
    let logits = await this.read(prompt, 0, memory);
    while (history.length < Math.min(most, ROOM - prompt.length - 1)) {
      const forbidden = [codes + 1, codes + 2, ...(history.length < least ? [codes] : [])];
      const id = choose(logits, forbidden, history, random, sampling);
      if (id === codes) return;
      yield id;
      history.push(id);
      logits = await this.read([SPECIAL + id], prompt.length + history.length - 1, memory);
    }
  }

  /** Mel features (bins, frames) of tokens, with the masks of streaming. */
  async mel(tokens, speaker, final) {
    const { chunk_tokens, lookahead_tokens, mel_scale, mel_offset } = this.manifest.decoder;
    const kept = final ? tokens.length : tokens.length - lookahead_tokens;
    const { mean } = await this.decoder.run({
      tokens: int64(tokens, [tokens.length]),
      speaker: float32(speaker, [speaker.length]),
      kept: int64([kept], []),
      chunk: int64([chunk_tokens], []),
    });
    return { data: mean.data.map((value) => value * mel_scale + mel_offset), frames: mean.dims[1] };
  }

  /** Samples of mel features. */
  async sound(mel, noise) {
    const { bins, noises } = this.manifest.vocoder;
    const found = await this.vocoder.run({
      mel: float32(mel.data, [bins, mel.frames]),
      noise: float32(noise, [noises, noise.length / noises]),
      settled: float32(new Float32Array(0), [0]),
      cycles: new ort.Tensor("float64", Float64Array.of(0), []),
    });
    return found.samples.data;
  }

  /**
   * Speak a text; samples come as they are settled.
   *
   * Tokens of a chunk are spoken together with all before them, and only samples that no later frame
   * can change are handed out, so the joined pieces are those of the whole. `told` hears of each
   * piece that was spoken: its text, tokens, and bytes of memory.
   */
  async *speak(text, voice, seed = 0, told = () => {}) {
    const speaker = await speakerOf(
      `${this.folder}/voices/${encodeURIComponent(voice)}.safetensors`);
    const { chunk_tokens, lookahead_tokens, frames_per_token } = this.manifest.decoder;
    const { hop, noises, ahead_frames } = this.manifest.vocoder;
    const found = timedPieces(text, this.manifest.piece_characters);
    if (!found.some((piece) => piece.text)) {
      throw new Error("nothing in the text can be spoken; give text with Latin letters or numbers");
    }
    for (const [place, { text: piece, pause }] of found.entries()) {
      const silence = new Float32Array(Math.round((pause ?? PAUSE_SECONDS) * this.rate));
      if (!piece) {
        yield silence;
        continue;
      }
      const random = uniform(seed + 7368787 * place);
      const breath = uniform(seed + 7368787 * place + 1);
      const tokens = [];
      let noise = new Float32Array(0), spoken = 0, end = chunk_tokens;
      const render = async (final) => {
        const mel = await this.mel(tokens, speaker, final);
        const missing = normal(breath, mel.frames * hop * noises - noise.length);
        noise = Float32Array.from([...noise, ...missing]);
        const samples = await this.sound(mel, noise);
        const settled = final ? samples.length : Math.max(spoken, samples.length - ahead_frames * hop);
        const fresh = samples.slice(spoken, settled);
        spoken = settled;
        return fresh;
      };
      for await (const token of this.tokens(piece, random)) {
        tokens.push(token);
        const whole = tokens.length - lookahead_tokens;
        if (whole === end) {
          yield await render(false);
          end = 2 * end + chunk_tokens; // groups of 1, 2, 4 chunks, since each begins anew
        }
      }
      if (tokens.length) yield await render(true);
      const read = encode(piece, this.pronunciations).length + tokens.length + 2;
      told({ text: piece, speech_tokens: tokens, state_bytes: this.memoryBytes(read) });
      yield silence;
    }
  }
}
