// The page: the plane or the images, the network as pictures and lines, and a frame for a neuron.
const units = net.layers.flatMap((layer) => layer.units);
const on_line = net.features === 1 && net.outputs.length === 1; // then the plane is that of input and output
const on_plane = net.features === 2 || on_line;
const side = Math.sqrt(net.features);
const on_images = net.features >= 16 && Number.isInteger(side);
const SIZE = 48; // points of the plane in each direction
const ALONG = 4 * SIZE; // points of a curve
let chosen = 0; // an example, or −1: a point of the plane that is none
let point = []; // its coordinates
let borders = []; // of the classes on the plane
let outputs = []; // of every row
let losses = []; // [step, loss of its batch]
let latest = 0; // of them, which need not be kept
let shares = []; // [step, share that is right]
let drawn = parameters; // as they were when the page was painted: it may go on training meanwhile

// Colours, as numbers: the style says them.
function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => [1, 3, 5].map((k) => parseInt(style.getPropertyValue(name).trim().slice(k, k + 2), 16));
  return { zero: of("--box"), above: of("--positive"), below: of("--negative"), more: of("--more"), less: of("--less"), ink: of("--ink"), broken: of("--broken"), wrong: of("--wrong"), play: of("--play") };
}
let palette = colours();
// The pixel at `k` of an image, for a share from −1 to 1.
function tinted(pixels, k, share, [above, below]) {
  const broken = Number.isNaN(share);
  const end = broken ? palette.broken : share > 0 ? above : below;
  const much = broken ? 1 : Math.min(1, Math.abs(share));
  for (let c = 0; c < 3; c++) pixels[4 * k + c] = palette.zero[c] + much * (end[c] - palette.zero[c]);
  pixels[4 * k + 3] = 255;
}
// A picture of numbers, the largest of them in full colour.
function paint(canvas, numbers, width, most = largest(numbers), ends = [palette.more, palette.less]) {
  const height = numbers.length / width;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let k = 0; k < numbers.length; k++) tinted(image.data, k, numbers[k] / (most || 1), ends);
  context.putImageData(image, 0, 0);
}
const largest = (xs) => xs.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);
const short = (x) => (!Number.isFinite(x) ? special(x) : Math.abs(x) >= 1000 || (x && Math.abs(x) < 0.005) ? x.toExponential(0).replace("e+", "e").replaceAll("-", "−") : x.toFixed(Math.abs(x) < 10 ? 2 : Math.abs(x) < 100 ? 1 : 0).replaceAll("-", "−"));

// The plane: from the least to the greatest of each coordinate, and a tenth more; of targets a half.
const extent = [0, 1].map((j) => {
  const xs = net.rows.map((row) => row[j]);
  const [low, high] = [Math.min(...xs), Math.max(...xs)];
  const parts = on_line && j ? 2 : 10;
  const room = high > low ? high / parts - low / parts : 1;
  return [Math.max(low - room, -Number.MAX_VALUE), Math.min(high + room, Number.MAX_VALUE)];
});
const along = ([low, high], share) => low * (1 - share) + high * share;
const share_of = ([low, high], x) => (x / 2 - low / 2) / (high / 2 - low / 2);
const place_of = (row) => [share_of(extent[0], row[0]), 1 - share_of(extent[1], row[1])];
// What every neuron makes of it, and the outputs: computed, and then painted by what is returned.
function* paint_plane(numbers) {
  const count = on_line ? ALONG : SIZE * SIZE;
  const values = units.map(() => new Float64Array(count));
  const ends = [];
  const from = (k, j) => {
    if (j >= net.features) return 0;
    const share = on_line ? (k + 0.5) / ALONG : j ? 1 - (Math.floor(k / SIZE) + 0.5) / SIZE : ((k % SIZE) + 0.5) / SIZE;
    return along(extent[j], share);
  };
  yield* forward_over(count, from, (start, rows) => {
    units.forEach((unit, u) => {
      const place = index(unit.value);
      if (changes(unit.value)) values[u].set(memory.subarray(place, place + rows), start);
      else values[u].fill(memory[place], start, start + rows);
    });
    for (let r = 0; r < rows; r++) ends.push(outputs_at(r));
  }, numbers);
  const found = on_line ? curve(ends.map(([y]) => y)) : borders_of(ends);
  const seen = [];
  for (const all of values) {
    yield;
    seen.push(on_line ? all.filter((_, k) => k % 4 === 2) : all.filter((_, k) => k % 2 && (k / SIZE) & 1));
  }
  return () => {
    borders = found;
    if (!on_line) paint_map(ends);
    seen.forEach((numbers, u) => paint(cells[u].canvas, numbers, on_line ? SIZE : SIZE / 2));
    paint_dots();
  };
}
// The output over the input, as lines.
function curve(ys) {
  const found = ys.map((y, k) => [(k + 0.5) / ALONG, 1 - share_of(extent[1], y)]);
  return found.slice(1).map((end, k) => [found[k], end]);
}
const several = net.outputs.length > 1;
const height_of = (output) => (several ? answered(output) : output[0] - (net.answer?.threshold ?? 0));
function paint_map(ends) {
  const heights = ends.map(height_of);
  const most = several ? Math.max(1, net.outputs.length - 1) : Math.min(largest(heights), 4);
  paint(at("map"), heights.map((x) => (several ? (2 * x) / most - 1 : x / most)), SIZE, 1, [palette.above, palette.below]);
}
const borders_of = (ends) => (several
  ? net.outputs.flatMap((_, c) => border(ends.map((zs) => zs[c] - Math.max(...zs.toSpliced(c, 1)))))
  : border(ends.map(height_of)));
