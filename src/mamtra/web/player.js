// Plays samples as they come: a queue in an AudioWorklet, silence while it is empty.

class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.queue = [];
    this.place = 0;
    this.port.onmessage = ({ data }) => {
      if (data === "stop") this.queue = [];
      else this.queue.push(data);
    };
  }

  process(_, [[out]]) {
    for (let index = 0; index < out.length; index += 1) {
      const first = this.queue[0];
      out[index] = first ? first[this.place] : 0;
      this.place = first ? this.place + 1 : 0;
      if (first && this.place === first.length) {
        this.queue.shift();
        this.place = 0;
        if (!this.queue.length) this.port.postMessage("empty");
      }
    }
    return true;
  }
}

registerProcessor("player", Player);
