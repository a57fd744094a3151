// The page: one timeline of forward steps, then backward steps, shown in words and in the picture.
const middle = made.length;
const last = middle + graph.order.length;
let leaves = graph.leaves.map((leaf) => real(leaf.data));
let now = forward(leaves);
let full = backward(now.slopes);
let position = 0;
let timer = null;

// A formula with names, or with numbers, in the places of its operands and its result: `write` takes
// a node and what stands before and after the place.
function filled(formula, i, write) {
  return formula.replace(/\{(0|1|o)\}/g, (hole, place, start) =>
    write(place === "o" ? i : nodes[i].from[place], formula[start - 1] ?? "", formula[start + hole.length] ?? ""));
}
function numbers(formula, i) {
  return filled(formula, i, (node, before, after) => {
    const text = number(now.data[node]);
    const raised = after === "^" || "⁰¹²³⁴⁵⁶⁷⁸⁹⁻".includes(after || " ");
    const negative = text.startsWith("−") && before && !"(|".includes(before);
    return (negative || raised) && /[−e]/.test(text) ? `(${text})` : text;
  });
}
const name = (i) => nodes[i].name;
// A name that reads like a formula is in parentheses where it is a part of one.
const as_part = (i) => (/^[\d.]|[\s,+\-−±·×*/÷^|=<>⁰¹²³⁴⁵⁶⁷⁸⁹⁻]/.test(name(i)) ? `(${name(i)})` : name(i));
const names = (formula, i) => filled(formula, i, (node, before, after) =>
  (["", "()", "||"].includes(before + after) ? name(node) : as_part(node)));
const made_by = (i) => `${name(i)} = ${names(graph.texts[nodes[i].made], i)}`;
function slope_name(i, side) {
  const from = nodes[i].from;
  const again = from[0] === from[1] ? `(${["1st", "2nd"][side]} ${name(from[side])})` : as_part(from[side]);
  return `∂${as_part(i)}/∂${again}`;
}
// The textbook's formula of a local derivative, unless it does not compute with the numbers as they
// are shown, such as 1 − 1.0².
function rule_of(i, side) {
  const { rules, careful, op } = nodes[i];
  const textbook = ROWS[op]?.textbook[side];
  if (!textbook || !careful) return graph.texts[rules[side]];
  const shown = [...operands(nodes[i], now.data), now.data[i]].map(rounded);
  const right = now.slopes[i][side];
  const computes = Math.abs(textbook(...shown) - right) <= graph.most_off * Math.abs(right);
  return graph.texts[(computes ? rules : careful)[side]];
}

// The steps in words, as rows of text.
function forward_text(i) {
  const formula = graph.texts[nodes[i].made];
  return `${made_by(i)} = ${numbers(formula, i)} = ${number(now.data[i])}`;
}
function slope_text(i, side) {
  const rule = rule_of(i, side);
  const parts = [names(rule, i), numbers(rule, i), number(now.slopes[i][side])];
  const plain = /^[−\d.e]+$/.test(rule);
  const told = plain ? parts.slice(0, 1) : parts.filter((text, k) => text && text !== parts[k - 1]);
  return `${slope_name(i, side)} = ${told.join(" = ")}`;
}
function backward_text(i, grads) {
  const before = Float64Array.from(grads);
  const rows = [`${made_by(i)},   ${as_part(i)}.grad = ${number(grads[i])}`];
  nodes[i].from.forEach((x, side) => {
    if (typeof x !== "number") return;
    const added = contribution(i, side, grads[i], now.slopes);
    const taken = added === 0 && grads[i] * now.slopes[i][side] !== 0 ? " (passes nothing)" : "";
    const product = `${number(grads[i])} · ${factor(now.slopes[i][side])}${taken}`;
    const after = before[x] + added;
    rows.push([
      slope_text(i, side),
      `${as_part(x)}.grad += ${product} = ${number(added)}`,
      `${number(before[x])} → ${number(after)}`,
    ].join("   "));
    before[x] = after;
  });
  return rows;
}
function words() {
  if (position === 0) {
    if (!middle) return ["The root is a leaf."];
    const root = name(graph.root);
    const of = graph.of ?? root;
    return [
      "The leaves have their numbers. ▶ goes on, a node at a time:",
      `first forwards, to the value of ${root}, then backwards, to the gradient of ${of} by everything before it.`,
    ];
  }
  if (position <= middle) {
    const rows = [forward_text(made[position - 1])];
    if (position === middle) {
      const of = graph.of ?? name(graph.root);
      rows.push(`The forward pass is complete. Back from ∂${of}/∂${name(graph.root)} = ${is_part ? number(seed) : 1}.`);
    }
    return rows;
  }
  const rows = backward_text(graph.order[position - middle - 1], backward(now.slopes, position - middle - 1));
  if (position === last) rows.push("The pass is complete: every gradient is what backward() gives.");
  return rows;
}