// Where numbers given for all cells change their sign: lines through the squares between the middles.
function border(numbers) {
  const found = [];
  for (let k = 0; k < SIZE * (SIZE - 1); k++) {
    if ((k + 1) % SIZE === 0) continue;
    const corners = [k, k + 1, k + 1 + SIZE, k + SIZE];
    const ends = corners.flatMap((a, side) => {
      const b = corners[(side + 1) % 4];
      if (numbers[a] > 0 === numbers[b] > 0) return [];
      const share = numbers[a] / (numbers[a] - numbers[b]);
      const between = (of) => (of(a) + share * (of(b) - of(a)) + 0.5) / SIZE;
      return [[between((cell) => cell % SIZE), between((cell) => Math.floor(cell / SIZE))]];
    });
    for (let j = 0; j < ends.length; j += 2) found.push([ends[j], ends[j + 1]]);
  }
  return found;
}
// An example's mark: a ring for the lower class and a square for the higher one, else the class as
// a number. What is answered wrongly has a cross behind it, or a line below.
const numbered = net.answer?.threshold === null;
function mark(context, x, y, label, wrong) {
  const [ink, ground] = [`rgb(${palette.ink})`, `rgb(${palette.zero})`];
  const line = (width, colour) => {
    Object.assign(context, { lineWidth: width, strokeStyle: colour });
    context.stroke();
  };
  context.beginPath();
  for (const d of wrong ? [-1, 1] : []) {
    context.moveTo(x - 8, y + (numbered ? 7 : 8 * d));
    context.lineTo(x + 8, y + (numbered ? 7 : -8 * d));
  }
  line(5, ground);
  line(2.5, `rgb(${palette.wrong})`);
  context.beginPath();
  if (numbered) {
    Object.assign(context, { font: "bold 12px sans-serif", fillStyle: ink, textAlign: "center" });
    context.fillText(String(label), x, y + 4);
    return;
  }
  const full = label === net.answer?.high;
  if (full) context.rect(x - 4, y - 4, 8, 8);
  else context.arc(x, y, 4, 0, 7);
  context.fillStyle = full ? ink : ground;
  context.fill();
  line(1.5, full ? ground : ink);
}
let reach = 0; // CSS pixels along the plane: asking for them lays out the page
function paint_dots() {
  const canvas = at("dots");
  const width = Math.round(reach * devicePixelRatio);
  Object.assign(canvas, { width, height: width });
  const context = canvas.getContext("2d");
  context.scale(devicePixelRatio, devicePixelRatio);
  context.beginPath();
  for (const [[x1, y1], [x2, y2]] of borders) {
    context.moveTo(x1 * reach, y1 * reach);
    context.lineTo(x2 * reach, y2 * reach);
  }
  Object.assign(context, { lineWidth: 1.5, strokeStyle: `rgb(${palette.ink})` });
  context.stroke();
  net.rows.forEach((row, i) => {
    const [x, y] = place_of(row).map((share) => share * reach);
    mark(context, x, y, wanted(row), is_wrong(i));
  });
  const place = place_of(shown_row());
  if (on_line && chosen < 0) place[1] = borders[Math.min(Math.max(Math.round(place[0] * ALONG - 0.5), 0), ALONG - 2)][0][1];
  const [x, y] = place.map((share) => share * reach);
  context.beginPath();
  context.arc(x, y, 10, 0, 7);
  if (chosen < 0) for (const d of [0, 1]) { context.moveTo(x - 6 * d, y - 6 * (1 - d)); context.lineTo(x + 6 * d, y + 6 * (1 - d)); }
  Object.assign(context, { lineWidth: 3, strokeStyle: `rgb(${palette.play})` });
  context.stroke();
}
const shown_row = () => (chosen < 0 ? point : net.rows[chosen]);
// What marks and colours mean.
function explain() {
  const box = at("marks");
  box.replaceChildren();
  const sample = (label, wrong, text) => {
    const canvas = element("canvas", box, "", { "aria-hidden": "true", width: 40, height: 40 });
    const context = canvas.getContext("2d");
    context.scale(2, 2);
    mark(context, 10, 10, label, wrong);
    element("span", box, text);
  };
  const ground = (kind, text) => element("span", box, text, { class: kind });
  if (on_images) element("span", box, "underlined: answered wrongly");
  if (!on_plane) return;
  const { low, high, threshold } = net.answer ?? {};
  const last = net.outputs.length - 1;
  if (numbered) sample(0, false, "an example, its class");
  else if (!net.answer) sample(-1, false, "an example");
  else for (const label of [low, high]) sample(label, false, `class ${label}`);
  if (net.answer) sample(numbered ? 0 : high, true, "answered wrongly");
  const ends = extent.map(([from, to]) => `${short(from)} to ${short(to)}`);
  if (on_line) {
    element("span", box, `the line: the output; left to right: the input, ${ends[0]}; upwards: output and target, ${ends[1]}`);
    return;
  }
  ground("more", numbered ? `answer ${last}` : net.answer ? `output above ${threshold}: class ${high}` : "output above 0");
  ground("less", numbered ? "answer 0" : net.answer ? `below: class ${low}` : "below 0");
  if (last > 1) element("span", box, "between these colours: the answers between");
  element("span", box, `left to right: input 1, ${ends[0]}; upwards: input 2, ${ends[1]}`);
}
const is_wrong = (i) => net.answer !== null && answered(outputs[i]) !== wanted(net.rows[i]);

