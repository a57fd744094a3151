"use strict";
// The pass as plain data: values in the order of the picture, steps in the order of backprop.
const pass = JSON.parse(document.getElementById("pass").textContent);
const at = (id) => document.getElementById(id);
const last = pass.steps.length;
let position = 0;
let timer = null;

const rows = pass.values.map((value) => {
  const row = at("values").insertRow();
  for (const text of [value.name, value.made, value.data, "", ""]) row.insertCell().textContent = text;
  return row;
});

// The gradients and what has been passed on when `count` steps are done.
function state(count) {
  const grads = pass.values.map(() => pass.zero);
  grads[pass.root] = pass.one;
  const passed = new Set();
  for (const step of pass.steps.slice(0, count)) {
    passed.add(step.node);
    for (const part of step.parts) grads[part.to] = part.after;
  }
  return { grads, passed };
}

function tint(grad) {
  if (!Number.isFinite(grad.number)) return "var(--play)";
  const share = pass.largest ? Math.sqrt(Math.abs(grad.number) / pass.largest) : 0;
  const side = grad.number > 0 ? "var(--positive)" : "var(--negative)";
  return `color-mix(in srgb, ${side} ${Math.round(100 * share)}%, var(--box))`;
}

function describe(step) {
  const box = at("step");
  box.replaceChildren();
  const line = (text, kind) => {
    const p = document.createElement("p");
    p.textContent = text;
    if (kind) p.className = kind;
    box.append(p);
  };
  if (!step) {
    line(pass.start, "rule");
    return;
  }
  line(step.rule, "rule");
  for (const part of step.parts) line(part.text);
  if (position === last) line(pass.end);
}

function show() {
  const { grads, passed } = state(position);
  const step = position ? pass.steps[position - 1] : null;
  const fed = new Set(step ? step.parts.map((part) => part.to) : []);
  document.querySelectorAll("#graph .playing").forEach((part) => part.classList.remove("playing"));
  pass.values.forEach((value, i) => {
    const box = at(`v${i}`);
    const texts = box.querySelectorAll("text");
    texts[texts.length - 1].textContent = `grad ${grads[i].text}`;
    box.querySelectorAll("polygon, path").forEach((shape) => { shape.style.fill = tint(grads[i]); });
    const row = rows[i];
    row.cells[3].textContent = grads[i].text;
    const pending = pass.steps.slice(position).some((later) => later.parts.some((part) => part.to === i));
    row.cells[4].textContent = pending ? "pending" : passed.has(i) ? "complete, passed on" : "complete";
    row.className = (step && step.node === i) || fed.has(i) ? "playing" : "";
  });
  if (step) {
    for (const id of [`v${step.node}`, `o${step.node}`, ...step.parts.map((part) => part.edge)]) {
      at(id).classList.add("playing");
    }
    const frame = at("graph");
    const place = at(`v${step.node}`).getBoundingClientRect();
    const view = frame.getBoundingClientRect();
    frame.scrollLeft += place.left + place.width / 2 - view.left - view.width / 2;
    frame.scrollTop += place.top + place.height / 2 - view.top - view.height / 2;
  }
  describe(step);
  at("slider").value = String(position);
  at("position").textContent = `${position} of ${last}`;
  at("first").disabled = at("back").disabled = position === 0;
  at("next").disabled = at("last").disabled = position === last;
}

function go(target) {
  position = Math.max(0, Math.min(last, target));
  if (position === last) stop();
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
at("slider").oninput = (event) => go(Number(event.target.value));
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const target = { ArrowRight: position + 1, ArrowLeft: position - 1, Home: 0, End: last }[event.key];
  if (target !== undefined) {
    event.preventDefault();
    go(target);
  } else if (event.key === " " && event.target.tagName !== "BUTTON") {
    event.preventDefault();
    play();
  }
});
show();
