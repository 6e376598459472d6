// What openai-node gets from a server: node client.mjs PORT; one JSON object on standard output.
import OpenAI from "openai";

const baseURL = `http://127.0.0.1:${process.argv[2]}/v1`;
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const asked = { model: "tts-1", voice: "alloy", input: "Good morning. It is warm today." };
const told = { formats: {}, errors: {} };

for (const response_format of ["mp3", "opus", "aac", "flac", "wav", "pcm"]) {
  try {
    const answer = await client.audio.speech.create({ ...asked, response_format });
    const bytes = Buffer.from(await answer.arrayBuffer());
    const type = answer.headers.get("content-type");
    told.formats[response_format] = { type, bytes: bytes.length, head: bytes.subarray(0, 4).toString("latin1") };
  } catch (error) {
    told.formats[response_format] = { refused: error.code };
  }
}

const streaming = await client.audio.speech.create({ ...asked, response_format: "pcm" });
told.parts = 0;
told.streamed = 0;
for await (const part of streaming.body) {
  told.parts += 1;
  told.streamed += part.length;
}

for (const [name, wrong] of Object.entries({ voice: { voice: "nobody" }, model: { model: "gpt-9" } })) {
  try {
    await client.audio.speech.create({ ...asked, ...wrong });
  } catch (error) {
    told.errors[name] = { kind: error.constructor.name, status: error.status, param: error.param };
  }
}
console.log(JSON.stringify(told));
