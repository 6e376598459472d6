// Drawing the next speech id: repetition-aware sampling as in mamtra.generation.sampling. Draws come
// from a generator of our own, so a seed gives other takes here than in Python.

/** Uniform numbers below 1 from a seed (mulberry32). */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Standard normal numbers (Box and Muller). */
export function normal(random, count) {
  const found = new Float32Array(count);
  for (let index = 0; index < count; index += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    found[index] = radius * Math.cos(angle);
    if (index + 1 < count) found[index + 1] = radius * Math.sin(angle);
  }
  return found;
}

function probabilities(logits, temperature, forbidden) {
  const weights = Float64Array.from(logits, (value) => value / temperature);
  for (const id of forbidden) weights[id] = -Infinity;
  const most = weights.reduce((a, b) => Math.max(a, b));
  let total = 0;
  weights.forEach((value, id) => { weights[id] = Math.exp(value - most); total += weights[id]; });
  return weights.map((value) => value / total);
}

function drawn(ids, weights, random) {
  let rest = random() * ids.reduce((sum, id) => sum + weights[id], 0);
  for (const id of ids) {
    rest -= weights[id];
    if (rest <= 0) return id;
  }
  return ids[0];
}

/** The next id; `config` is the section `sampling` of config.json. */
export function choose(logits, forbidden, history, random, config) {
  const weights = probabilities(logits, config.temperature, forbidden);
  const order = Array.from(weights.keys()).sort((a, b) => weights[b] - weights[a] || a - b);
  const kept = [];
  for (let sum = 0; kept.length < config.top_k && sum < config.top_p; ) {
    kept.push(order[kept.length]);
    sum += weights[kept.at(-1)];
  }
  const chosen = drawn(kept, weights, random);
  const recent = history.slice(-config.window).filter((id) => id === chosen).length;
  if (recent < config.window * config.repetition_share) return chosen;
  const again = probabilities(logits, config.temperature, [...forbidden, chosen]);
  return drawn(Array.from(again.keys()), again, random);
}
