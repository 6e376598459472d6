// Pictures of sound while it comes: waveform, spectrogram, tokens, and memory against time.

const BINS = 256, FRAME = 512;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const GUARD = { end: "by itself", budget: "too long", repetition: "repetition", silence: "silence", cancelled: "stopped" };

// Power of a real frame, by a radix-2 transform in place.
export function powerOf(frame) {
  const n = frame.length, re = Float32Array.from(frame), im = new Float32Array(n);
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) [re[i], re[j]] = [re[j], re[i]];
  }
  for (let size = 2; size <= n; size <<= 1) {
    const half = size >> 1, step = -2 * Math.PI / size;
    for (let start = 0; start < n; start += size) {
      for (let k = 0; k < half; k++) {
        const c = Math.cos(step * k), s = Math.sin(step * k), a = start + k, b = a + half;
        const x = re[b] * c - im[b] * s, y = re[b] * s + im[b] * c;
        re[b] = re[a] - x; im[b] = im[a] - y; re[a] += x; im[a] += y;
      }
    }
  }
  return re.subarray(0, n / 2).map((value, k) => value * value + im[k] * im[k]);
}

// Red, green, blue and opacity of a level from 0 to 1: hsl(260 to 40, 80 %, 8 to 68 %).
function shade(level) {
  const hue = 260 - 220 * level, light = 0.08 + 0.6 * level, reach = 0.8 * Math.min(light, 1 - light);
  const part = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (light - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [part(0), part(8), part(4), 255];
}

const PALETTE = Array.from({ length: 64 }, (_, n) => shade(n / 63));

export class SoundPicture {
  constructor(wave, spectrogram, seconds = 10) {
    this.wave = wave; this.spectrogram = spectrogram; this.least = seconds;
    this.clear(24000);
  }

  clear(rate) {
    this.rate = rate; this.parts = []; this.length = 0; this.seconds = this.least;
    for (const canvas of [this.wave, this.spectrogram]) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  }

  push(samples) {
    const first = this.length;
    this.parts.push(samples); this.length += samples.length;
    if (this.length / this.rate > this.seconds) {
      this.seconds *= 1.6;
      this.draw(0);
    } else this.draw(first);
  }

  all() {
    const whole = new Float32Array(this.length);
    let at = 0;
    for (const part of this.parts) { whole.set(part, at); at += part.length; }
    return whole;
  }

  draw(first) {
    const samples = this.all(), perPixel = this.seconds * this.rate / this.wave.width;
    const from = Math.floor(first / perPixel), to = Math.min(this.wave.width, Math.ceil(this.length / perPixel));
    const line = this.wave.getContext("2d"), high = this.wave.height;
    const image = this.spectrogram.getContext("2d"), tall = this.spectrogram.height;
    line.fillStyle = colour("--accent");
    if (!first) {
      line.clearRect(0, 0, this.wave.width, high);
      image.clearRect(0, 0, this.spectrogram.width, tall);
    }
    for (let x = from; x < to; x++) {
      const start = Math.floor(x * perPixel);
      let peak = 0;
      for (let i = start; i < Math.min(start + perPixel, samples.length); i++) peak = Math.max(peak, Math.abs(samples[i]));
      line.fillRect(x, (high - peak * high) / 2, 1, Math.max(1, peak * high));
      const frame = new Float32Array(FRAME);
      for (let i = 0; i < FRAME; i++) frame[i] = (samples[start + i] ?? 0) * (0.5 - 0.5 * Math.cos(2 * Math.PI * i / FRAME));
      const power = powerOf(frame);
      const column = image.createImageData(1, tall);
      for (let y = 0; y < tall; y++) {
        const bin = Math.floor((1 - y / tall) * (BINS - 1));
        const level = Math.max(0, Math.min(1, (10 * Math.log10(power[bin] + 1e-9) + 50) / 80));
        column.data.set(PALETTE[Math.round(level * (PALETTE.length - 1))], 4 * y);
      }
      image.putImageData(column, x, 0);
    }
  }
}

export function drawTokens(list, piece) {
  const row = document.createElement("div"), title = document.createElement("div");
  row.setAttribute("role", "listitem");
  const told = GUARD[piece.stop_reason] ?? piece.stop_reason;
  title.textContent = `${piece.text} (${piece.speech_tokens.length} tokens, ended: ${told})`;
  if (piece.stop_reason !== "end") title.className = "stopped";
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, piece.speech_tokens.length); canvas.height = 1;
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  piece.speech_tokens.forEach((token, x) => {
    context.fillStyle = `hsl(${(token * 137.508) % 360} 65% 55%)`;
    context.fillRect(x, 0, 1, 1);
  });
  row.append(title, canvas);
  list.append(row);
}

export const bytes = (count) => count >= 1e6 ? `${(count / 1e6).toFixed(2)} MB` : `${(count / 1e3).toFixed(0)} kB`;

const LINES = ["#1f6feb", "#d9480f", "#2b8a3e", "#862e9c"];

export function drawGraph(canvas, series) {
  const context = canvas.getContext("2d"), { width, height } = canvas, left = 90, low = 40;
  const points = series.flatMap((line) => line.points);
  const right = Math.max(1, ...points.map(([x]) => x)), top = Math.max(1, ...points.map(([, y]) => y ?? 0));
  const at = ([x, y]) => [left + (width - left - 20) * x / right, height - low - (height - low - 30) * y / top];
  context.clearRect(0, 0, width, height);
  context.font = "18px system-ui"; context.fillStyle = colour("--soft"); context.strokeStyle = colour("--line");
  context.strokeRect(left, 20, width - left - 20, height - low - 20);
  context.fillText(bytes(top), 4, 34); context.fillText("0", left - 16, height - low);
  context.fillText(`${right.toFixed(0)} s`, width - 60, height - 12);
  series.forEach((line, number) => {
    context.strokeStyle = context.fillStyle = LINES[number % LINES.length];
    context.lineWidth = 3;
    context.beginPath();
    // a point without bytes parts the line: the next piece of text begins anew
    let parted = true;
    for (const point of line.points) {
      if (point[1] !== null) parted ? context.moveTo(...at(point)) : context.lineTo(...at(point));
      parted = point[1] === null;
    }
    context.stroke();
    for (const point of line.points.filter(([, held]) => held !== null)) { context.beginPath(); context.arc(...at(point), 4, 0, 7); context.fill(); }
    context.fillText(line.name, left + 12, 44 + 22 * number);
  });
}
