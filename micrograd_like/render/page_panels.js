// The panels: leaves, descent, nudge, quiz, and what can be taken away.
const root = name(graph.root);

// A number as it is typed: inf, nan, a decimal comma and both kinds of minus too.
function typed(text) {
  const plain = text.trim().replace(/^([^.,]*),([^.,]*)$/, "$1.$2").replaceAll("−", "-").replace(/^([+-]?)inf(inity)?$/i, "$1Infinity");
  if (/^[+-]?nan$/i.test(plain)) return NaN;
  return plain === "" || Number.isNaN(Number(plain)) ? null : Number(plain);
}
function judge(field, said, wrong) {
  field.setAttribute("aria-invalid", String(wrong));
  said.textContent = wrong ? "a number, such as 0.75" : "";
}
// The number with all its digits, as Python writes it.
function exact(x) {
  if (!Number.isFinite(x)) return special(x).replace("−", "-");
  return Object.is(x, -0) ? "-0.0" : Number.isInteger(x) && Math.abs(x) < 1e16 ? `${x}.0` : String(x);
}
function span(x) {
  const size = Number.isFinite(x) ? Math.max(1, 2 * Math.abs(x)) : 5;
  const ten = 10 ** Math.floor(Math.log10(size));
  return ten * [1, 2, 5, 10].find((n) => n * ten >= size);
}

const controls = graph.leaves.map((leaf, k) => {
  const row = element("div", null, "", { class: "leaf" });
  const above = element("div", row);
  const below = element("div", row);
  const label = element("label", above, name(leaf.node), { for: `leaf${k}`, class: "name" });
  const grad = element("span", above, "", { class: "grad" });
  const hold = element("label", above, "fixed ", { class: "hold" });
  const fixed = element("input", hold, "", { type: "checkbox", "aria-label": `hold ${name(leaf.node)} fixed` });
  const slider = element("input", below, "", { id: `leaf${k}`, type: "range" });
  const field = element("input", below, "", {
    id: `number${k}`, type: "text", inputmode: "decimal", autocomplete: "off",
    "aria-label": `${name(leaf.node)}, as a number`,
  });
  const said = element("div", row, "", { class: "hint", role: "status" });
  fixed.checked = leaf.fixed;
  const change = (x) => set(leaves.map((old, other) => (other === k ? x : old)));
  slider.oninput = () => change(Number(slider.value));
  field.oninput = () => {
    const x = typed(field.value);
    judge(field, said, x === null);
    if (x !== null) change(x);
  };
  field.onblur = () => { judge(field, said, false); controls[k].drawn = ""; show_leaves(backward_now()); };
  return { row, label, slider, field, said, grad, fixed, most: -1, drawn: "" };
});
function backward_now() {
  return position < middle ? new Float64Array(nodes.length) : backward(now.slopes, Math.max(0, position - middle));
}
// Few leaves in one list; the parameters of a network by neuron, each folded.
function arrange() {
  const folders = new Map();
  controls.forEach((control, k) => {
    const { group } = graph.leaves[k];
    if (!group) { at("leaves").append(control.row); return; }
    if (!folders.has(group)) {
      const folder = element("details", null);
      element("summary", folder, group);
      folders.set(group, folder);
    }
    folders.get(group).append(control.row);
  });
  at("leaves").append(...folders.values());
}
function show_leaves(grads) {
  controls.forEach((control, k) => {
    const x = leaves[k];
    const grad = `grad ${number(grads[graph.leaves[k].node])}`;
    if (!changed(control, Object.is(x, -0) ? "-0" : x, grad)) return;
    if (!(Math.abs(x) <= control.most)) {
      control.most = span(x);
      Object.assign(control.slider, { min: -control.most, max: control.most, step: control.most / 1000 });
    }
    control.slider.value = String(x);
    control.slider.setAttribute("aria-valuetext", number(x));
    if (document.activeElement !== control.field) {
      control.field.value = Number.isFinite(x) ? String(Number(x.toPrecision(7))) : special(x);
    }
    control.grad.textContent = grad;
  });
}

