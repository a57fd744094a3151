// Elementary functions where Math has none, or none that follows IEEE 754 as the table does.

const exp = Math.exp;
const log = Math.log;
const log1p = Math.log1p;
const sqrt = Math.sqrt;
const sin = Math.sin;
const cos = Math.cos;
const tanh = Math.tanh;

// C says that 1 to any power and −1 to an infinite one are 1; JavaScript says nan.
const pow = (a, b) =>
  a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : Math.pow(a, b);

const copysign = (x, sign) => {
  const negative = sign < 0 || Object.is(sign, -0);
  return negative ? -Math.abs(x) : Math.abs(x);
};

// x / (1 + e), with what the rounding of 1 + e has lost put back.
const over_one_plus = (x, e) => {
  const t = 1 + e;
  const q = x / t;
  return q - q * (e - (t - 1)) / t;
};

const sigmoid = (a) => {
  const e = Math.exp(-Math.abs(a));
  return over_one_plus(a < 0 ? e : 1, e);
};

const softplus = (a) => Math.log1p(Math.exp(-Math.abs(a))) + (a < 0 ? 0 : a);

const logaddexp = (a, b) => {
  if (a === b) return a + Math.LN2;
  const [low, high] = a < b ? [a, b] : [b, a];
  const d = low - high;
  const e = Math.exp(d);
  const lost = low - (d + (low - d)) + (low - d - high); // by the rounding of low − high
  return high + (Math.log1p(e) + (e ? lost * e / (1 + e) : 0));
};