// The picture: texts, colours and arrows that are there already, and a local derivative on each arrow.
const picture = document.querySelector("#graph svg");
const arrows = []; // of each node, for each operand that is a Value
const middle_of = (path) => path.getPointAtLength(path.getTotalLength() / 2);
// Where beside an arrow a text covers the least of those that have their places.
const WIDE = 46; // a text at most
const taken = [];
function free_place(path, below) {
  const length = path.getTotalLength();
  const [start, end] = [0, length].map((along) => path.getPointAtLength(along));
  const chord = Math.hypot(end.x - start.x, end.y - start.y) || 1;
  const [right, down] = [(end.x - start.x) / chord, (end.y - start.y) / chord];
  const away = 15 * Math.abs(down) + 6 * Math.abs(right) + 2; // half of a text, and of an arrow
  let best = null;
  for (const side of below ? [-1, 1] : [1, -1]) {
    for (const share of [0.5, 0.35, 0.65]) {
      const point = path.getPointAtLength(share * length);
      const [x, y] = [point.x + side * down * away, point.y - side * right * away];
      const covered = taken.reduce((sum, other) =>
        sum + Math.max(0, WIDE - Math.abs(other.x - x)) * Math.max(0, 12 - Math.abs(other.y - y)), 0);
      if (!best || covered < best.covered) best = { x, y, covered };
    }
  }
  taken.push(best);
  return best;
}
let uses = 0;
nodes.forEach((node, i) => {
  arrows[i] = (node.from ?? []).map((x, side) => {
    const arrow = at(`e${uses++}`);
    if (typeof x !== "number" || !arrow) return null;
    const path = arrow.querySelector("path");
    // Of two arrows side by side the lower one has its text below, and so has one that goes up.
    const twin = node.from[0] === node.from[1] ? at(`e${uses - (side ? 2 : 0)}`)?.querySelector("path") : null;
    const rises = path.getPointAtLength(path.getTotalLength()).y < path.getPointAtLength(0).y - 2;
    const place = free_place(path, twin ? middle_of(twin).y < middle_of(path).y : rises);
    const text = element("svg:text", arrow, "", { x: place.x.toFixed(1), y: (place.y + 3.5).toFixed(1), class: "slope" });
    return { arrow, path, head: arrow.querySelector("polygon"), text, drawn: "" };
  });
});
const boxes = nodes.map((node, i) => {
  const box = at(`v${i}`);
  const texts = [...box.querySelectorAll("text")].slice(-2);
  const shapes = [...box.querySelectorAll("polygon, path")];
  return { box, data: texts[0], grad: texts[1], shapes, room: box.getBBox().width - 8, drawn: "" };
});
// A text that is wider than its room is set as wide as that. A canvas measures it, since asking the
// text itself would lay out the picture each time.
const pen = document.createElement("canvas").getContext("2d");
function write(text, content, room, font = "12px") {
  if (text.textContent === content) return;
  text.textContent = content;
  pen.font = `${font} Helvetica, Arial, "Liberation Sans", sans-serif`;
  const wider = pen.measureText(content).width > room;
  for (const [name, value] of [["textLength", room], ["lengthAdjust", "spacingAndGlyphs"]]) {
    if (wider) text.setAttribute(name, value);
    else text.removeAttribute(name);
  }
}
const share = (x, most) => (most ? Math.sqrt(Math.min(1, Math.abs(x) / most)) : 0);
function tint(grad, most) {
  const side = grad > 0 ? "var(--positive)" : "var(--negative)";
  return `color-mix(in srgb, ${side} ${Math.round(100 * share(grad, most))}%, var(--box))`;
}
const largest = (xs) => xs.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);

const rows = nodes.map((node) => {
  const row = at("values").insertRow();
  element("th", row, node.name, { scope: "row" });
  for (const text of [node.from ? graph.ops[node.op].name : "leaf", "", "", ""]) row.insertCell().textContent = text;
  return { row, drawn: "" };
});