// Descent: every leaf that is not held goes against its gradient.
let losses = [];
let running = null;
const rate = () => 10 ** Number(at("rate").value);
function descend() {
  if (!losses.length) losses.push(now.data[graph.root]);
  const grads = full;
  set(leaves.map((x, k) => (controls[k].fixed.checked ? x : x - rate() * grads[graph.leaves[k].node])));
  losses.push(now.data[graph.root]);
  show_curve();
  if (losses.every(Number.isFinite)) return true;
  const way = now.data[graph.root] === -Infinity ? "it has no least value on this way. Reset." : "reset, and try a smaller rate.";
  at("descended").textContent = `${root} is ${number(now.data[graph.root])}: ${way}`;
  return false;
}
function show_curve() {
  const seen = losses.slice(-400).filter(Number.isFinite);
  const low = Math.min(...seen);
  const high = Math.max(...seen);
  const points = seen.map((y, k) => {
    const height = high > low ? (y - low) / (high - low) : 0.5;
    return `${(298 * k) / Math.max(1, seen.length - 1) + 1},${77 - 74 * height}`;
  });
  at("curve").querySelector("polyline").setAttribute("points", seen.length > 1 ? points.join(" ") : "");
  const steps = Math.max(0, losses.length - 1);
  const text = steps ? `${root} after ${steps} step${steps > 1 ? "s" : ""}: ${number(now.data[graph.root])}` : `${root} = ${position < middle ? "?" : number(now.data[graph.root])}`;
  at("descended").textContent = text;
  at("curve").setAttribute("aria-label", steps ? `Curve of ${root}: from ${number(losses[0])} to ${number(losses[steps])}, between ${number(low)} and ${number(high)}` : `Curve of ${root}: no step yet`);
  at("high").textContent = steps ? number(high) : "";
  at("low").textContent = steps ? number(low) : "";
}
function halt() {
  cancelAnimationFrame(running);
  running = null;
  at("run").textContent = "Run";
}
function run() {
  if (running) { halt(); return; }
  at("run").textContent = "Stop";
  const frame = () => { running = descend() ? requestAnimationFrame(frame) : null; if (!running) halt(); };
  running = requestAnimationFrame(frame);
}
function reset() {
  halt();
  losses = [];
  controls.forEach((control) => { control.most = -1; control.drawn = ""; judge(control.field, control.said, false); });
  set(graph.leaves.map((leaf) => real(leaf.data)));
  show_curve();
}

// Nudge: what the root does when one leaf moves a little, beside the gradient.
function nudge() {
  if (!at("nudge_panel").open) return;
  const k = Number(at("nudged").value);
  const h = Number(at("by").value);
  const [up, down] = [h, -h].map((d) => forward(leaves.map((x, other) => (other === k ? x + d : x))).data[graph.root]);
  const leaf = name(graph.leaves[k].node);
  const digits = h < 1e-6 ? 17 : 10;
  at("nudge").replaceChildren();
  for (const text of [
    `${leaf} + ${h}:   ${root} = ${up.toPrecision(digits).replace("-", "−")}`,
    `${leaf} − ${h}:   ${root} = ${down.toPrecision(digits).replace("-", "−")}`,
    `difference / ${2 * h} = ${number((up - down) / (2 * h))}`,
    `∂${as_part(graph.root)}/∂${as_part(graph.leaves[k].node)}, by backprop = ${number(backward(now.slopes, graph.order.length, 1)[graph.leaves[k].node])}`,
  ]) element("p", at("nudge"), text);
}