// The images, so many in a row; wrongly answered ones are underlined.
const ACROSS = Math.min(12, net.rows.length);
const ROOM = side + 2;
function paint_images() {
  const canvas = at("images");
  const height = Math.ceil(net.rows.length / ACROSS) * ROOM;
  Object.assign(canvas, { width: 4 * ACROSS * ROOM, height: 4 * height });
  const context = canvas.getContext("2d");
  context.scale(4, 4);
  const most = net.rows.reduce((found, row) => Math.max(found, largest(row.slice(0, net.features))), 0) || 1;
  net.rows.forEach((row, i) => {
    const [x, y] = [(i % ACROSS) * ROOM + 1, Math.floor(i / ACROSS) * ROOM + 1];
    for (let k = 0; k < net.features; k++) {
      const much = Math.min(1, Math.abs(row[k]) / most);
      context.fillStyle = `rgb(${palette.zero.map((zero, c) => zero + much * (palette.ink[c] - zero))})`;
      context.fillRect(x + (k % side), y + Math.floor(k / side), 1, 1);
    }
    context.lineWidth = 0.75;
    const style = getComputedStyle(document.documentElement);
    context.strokeStyle = style.getPropertyValue("--wrong");
    if (is_wrong(i)) {
      context.beginPath();
      context.moveTo(x, y + side + 0.5);
      context.lineTo(x + side, y + side + 0.5);
      context.stroke();
    }
    context.strokeStyle = style.getPropertyValue("--play");
    context.lineWidth = 1;
    if (i === chosen) context.strokeRect(x - 0.5, y - 0.5, side + 1, side + 1);
  });
}
const weights_of = (unit, of) => {
  const found = new Float64Array(net.features);
  for (const [parameter, source] of unit.wires) if (source >= 0) found[source] += drawn[parameter] * of[source];
  return found;
};
function paint_seen() {
  const ones = new Float64Array(net.features).fill(1);
  const of = at("sees").value === "product" ? shown_row() : ones;
  units.forEach((unit, u) => {
    if (cells[u].canvas) paint(cells[u].canvas, weights_of(unit, of), side);
  });
}