// Only what has changed is written: laying out a large picture again takes long.
function changed(part, ...looks) {
  const look = looks.join();
  if (part.drawn === look) return false;
  part.drawn = look;
  return true;
}
function show_picture(grads, ready, passed, step) {
  const most = largest(full);
  document.querySelectorAll("#graph .playing").forEach((part) => part.classList.remove("playing"));
  nodes.forEach((node, i) => {
    const { box, data, grad, shapes, room } = boxes[i];
    const broken = ready[i] && !(Number.isFinite(now.data[i]) && Number.isFinite(grads[i]));
    const fill = broken ? "var(--broken)" : tint(grads[i], most);
    write(data, ready[i] ? `data ${number(now.data[i])}` : "data ?", room);
    write(grad, `grad ${number(grads[i])}`, room);
    if (changed(boxes[i], broken, ready[i], fill)) {
      box.classList.toggle("broken", broken);
      box.classList.toggle("later", !ready[i]);
      for (const shape of shapes) shape.style.fill = fill;
    }
    arrows[i].forEach((arrow, side) => {
      if (!arrow) return;
      const added = passed[i] ? contribution(i, side, grads[i], now.slopes) : 0;
      // The quiz will ask for what is to come.
      const told = position > middle && (passed[i] || !quiz.on);
      const slope = ready[i] && told ? `×${number(now.slopes[i][side])}` : "";
      const wrong = !Number.isFinite(added);
      const colour = `var(${wrong ? "--wrong" : added > 0 ? "--more" : added < 0 ? "--less" : "--soft"})`;
      const width = wrong ? 4 : 1 + 5 * share(added, most);
      if (!changed(arrow, slope, colour, width)) return;
      write(arrow.text, slope, WIDE, "bold 10px");
      arrow.path.style.stroke = arrow.head.style.fill = arrow.head.style.stroke = colour;
      arrow.path.style.strokeWidth = width;
      arrow.path.style.strokeDasharray = wrong ? "6 4" : "";
    });
  });
  if (step === null) return;
  for (const part of [at(`v${step}`), at(`o${step}`), ...arrows[step].map((drawn) => drawn?.arrow)]) {
    part?.classList.add("playing");
  }
}

function show_table(grads, ready, passed, step) {
  const waiting = new Set(position < middle ? [graph.root] : []);
  const backs = Math.max(0, position - middle);
  for (const i of graph.order.slice(backs)) for (const x of nodes[i].from) waiting.add(x);
  nodes.forEach((node, i) => {
    const texts = [
      ready[i] ? number(now.data[i]) : "?",
      number(grads[i]),
      waiting.has(i) ? "pending" : passed[i] ? "complete, passed on" : "complete",
    ];
    const playing = step !== null && (step === i || (position > middle && node_feeds(step, i)));
    if (!changed(rows[i], ...texts, playing)) return;
    texts.forEach((text, k) => { rows[i].row.cells[2 + k].textContent = text; });
    rows[i].row.className = playing ? "playing" : "";
  });
}
const node_feeds = (i, operand) => nodes[i].from.includes(operand);

// Zoom: 1 is the size in which the picture was drawn.
const frame = at("graph");
const drawn_width = graph.width;
const drawn_height = (graph.width * picture.viewBox.baseVal.height) / picture.viewBox.baseVal.width;
let zoom = null; // until chosen: all of it, or a part in a size that is easily read
const most_height = () => Math.max(240, innerHeight - frame.getBoundingClientRect().top - scrollY - 64);
const fitting = () => Math.min((frame.clientWidth - 12) / drawn_width, (most_height() - 12) / drawn_height);
function scale() {
  const all = Math.min(1, fitting());
  const chosen = zoom ?? (all < 0.6 ? Math.min(0.8, Math.max(0.6, frame.clientWidth / 480)) : all); // to be read
  const height = `${most_height()}px`; // so that it ends where the window does
  if (frame.style.maxHeight !== height) frame.style.maxHeight = height;
  const width = `${drawn_width * chosen}px`;
  if (picture.style.width !== width) picture.style.width = width;
  at("zoom").textContent = `${Math.round(100 * chosen)} %`;
  at("goes_on").hidden = chosen <= fitting() * 1.001;
  return chosen;
}
function rescale(next) {
  zoom = Math.max(0.01, Math.min(4, next));
  scale();
  follow();
}
// The node of this step into the frame, with as much of its operands as fits in, the nearest first.
function follow() {
  const step = current();
  const view = frame.getBoundingClientRect();
  const place = (i) => at(`v${i}`).getBoundingClientRect();
  let { left, right, top, bottom } = place(step ?? made[0] ?? graph.root);
  const [x, y] = [left, top];
  const distance = (box) => Math.hypot(box.left - x, box.top - y);
  const boxes = (nodes[step]?.from ?? []).filter((i) => typeof i === "number").map(place);
  for (const box of boxes.sort((a, b) => distance(a) - distance(b))) {
    left = Math.max(Math.min(left, box.left), right - frame.clientWidth);
    right = Math.min(Math.max(right, box.right), left + frame.clientWidth);
    top = Math.max(Math.min(top, box.top), bottom - frame.clientHeight);
    bottom = Math.min(Math.max(bottom, box.bottom), top + frame.clientHeight);
  }
  frame.scrollLeft += step === null ? -drawn_width * 4 : (left + right - frame.clientWidth) / 2 - view.left - frame.clientLeft;
  frame.scrollTop += (top + bottom - frame.clientHeight) / 2 - view.top - frame.clientTop;
}
function current() {
  if (position === 0) return null;
  return position <= middle ? made[position - 1] : graph.order[position - middle - 1];
}

