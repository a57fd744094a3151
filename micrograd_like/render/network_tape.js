// The tape of one example, run for many: each line for a block of rows, and then the next line.
// LOOPS, above, are its operations, UPDATES the rules of the optimisers.
const net = packed.network;
const real = (x) => Number(x); // inf and nan come as text
const BLOCK = Math.min(64, net.rows.length); // few enough to stay near the processor
const parameters = Float64Array.from(net.parameters, real);
const first = parameters.length + net.inputs;
const lines = net.code.length;

// Where in the memory a line has its results: one number, or one for each row. Constants are first.
const wide = new Uint8Array(first + lines);
const begin = new Int32Array(first + lines);
const changes = (place) => place >= 0 && wide[place];
let size = net.constants.length;
for (let line = 0; line < first + lines; line++) {
  const k = line - first;
  wide[line] = k < 0 ? line >= parameters.length : changes(net.left[k]) || changes(net.right[k]);
  begin[line] = size;
  size += wide[line] ? BLOCK : 1;
}
const index = (place) => (place >= 0 ? begin[place] : -2 - place);
const stride = (place) => (changes(place) ? 1 : 0);
const memory = new Float64Array(size);
memory.set(net.constants.map(real));

const [code, left, right] = [net.code, net.left.map(index), net.right.map(index)].map((x) => Int32Array.from(x));
const [by_left, by_right] = [net.left, net.right].map((places) => Int32Array.from(places, stride));

// The first `count` lines, for so many rows.
function run(count, rows) {
  for (let k = 0; k < count; k++) {
    const line = first + k;
    LOOPS[code[k]](memory, begin[line], left[k], by_left[k], right[k], by_right[k], wide[line] ? rows : 1);
  }
}
// A block of rows: `from` says what stands in column `j` of row `r`.
function load(rows, from, numbers = parameters) {
  memory.set(numbers, net.constants.length);
  for (let j = 0; j < net.inputs; j++) {
    const start = begin[parameters.length + j];
    for (let r = 0; r < rows; r++) memory[start + r] = from(r, j);
  }
}
const value = (place, r = 0) => memory[index(place) + r * stride(place)];
const total = (places, r = 0) => places.reduce((sum, place) => sum + value(place, r), 0);

// The mean loss over rows and, in `gradient`, its derivatives.
const gradient = new Float64Array(net.moved);
const terms = net.gradients.map((places) => places.map((place) => [index(place), stride(place)]));
function backward_over(chosen) {
  gradient.fill(0);
  let cost = 0;
  for (let start = 0; start < chosen.length; start += BLOCK) {
    const rows = Math.min(BLOCK, chosen.length - start);
    load(rows, (r, j) => net.rows[chosen[start + r]][j]);
    run(lines, rows);
    for (let r = 0; r < rows; r++) cost += value(net.cost, r);
    for (let i = 0; i < gradient.length; i++) gradient[i] = added(gradient[i], terms[i], rows);
  }
  for (let i = 0; i < gradient.length; i++) gradient[i] /= chosen.length;
  return cost / chosen.length;
}
// To a sum, row by row, what each row contributes: its terms in the order of the engine.
function added(sum, places, rows) {
  if (places.length === 1) {
    let [place, by] = places[0];
    for (let r = 0; r < rows; r++, place += by) sum += memory[place];
    return sum;
  }
  for (let r = 0; r < rows && places.length; r++) {
    let row = memory[places[0][0] + r * places[0][1]];
    for (let k = 1; k < places.length; k++) row += memory[places[k][0] + r * places[k][1]];
    sum += row;
  }
  return sum;
}

// Training: a rule, its buffers, and batches that pass over all rows before one comes again.
let rule = 0;
let buffers = [];
let steps = 0;
let moves = 0; // by this rule
let batch = net.rows.length;
let order = net.rows.map((_, i) => i);
let next = 0;
function choose_rule(k) {
  rule = k;
  moves = 0;
  buffers = Array.from({ length: net.rules[k].buffers }, () => new Float64Array(net.moved));
}
// The same shuffles in every run (the generator is mulberry32).
let seed = 1;
function random() {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
function next_batch() {
  if (batch >= order.length) return order;
  if (next >= order.length) next = 0;
  if (next === 0) {
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
  }
  const chosen = order.slice(next, next + batch);
  next += batch;
  return chosen;
}
function step(rate) {
  const cost = backward_over(next_batch());
  UPDATES[rule](rate, moves, parameters, gradient, buffers, net.moved);
  moves += 1;
  steps += 1;
  return cost;
}
function start_over() {
  parameters.set(net.parameters.map(real));
  order = net.rows.map((_, i) => i);
  seed = 1;
  steps = next = 0;
  choose_rule(rule);
}
choose_rule(0);

// The values of `count` rows, block by block with time for others between: `from` is as in `load`,
// and `take` gets the first row of a block and the number of its rows, whose values are in memory.
function* forward_over(count, from, take, numbers) {
  for (let start = 0; start < count; start += BLOCK) {
    const rows = Math.min(BLOCK, count - start);
    load(rows, (r, j) => from(start + r, j), numbers);
    run(net.ahead, rows);
    take(start, rows);
    yield;
  }
}
const outputs_at = (r) => net.outputs.map((place) => value(place, r));
const greatest = (xs) => xs.reduce((best, x, i) => (x > xs[best] ? i : best), 0);
// The class that outputs stand for, and the one that a row's target means; −1 where there is none.
function answered(outputs) {
  if (!net.answer || outputs.some(Number.isNaN)) return -1;
  const { threshold, low, high } = net.answer;
  return threshold === null ? greatest(outputs) : outputs[0] > threshold ? high : low;
}
function wanted(row) {
  const target = row.slice(net.features);
  return !net.answer ? -1 : net.answer.threshold === null ? greatest(target) : target[0];
}