// The network: a column for the inputs and one for each layer; lines are weights.
const box = at("net");
const head = 44;
const tallest = Math.max(1, ...net.layers.map((layer) => layer.units.length), on_images ? 1 : Math.min(net.features, 16));
const tall = Math.max(head + 60, head + tallest * 38);
box.style.height = `${tall}px`;
const across = (column) => (100 * (column + 0.5)) / (net.layers.length + 1);
const down = (k, count) => (100 * (head + (tall - head) * ((k + 0.5) / count))) / tall;
const put = (part, x, y) => { part.style.left = `${x}%`; part.style.top = `${y}%`; };
const heading = (column, text) => put(element("div", box, text, { class: "column" }), across(column), 0);
heading(0, `${net.features} ${net.features === 1 ? "input" : "inputs"}`);
const inputs = on_images || net.features > 16 ? [] : Array.from({ length: net.features }, (_, j) => {
  const cell = element("div", box, "", { class: "unit" });
  element("b", cell, `x${j + 1}`);
  put(cell, across(0), down(j, net.features));
  return element("span", cell);
});
const looked_at = on_images ? element("canvas", box, "", { class: "unit", id: "looked_at", role: "img", "aria-label": "The image of the example" }) : null;
if (looked_at) put(looked_at, across(0), down(0, 1));
const places = [];
net.layers.forEach((layer, l) => {
  heading(l + 1, `${layer.name || `layer ${l}`}: ${layer.does}`);
  layer.units.forEach((_, k) => places.push([across(l + 1), down(k, layer.units.length)]));
});
const wires = units.flatMap((unit, u) => unit.wires.flatMap(([parameter, source]) => {
  if (source >= 0 && !inputs.length) return [];
  const from = source >= 0 ? [across(0), down(source, net.features)] : places[-1 - source];
  const line = element("svg:line", at("wires"), "", { x1: from[0], y1: from[1], x2: places[u][0], y2: places[u][1] });
  return [{ line, parameter }];
}));
const outputs_begin = units.length - net.outputs.length;
const cells = units.map((unit, u) => {
  const cell = element("button", box, "", { class: "unit", "aria-expanded": "false" });
  const pictured = on_plane || (on_images && unit.wires.some(([, source]) => source >= 0));
  const canvas = pictured ? element("canvas", cell) : null;
  if (net.answer?.threshold === null && u >= outputs_begin) element("b", cell, String(u - outputs_begin));
  const text = element("span", cell);
  put(cell, ...places[u]);
  cell.onclick = () => open_unit(u);
  return { cell, canvas, text };
});
function paint_wires() {
  const most = largest(wires.map(({ parameter }) => drawn[parameter])) || 1;
  for (const { line, parameter } of wires) {
    const w = drawn[parameter];
    line.setAttribute("class", !Number.isFinite(w) ? "broken" : w < 0 ? "below" : "");
    line.setAttribute("stroke-width", Number.isFinite(w) ? (0.25 + (3.75 * Math.abs(w)) / most).toFixed(2) : 2);
  }
}