function show() {
  const count = Math.max(0, position - middle);
  const grads = position >= middle ? backward(now.slopes, count) : new Float64Array(nodes.length);
  const ready = nodes.map((node) => !node.from);
  for (const i of made.slice(0, position)) ready[i] = true;
  const passed = nodes.map(() => false);
  for (const i of graph.order.slice(0, count)) passed[i] = true;
  const step = current();
  show_picture(grads, ready, passed, step);
  show_table(grads, ready, passed, step);
  const said = words();
  at("step").replaceChildren();
  said.forEach((text, k) => element("p", at("step"), text, k ? {} : { class: "rule" }));
  const where = position === 0 ? "start" : position <= middle ? `forward ${position} of ${middle}` : `backward ${count} of ${last - middle}`;
  at("slider").value = String(position);
  at("slider").setAttribute("aria-valuetext", `${where}: ${said[0]}`);
  at("position").textContent = where;
  for (const [id, off] of [["first", position === 0], ["back", position === 0], ["next", position === last], ["last", position === last]]) {
    at(id).setAttribute("aria-disabled", String(off)); // not `disabled`, which would lose the focus
  }
  for (const listener of shown) listener(grads);
}
const shown = []; // what else changes with the position or a number

function go(target) {
  const next = Math.max(0, Math.min(last, target));
  if (next === last) stop();
  if (next === position) return;
  position = next;
  show();
  scale();
  follow();
}
// Other numbers in the leaves: everything is computed again.
function set(next) {
  leaves = next;
  now = forward(leaves);
  full = backward(now.slopes);
  show();
}

function stop() {
  clearInterval(timer);
  timer = null;
  at("play").textContent = "Play";
}
function play() {
  if (timer) { stop(); return; }
  if (position === last) go(0);
  at("play").textContent = "Stop";
  timer = setInterval(() => go(position + 1), 1200);
}

at("first").onclick = () => go(0);
at("back").onclick = () => go(position - 1);
at("play").onclick = play;
at("next").onclick = () => go(position + 1);
at("last").onclick = () => go(last);
at("slider").max = String(last);
at("slider").oninput = (event) => go(Number(event.target.value));
at("smaller").onclick = () => rescale(scale() / 1.25);
at("larger").onclick = () => rescale(scale() * 1.25);
at("fit").onclick = () => rescale(fitting());
at("whole").onclick = () => rescale(1);
new ResizeObserver(() => { scale(); follow(); }).observe(at("left"));
window.addEventListener("resize", () => { scale(); follow(); });
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const { tagName, id } = event.target;
  if (id !== "slider" && ["INPUT", "TEXTAREA", "SELECT"].includes(tagName)) return;
  const way = { ArrowLeft: [-80, 0], ArrowRight: [80, 0], ArrowUp: [0, -80], ArrowDown: [0, 80] }[event.key];
  if (event.shiftKey && way) {
    event.preventDefault();
    (id === "table" ? at("table") : frame).scrollBy(...way);
    return;
  }
  const target = { ArrowRight: position + 1, ArrowLeft: position - 1, Home: 0, End: last }[event.key];
  if (target !== undefined) {
    event.preventDefault();
    go(target);
  } else if (event.key === " " && !["BUTTON", "SUMMARY"].includes(tagName)) {
    event.preventDefault();
    play();
  }
});
// The picture follows the pointer that drags it.
let held = null;
frame.addEventListener("pointerdown", (event) => {
  if (event.pointerType === "mouse" && event.button === 0) {
    held = { x: event.clientX + frame.scrollLeft, y: event.clientY + frame.scrollTop };
  }
});
window.addEventListener("pointermove", (event) => {
  if (held) frame.scrollTo(held.x - event.clientX, held.y - event.clientY);
});
window.addEventListener("pointerup", () => { held = null; });

// On paper: all steps, as they are with the numbers of now.
function list_steps() {
  const body = at("steps");
  body.replaceChildren();
  const row = (kind, text) => {
    const cells = element("tr", body);
    element("td", cells, String(body.rows.length));
    element("td", cells, kind);
    element("td", cells, text);
  };
  for (const i of made) row("forward", forward_text(i));
  graph.order.forEach((i, k) => row("backward", backward_text(i, backward(now.slopes, k)).join("\n")));
}
window.addEventListener("beforeprint", list_steps);
window.matchMedia("print").addEventListener("change", list_steps);
