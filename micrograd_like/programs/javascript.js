// Elementary functions where Math has none, or none that follows IEEE 754 as the table does.

const exp = Math.exp;
const log = Math.log;
const log1p = Math.log1p;
const sqrt = Math.sqrt;
const sin = Math.sin;
const cos = Math.cos;
const tanh = Math.tanh;
const tan = Math.tan;
const asin = Math.asin;
const acos = Math.acos;
const atan = Math.atan;
const atan2 = Math.atan2;
const expm1 = Math.expm1;
const sinh = Math.sinh;
const cosh = Math.cosh;
const hypot = Math.hypot;

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

// The polynomials are those of machine code: minimax fits, highest power first.
const ERF = [
  -7.582053623097243e-10, 1.3605636361959318e-8, -1.6182075157354962e-7, 1.6443983137744041e-6,
  -1.4924458408280275e-5, 0.0001205528040803033, -0.0008548325489161587, 0.0052239775968917455,
  -0.026866170641975013, 0.11283791670936995, -0.37612638903183343, 0.12837916709551256,
];
const ERFC = [
  0.013289150549581472, -0.1461808785376048, 0.6738831342669865, -1.7411295079322298,
  2.7765925441843025, -2.806652591566133, 1.84273503842281, -0.9559775718657786,
  0.4350429004137692, 0.08116365860078008, 0.26529008683483446, 0.279660309898838,
  0.2822907471878291, -7.274701056682441e-6,
];
const erf = (a) => {
  const x = Math.abs(a);
  if (x < 1) return a + a * ERF.reduce((sum, c) => sum * x * x + c, 0);
  const s = 2 / (x + 2);
  const y = x < 6 ? 1 - Math.exp(-x * x) * ERFC.reduce((sum, c) => sum * s + c, 0) : 1;
  return x !== x ? x : a < 0 ? -y : y;
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