// The example goes through the network: its values stand at the neurons, and the frame gets them.
// A point that is no example has no target, hence no loss.
function run_example() {
  const row = shown_row();
  load(1, (_, j) => row[j] ?? 0, drawn);
  run(chosen < 0 ? net.ahead : lines, 1);
}
function show_example() {
  run_example();
  const row = shown_row();
  inputs.forEach((text, j) => { text.textContent = short(row[j]); });
  if (looked_at) paint(looked_at, row.slice(0, net.features), side);
  units.forEach((unit, u) => {
    const x = value(unit.value);
    cells[u].text.textContent = short(x);
    cells[u].cell.classList.toggle("broken", !Number.isFinite(x));
    cells[u].cell.setAttribute("aria-label", `${unit.title}: ${short(x)}`);
  });
  const shown_inputs = net.features > 6 ? "" : `${row.slice(0, net.features).map((x, j) => `x${j + 1} = ${number(x)}`).join(", ")}. `;
  const output = net.outputs.map((place) => value(place));
  const given = net.outputs.length > 1 ? "" : `Output ${number(output[0])}`;
  const target = row.slice(net.features);
  const [found, want] = [answered(output), wanted(row)];
  const told = chosen < 0 ? "" : net.answer ? `, ${found === want ? "right" : `wrong: it is ${want}`}` : `target ${target.map(number).join(", ")}`;
  const verdict = (net.answer ? `class ${found < 0 ? "nan" : found}` : "") + told;
  const sentence = [given, given ? verdict : verdict.replace(/^c/, "C")].filter(Boolean).join(": ");
  const cost = chosen < 0 ? "A point that is no example has no target." : `Loss ${number(value(net.cost))}.`;
  at("shown").textContent = `${shown_inputs}${sentence}. ${cost}`;
  const which = chosen < 0 ? "none" : `${chosen + 1} of ${net.rows.length}`;
  at("which").textContent = which;
  if (chosen >= 0) at("example").value = String(chosen);
  at("example").setAttribute("aria-valuetext", `example ${which}: ${at("shown").textContent}`);
  tell_unit();
}
function choose(i, place = []) {
  chosen = i;
  point = place;
  if (on_plane) paint_dots();
  if (on_images) { paint_images(); paint_seen(); }
  show_example();
}

// A neuron, opened: the page of its graph in a frame of its own, with the numbers of the example.
let opened = null;
let loaded = false;
const escaped = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const as_text = (x) => (Number.isFinite(x) ? x : String(x));
const numbers_of = (u) => ({
  leaves: packed.leaves[u].map((place) => as_text(value(place))),
  seed: chosen < 0 ? 1 : as_text(total(units[u].gradient)),
  of: chosen < 0 ? "out" : "loss",
});
function open_unit(u) {
  const unit = units[u];
  if (opened === u) { close_unit(); return; }
  cells.forEach(({ cell }, k) => cell.setAttribute("aria-expanded", String(k === u)));
  opened = u;
  loaded = false;
  at("opened").hidden = false;
  at("unit").hidden = unit.shape === null;
  tell_unit();
  at("unit_title").focus({ preventScroll: true });
  at("opened").scrollIntoView();
  if (unit.shape === null) return;
  run_example();
  const { svg, graph } = packed.shapes[unit.shape];
  const { leaves, seed, of } = numbers_of(u);
  graph.leaves.forEach((leaf, k) => { leaf.data = leaves[k]; });
  const parts = { title: escaped(unit.title), svg, graph: JSON.stringify({ ...graph, seed, of }).replaceAll("<", "\\u003c") };
  at("unit").onload = () => { loaded = true; show_example(); };
  at("unit").srcdoc = packed.frame.split(/@(title|svg|graph)@/).map((part, k) => (k % 2 ? parts[part] : part)).join("");
}
function tell_unit() {
  if (opened === null) return;
  const { title, shape } = units[opened];
  const whose = chosen < 0 ? "that output itself, since the point has no target" : `${net.loss} for this example`;
  const of = chosen < 0 ? `the point (${point.slice(0, net.features).map(short).join(", ")})` : `example ${chosen + 1}`;
  at("unit_title").textContent = `${title}, for ${of}`;
  at("unit_hint").textContent = shape === null
    ? "It has too many scalars to be shown one by one."
    : `Its scalars: weights w, bias b, and out, its output; h is the output of a neuron before it. The gradients are those of ${whose}.`;
  if (loaded) at("unit").contentWindow.postMessage(numbers_of(opened), "*");
}
function close_unit() {
  at("opened").hidden = true;
  at("unit").removeAttribute("srcdoc");
  cells[opened].cell.setAttribute("aria-expanded", "false");
  cells[opened].cell.focus();
  opened = null;
  loaded = false;
}

