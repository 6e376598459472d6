// The server's speech as a stream of events: samples, pieces of text, and the account at the end.

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

export function samplesOf(text) {
  const bytes = bytesOf(text);
  const whole = new Int16Array(bytes.buffer, 0, bytes.length >> 1);
  return Float32Array.from(whole, (value) => value / 32768);
}

export class ServerError extends Error {}

export async function problemOf(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `the server answered ${response.status}`;
  }
}

// Events of the body, however it was cut on its way.
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    waiting += value;
    let end;
    while ((end = waiting.indexOf("\n\n")) >= 0) {
      const lines = waiting.slice(0, end).split("\n");
      waiting = waiting.slice(end + 2);
      const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
      if (data.length) yield JSON.parse(data.join("\n"));
    }
  }
}

export async function* speak(values, { key, signal, rate }) {
  const headers = { "content-type": "application/json" };
  if (key) headers.authorization = `Bearer ${key}`;
  const body = JSON.stringify({ ...values, response_format: "pcm", stream_format: "sse", sample_rate: rate });
  const response = await fetch("v1/audio/speech", { method: "POST", headers, body, signal });
  if (!response.ok) throw new ServerError(await problemOf(response));
  let ended = false;
  for await (const event of eventsOf(response.body)) {
    if (event.type === "speech.audio.error") throw new ServerError(event.error.message);
    if (event.type === "speech.audio.done") ended = true;
    yield event;
  }
  if (!ended) throw new ServerError("the connection ended before the speech did");
}

// As mamtra.audio.mark has it.
const MARK = "Artificial speech, made by mamtra. digitalSourceType: " +
  "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

export function wavOf(parts, rate) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const mark = `${MARK}\0`.padEnd(2 * Math.ceil((MARK.length + 1) / 2), "\0"), head = 64 + mark.length;
  const view = new DataView(new ArrayBuffer(head + 2 * length));
  const text = (at, letters) => [...letters].forEach((letter, n) => view.setUint8(at + n, letter.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, view.byteLength - 8, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "LIST"); view.setUint32(40, 12 + mark.length, true); text(44, "INFOICMT");
  view.setUint32(52, mark.length, true); text(56, mark);
  text(head - 8, "data"); view.setUint32(head - 4, 2 * length, true);
  let at = head;
  for (const part of parts) for (const value of part) {
    view.setInt16(at, Math.max(-1, Math.min(1, value)) * 32767, true);
    at += 2;
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}
