// Runs in the audio thread: plays samples as they arrive, silence where none are there yet.
class Speaker extends AudioWorkletProcessor {
  constructor() {
    super();
    this.queue = [];
    this.offset = 0;
    this.waiting = 0;       // samples in the queue
    this.playing = false;
    this.ended = false;
    this.gaps = 0;
    this.prebuffer = 0.1 * sampleRate;
    this.port.onmessage = ({ data }) => {
      if (data.samples) {
        this.queue.push(data.samples);
        this.waiting += data.samples.length;
      }
      if (data.end) this.ended = true;
      if (data.clear) {
        this.queue = []; this.offset = 0; this.waiting = 0;
        this.playing = false; this.ended = false; this.gaps = 0;
      }
    };
  }

  process(_inputs, [[out]]) {
    if (!this.playing) {
      if (!this.waiting || (this.waiting < this.prebuffer && !this.ended)) return true;
      this.playing = true;
    }
    let filled = 0;
    while (filled < out.length && this.queue.length) {
      const head = this.queue[0];
      const count = Math.min(out.length - filled, head.length - this.offset);
      out.set(head.subarray(this.offset, this.offset + count), filled);
      filled += count; this.offset += count; this.waiting -= count;
      if (this.offset === head.length) { this.queue.shift(); this.offset = 0; }
    }
    if (filled < out.length) {
      this.playing = false;
      if (this.ended) { this.ended = false; this.port.postMessage({ done: true, gaps: this.gaps }); }
      else {
        this.gaps += 1;
        this.prebuffer = Math.min(2 * this.prebuffer, sampleRate);   // wait longer next time
        this.port.postMessage({ gaps: this.gaps });
      }
    }
    return true;
  }
}
registerProcessor("speaker", Speaker);