const DRAW = true;
// Everything as it is now: computed bit by bit, and after DRAW drawn at one go.
function* painting() {
  const numbers = parameters.slice();
  const when = steps;
  const found = [];
  let cost = 0;
  yield* forward_over(net.rows.length, (i, j) => net.rows[i][j], (_, rows) => {
    for (let r = 0; r < rows; r++) { cost += value(net.cost, r); found.push(outputs_at(r)); }
  }, numbers);
  const paint_rest = on_plane ? yield* paint_plane(numbers) : () => { if (on_images) { paint_images(); paint_seen(); } };
  yield DRAW;
  drawn = numbers;
  outputs = found;
  const right = net.answer ? net.rows.filter((_, i) => !is_wrong(i)).length : null;
  cost /= net.rows.length;
  shares = extended(shares, when, right / net.rows.length);
  const accuracy = right === null ? "" : `, ${right} of ${net.rows.length} right`;
  at("where").textContent = `step ${when}: loss ${number(cost)}${accuracy}`;
  show_curves(when, cost);
  paint_rest();
  paint_wires();
  show_example();
}
function show() {
  for (const _ of painting());
}
// A curve keeps its whole history evenly: one point for so many steps, and for twice as many when full.
const FULL = 800;
function extended(points, step, y) {
  const stride = 2 ** Math.max(0, Math.ceil(Math.log2((step + 1) / FULL)));
  const slot = (k) => (k < 0 ? -1 : Math.floor(points[k][0] / stride));
  if (slot(points.length - 1) === Math.floor(step / stride)) return points;
  points.push([step, y]);
  return points.length > FULL ? points.filter((_, k) => slot(k) !== slot(k - 1)) : points;
}
function show_curves(until, cost) {
  const curve = [...losses.filter(([x]) => x < until), [until, cost]];
  const high = Math.max(0, ...curve.map(([, y]) => y).filter(Number.isFinite));
  const line = (points) => points
    .map(([x, y]) => [(298 * x) / Math.max(1, until) + 1, 77 - 74 * y])
    .filter((point) => point.every(Number.isFinite)).join(" ");
  at("losses").setAttribute("points", line(curve.map(([x, y]) => [x, high ? y / high : 0])));
  at("shares").setAttribute("points", net.answer ? line(shares) : "");
  at("high").textContent = number(high);
  at("low").textContent = "0";
  const accuracy = net.answer ? "; dashed: the share that is right, from 0 to 1" : "";
  const end = Number.isFinite(cost) ? "" : `; it ends where the loss is ${number(cost)}`;
  at("curves").textContent = `${net.loss}, ${until} ${until === 1 ? "step" : "steps"}${end}${accuracy}`;
  at("curve").setAttribute("aria-label", `${at("curves").textContent}; the loss is ${number(cost)} now, and was ${number(losses[0]?.[1] ?? cost)}`);
}

// Training: as many steps a frame as fit, and everything is painted only so often.
let timer = null;
let painted = 0;
let due = 0; // the time of the next step, where there are so many a second
let work = null; // painting that is going on
let ready = false; // to draw
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let rate = net.rules[0].rate;
function advance() {
  latest = step(rate);
  losses = extended(losses, steps - 1, latest);
}
function say(text) { if (at("said").textContent !== text) at("said").textContent = text; }
function is_sound() {
  if (parameters.every(Number.isFinite)) return true;
  halt();
  say(`The numbers left all bounds: the loss is ${number(latest)}. Reset, and try a smaller rate.`);
  return false;
}
function frame() {
  timer = requestAnimationFrame(frame);
  const start = performance.now();
  if (ready) { // a frame is for drawing or for steps
    work.next();
    work = null;
    ready = false;
    painted = performance.now();
    is_sound();
    return;
  }
  const speed = Number(at("speed").value);
  if (!speed) do advance(); while (performance.now() - start < 5);
  else if (start >= due) { advance(); due = Math.max(due, start - 50) + 1000 / speed; }
  if (!work && start - painted >= (calm.matches ? 1000 : 100)) work = painting();
  while (work && !ready && performance.now() - start < 10) ready = work.next().value === DRAW;
}
function halt() {
  cancelAnimationFrame(timer);
  timer = null;
  at("train").textContent = "Train";
  at("where").setAttribute("aria-live", "polite");
  show();
}
function train() {
  if (timer !== null) { halt(); return; }
  at("train").textContent = "Stop";
  at("where").setAttribute("aria-live", "off"); // too fast to be spoken
  say("");
  painted = due = 0;
  work = null;
  ready = false;
  timer = requestAnimationFrame(frame);
}
function one() {
  if (timer !== null) { halt(); return; }
  advance();
  show();
  if (is_sound()) say("");
}