// Quiz: what does the next step of the backward pass add?
const quiz = { on: false, side: 0, right: 0, asked: 0, told: "", position: 0 };
function question() {
  const i = graph.order[position - middle];
  const sides = (nodes[i].from ?? []).flatMap((x, side) => (typeof x === "number" ? [side] : []));
  return { i, sides };
}
function ask() {
  at("ask").hidden = !quiz.on;
  at("start_quiz").textContent = quiz.on ? "End the quiz" : "Start the quiz";
  at("score").textContent = quiz.asked ? `Score: ${quiz.right} of ${quiz.asked}. ${quiz.told}` : quiz.told;
  if (!quiz.on) return;
  if (position !== quiz.position) Object.assign(quiz, { side: 0, position });
  const open = position >= middle && position < last;
  at("answer").disabled = at("check").disabled = !open;
  if (!open) {
    at("question").textContent = position === last ? "The pass is complete. Go back for more questions." : "Go on to the backward pass for the first question.";
    return;
  }
  const { i, sides } = question();
  const side = sides[quiz.side];
  at("question").textContent = `${made_by(i)}, and ${as_part(i)}.grad = ${number(backward_now()[i])}. What does it add to ${as_part(nodes[i].from[side])}.grad${nodes[i].from[0] === nodes[i].from[1] ? ` as its ${["1st", "2nd"][side]} operand` : ""}?`;
}
function check(event) {
  event.preventDefault();
  const answer = typed(at("answer").value);
  judge(at("answer"), at("score"), answer === null);
  if (answer === null) return;
  const { i, sides } = question();
  const side = sides[quiz.side];
  const upstream = backward_now()[i];
  const want = contribution(i, side, upstream, now.slopes);
  const same = Object.is(answer, want) || Math.abs(answer - want) <= Math.max(0.01 * Math.abs(want), 1e-9);
  quiz.asked += 1;
  quiz.right += same ? 1 : 0;
  quiz.told = `${same ? "Right" : `No, not ${number(answer)}`}: ${slope_text(i, side)}, so ${number(upstream)} · ${factor(now.slopes[i][side])} = ${number(want)}.`;
  quiz.side += 1;
  at("answer").value = "";
  if (quiz.side === sides.length) go(position + 1);
  else ask();
  if (!at("answer").disabled) at("answer").focus();
  else at("start_quiz").focus();
}

// As Python: the expression with the numbers of now.
function python() {
  const lines = ["from micrograd_like import " + graph.imports.join(", "), ""];
  const leaf = new Map(graph.leaves.map((l, k) => [l.node, leaves[k]]));
  nodes.forEach((node, i) => {
    const x = leaf.get(i);
    const text = Number.isFinite(x) ? exact(x) : `float("${exact(x)}")`;
    lines.push(x === undefined ? `${node.id} = ${node.code}` : `${node.id} = Value(${text}, label=${JSON.stringify(node.name)})`);
  });
  lines.push(`${nodes[graph.root].id}.backward(${seed === 1 ? "" : exact(seed)})`);
  for (const l of graph.leaves) lines.push(`print(${JSON.stringify(`${nodes[l.node].name}.grad =`)}, ${nodes[l.node].id}.grad)`);
  return lines.join("\n") + "\n";
}
async function copy() {
  const area = at("code");
  at("python").open = true;
  area.value = python(); // now, since the opening is told later
  area.focus();
  area.select();
  let copied = false;
  try {
    await navigator.clipboard.writeText(area.value);
    copied = true;
  } catch {
    copied = document.execCommand("copy"); // where a frame may not use the clipboard
  }
  at("copied").textContent = copied ? "Copied." : "Press Ctrl+C to copy it.";
}

