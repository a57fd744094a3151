// What pages share: elements, and numbers as text.
const at = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function element(name, parent, text = "", attributes = {}) {
  const made = name.startsWith("svg:")
    ? document.createElementNS(SVG, name.slice(4))
    : document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent?.append(made);
  return made;
}

// Numbers as the stepper writes them: four decimals and at least four digits, fewer where they are
// all there are.
function special(x) {
  return Number.isNaN(x) ? "nan" : x === Infinity ? "inf" : x === -Infinity ? "−inf" : "";
}
const power = (text) => text.replace(/\.?0*e([+-])(\d)$/, "e$10$2").replace(/\.?0*e/, "e");
function number(x) {
  if (!Number.isFinite(x)) return special(x);
  const size = Math.abs(x);
  let text;
  if (x === 0 || (size < 1e6 && Number.isInteger(x))) text = size === 0 ? "0.0" : x.toFixed(1);
  else if (Number(x.toPrecision(4)) === x && !(size >= 1e4 && size < 1e6)) {
    text = size >= 1e-4 && size < 1e4 ? String(x) : power(x.toExponential(3));
  } else if (size >= 1e-3 && size < 1e6) text = x.toFixed(Math.max(4, 3 - Math.floor(Math.log10(size))));
  else text = x.toExponential(4).replace(/e([+-])(\d)$/, "e$10$2");
  return text.replaceAll("-", "−");
}
// The number that this text says.
const rounded = (x) => (Number.isFinite(x) ? Number(number(x).replaceAll("−", "-")) : x);
const factor = (x) => (x < 0 ? `(${number(x)})` : number(x));