at("train").onclick = train;
at("one").onclick = one;
at("again").onclick = () => {
  if (timer !== null) halt();
  start_over();
  losses = [];
  shares = [];
  show();
  say("");
};
at("close").onclick = close_unit;
at("example").max = String(net.rows.length - 1);
at("example").oninput = () => choose(Number(at("example").value));
at("rate").value = String(Math.log10(rate || 1e-4));
function show_rate() {
  at("rate_text").textContent = number(rate);
  at("rate").setAttribute("aria-valuetext", number(rate));
}
at("rate").oninput = () => {
  rate = Number((10 ** Number(at("rate").value)).toPrecision(2));
  show_rate();
};
show_rate();
net.rules.forEach(({ name }, k) => element("option", at("rule"), name, { value: k }));
at("rule").onchange = () => choose_rule(Number(at("rule").value));
for (const count of [1, 5, 10, 20, 50, 100]) {
  if (count < net.rows.length) element("option", at("batch"), String(count), { value: count });
}
element("option", at("batch"), `all ${net.rows.length}`, { value: net.rows.length, selected: "" });
at("batch").onchange = () => { batch = Number(at("batch").value); next = 0; };
at("sees").onchange = paint_seen;
at("plane").hidden = !on_plane;
at("gallery").hidden = at("seeing").hidden = !on_images;
at("marks").hidden = !on_plane && !on_images;
at("pictured").textContent = !on_plane ? "" : `; its picture is its output over the ${on_line ? "input" : "plane"}`;
explain();
// A click takes the example that it meets, else the point; the arrow keys move the point.
at("dots").onclick = (event) => {
  const frame = at("dots").getBoundingClientRect();
  const [x, y] = [(event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height];
  const nearness = net.rows.map((row) => {
    const [u, v] = place_of(row);
    return -Math.hypot(u - x, v - y) * frame.width;
  });
  const nearest = greatest(nearness);
  if (nearness[nearest] >= -10) choose(nearest);
  else choose(-1, [along(extent[0], x), along(extent[1], 1 - y)]);
};
at("plane").onkeydown = (event) => {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  if (!way || (on_line && way[1]) || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  event.stopPropagation(); // → is a step elsewhere
  const place = extent.map((ends, j) => share_of(ends, shown_row()[j]) + way[j] / SIZE);
  choose(-1, place.map((share, j) => along(extent[j], Math.min(1, Math.max(0, share)))));
};
at("images").onclick = (event) => {
  const frame = at("images").getBoundingClientRect();
  const rows = Math.ceil(net.rows.length / ACROSS);
  const x = Math.floor(((event.clientX - frame.left) / frame.width) * ACROSS);
  const y = Math.floor(((event.clientY - frame.top) / frame.height) * rows);
  const i = y * ACROSS + x;
  if (net.rows[i]) choose(i);
};
window.addEventListener("message", ({ source, data }) => {
  if (opened !== null && source === at("unit").contentWindow && data.close) close_unit();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && opened !== null) close_unit();
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const { tagName } = event.target;
  if (["INPUT", "SELECT"].includes(tagName)) return;
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (by && at("opened").contains(event.target)) { // whose pass it is then
    event.preventDefault();
    if (loaded) at("unit").contentWindow.postMessage({ by }, "*");
    return;
  }
  if (event.key === "ArrowRight") { event.preventDefault(); one(); }
  else if (event.key === " " && tagName !== "BUTTON") { event.preventDefault(); train(); }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { palette = colours(); explain(); show(); });
new ResizeObserver(() => {
  reach = at("dots").clientWidth;
  if (on_plane) paint_dots();
}).observe(at("plane"));
show();