// The picture of this step as a file of its own: what the page's style says is written into it.
const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size", "font-weight", "text-anchor", "paint-order"];
function standalone() {
  const clone = picture.cloneNode(true);
  const originals = picture.querySelectorAll("*");
  clone.querySelectorAll("*").forEach((part, k) => {
    const style = getComputedStyle(originals[k]);
    part.removeAttribute("style");
    if (["path", "polygon", "polyline", "ellipse", "text"].includes(part.tagName)) {
      for (const property of STYLES) part.setAttribute(property, style.getPropertyValue(property));
    }
  });
  const { x, y, width, height } = picture.viewBox.baseVal;
  clone.setAttribute("xmlns", SVG);
  clone.setAttribute("width", String(Math.round(drawn_width)));
  clone.setAttribute("height", String(Math.round(drawn_height)));
  clone.removeAttribute("style");
  const ground = element("svg:rect", null, "", { x, y, width, height });
  ground.setAttribute("fill", getComputedStyle(document.body).backgroundColor);
  clone.prepend(ground);
  return new XMLSerializer().serializeToString(clone);
}
function download(url, ending) {
  const file = root.replace(/[^\p{L}\p{N}]+/gu, "_") || "graph";
  element("a", null, "", { href: url, download: `${file}_${position}.${ending}` }).click();
}
function save_svg() {
  download(`data:image/svg+xml;charset=utf-8,${encodeURIComponent(standalone())}`, "svg");
}
function save_png() {
  const image = new Image();
  image.onload = () => {
    const canvas = element("canvas", null);
    const scale = Math.min(2, 8000 / Math.max(drawn_width, drawn_height));
    canvas.width = Math.ceil(drawn_width * scale);
    canvas.height = Math.ceil(drawn_height * scale);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    download(canvas.toDataURL("image/png"), "png");
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(standalone())}`;
}

at("save_svg").onclick = save_svg;
at("save_png").onclick = save_png;
at("copy").onclick = copy;
at("python").ontoggle = () => { at("code").value = python(); };
if (graph.live) {
  arrange();
  at("rate").oninput = () => {
    at("rate_text").textContent = number(rate());
    at("rate").setAttribute("aria-valuetext", number(rate()));
  };
  at("rate").oninput();
  at("down").onclick = descend;
  at("run").onclick = run;
  at("reset").onclick = reset;
  graph.leaves.forEach((leaf, k) => element("option", at("nudged"), name(leaf.node), { value: k }));
  at("nudged").onchange = at("by").onchange = at("nudge_panel").ontoggle = nudge;
  shown.push(show_leaves, nudge, () => { if (!losses.length) show_curve(); });
} else {
  for (const id of ["leaf_panel", "descent_panel", "nudge_panel"]) at(id).remove();
}
if (is_part && graph.live) {
  at("descent_panel").hidden = true;
  const alone = element("p", null, "", { role: "status" });
  at("leaves").before(alone);
  shown.push(() => {
    const moved = graph.leaves.some((leaf, k) => !Object.is(leaves[k], real(leaf.data)));
    alone.textContent = moved ? `Tried out in this neuron alone: the network does not follow, and ∂${graph.of}/∂${root} stays at ${number(seed)}, its value there. Reset, or a step of the network, goes back to its numbers.` : "";
  });
  controls.forEach(({ fixed }) => fixed.parentElement.remove());
  document.addEventListener("keydown", ({ key }) => { if (key === "Escape") window.parent.postMessage({ close: true }, "*"); });
  // The page around this one has other numbers.
  window.addEventListener("message", ({ source, data }) => {
    if (source !== window.parent) return;
    if (data.by) { go(position + data.by); return; }
    seed = real(data.seed);
    graph.of = data.of;
    graph.leaves.forEach((leaf, k) => { leaf.data = data.leaves[k]; });
    reset();
  });
}
shown.push(ask);
at("start_quiz").onclick = () => {
  Object.assign(quiz, { on: !quiz.on, side: 0, right: 0, asked: 0, told: "" });
  if (quiz.on && (position < middle || position === last)) { stop(); go(middle); }
  show();
  if (quiz.on && !at("answer").disabled) at("answer").focus();
};
at("ask").onsubmit = check;
scale();
show();
follow();
