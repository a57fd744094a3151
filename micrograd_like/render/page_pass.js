// The graph as data, and the two passes over it in the order of the engine. ROWS, above, are the
// operations: a forward function and a local derivative for each operand.
const graph = JSON.parse(document.getElementById("pass").textContent);
const nodes = graph.nodes;
const made = nodes.map((node, i) => i).filter((i) => nodes[i].from);

// A number of the page's data, where JSON has no inf and no nan.
const real = (x) => Number(x);
const operands = (node, data) => node.from.map((x) => (typeof x === "number" ? data[x] : real(x)));

// All values and local derivatives, for these numbers in the leaves.
function forward(leaves) {
  if (!graph.live) {
    const slopes = nodes.map((node) => (node.slopes ?? []).map(real));
    return { data: nodes.map((node) => real(node.data)), slopes };
  }
  const data = new Float64Array(nodes.length);
  const slopes = nodes.map(() => []);
  graph.leaves.forEach((leaf, k) => { data[leaf.node] = leaves[k]; });
  for (const i of made) {
    const row = ROWS[nodes[i].op];
    const numbers = operands(nodes[i], data);
    data[i] = row.forward(...numbers);
    slopes[i] = row.slopes.map((slope) => slope(...numbers, data[i]));
  }
  return { data, slopes };
}

// Upstream gradient times local derivative. A gradient of exactly zero passes nothing back, and
// nothing flows into a branch that was not taken, not even inf or nan.
function contribution(i, side, upstream, slopes) {
  const slope = slopes[i][side];
  const silent = upstream === 0 || (slope === 0 && graph.ops[nodes[i].op].selects);
  return silent ? 0 : upstream * slope;
}

// The gradient that the pass starts from: 1, unless the graph is a part of a larger one.
const is_part = graph.seed !== undefined;
let seed = real(graph.seed ?? 1);

// The gradients when the first `count` nodes have passed theirs on.
function backward(slopes, count = graph.order.length, start = seed) {
  const grads = new Float64Array(nodes.length);
  grads[graph.root] = start;
  for (const i of graph.order.slice(0, count)) {
    nodes[i].from.forEach((x, side) => {
      if (typeof x === "number") grads[x] += contribution(i, side, grads[i], slopes);
    });
  }
  return grads;
}
