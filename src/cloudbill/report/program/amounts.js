// Amounts as BigInt on one scale, so that sums are exact; null where no amount is known.

const data = JSON.parse(document.getElementById("data").textContent);

const digitsOf = (text) => (text && text.includes(".") ? text.length - text.indexOf(".") - 1 : 0);

function mostDigits() {
  let most = 2;
  const look = (text) => { if (typeof text === "string") most = Math.max(most, digitsOf(text)); };
  for (const row of data.costs) row.slice(-4).forEach(look);
  for (const row of data.daily) row.slice(-4).forEach(look);
  for (const row of data.tags) row.slice(-4).forEach(look);
  for (const row of data.view) row.slice(-4).forEach(look);
  for (const row of data.view_days) row.slice(-4).forEach(look);
  for (const fault of data.trust.faults) fault.costs.forEach((cost) => look(cost[1]));
  for (const month of data.trust.months) month.amounts.forEach((amount) => amount.slice(2).forEach(look));
  for (const closing of data.trust.closings) {
    [closing.first, closing.now, closing.closed, closing.moved].forEach(look);
  }
  return most;
}

const DIGITS = mostDigits();
const UNIT = 10n ** BigInt(DIGITS);

function parse(text) {
  if (text === null || text === undefined) return null;
  const negative = text.startsWith("-");
  const [whole, fraction = ""] = (negative ? text.slice(1) : text).split(".");
  const value = BigInt(whole + fraction.padEnd(DIGITS, "0"));
  return negative ? -value : value;
}

const plus = (one, other) => (one === null ? other : other === null ? one : one + other);
const minus = (one, other) => plus(one, other === null ? null : -other);
/** What a change is made of. */
const changed = (after, before) => [after, before === null ? null : -before];
const size = (value) => (value === null ? 0n : value < 0n ? -value : value);
// For the shapes of charts alone.
const rough = (value) => (value === null ? 0 : Number(value) / Number(UNIT));

function pieces(value) {
  const absolute = size(value);
  const whole = (absolute / UNIT).toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const fraction = (absolute % UNIT).toString().padStart(DIGITS, "0");
  return {
    head: `${value < 0n ? "-" : ""}${whole}.${fraction.slice(0, 2)}`,
    tail: fraction.slice(2).replace(/0+$/, ""),
  };
}

function exact(value) {
  if (value === null) return "–";
  const { head, tail } = pieces(value);
  return head + tail;
}

const signed = (value) => (value !== null && value > 0n ? `+${exact(value)}` : exact(value));

const CENT = UNIT / 100n;

/** An amount in hundredths, rounded half away from zero. */
function cents(value) {
  const half = CENT / 2n;
  return value < 0n ? -((-value + half) / CENT) : (value + half) / CENT;
}

/** An amount with two decimals; what is not zero is not shown as zero. */
function rounded(value) {
  if (value === null) return "–";
  const found = cents(value);
  if (found === 0n && value !== 0n) return value < 0n ? "-<0.01" : "<0.01";
  return pieces(found * CENT).head;
}

/** Whether the parts of a total add up to it as all of them are shown. */
const addsUp = (all, parts) => parts.reduce((sum, part) => sum + cents(part || 0n), 0n) === cents(all || 0n);

function percent(change, before) {
  if (change === null || before === null || before === 0n) return "";
  const tenths = (size(change) * 2000n + size(before)) / (size(before) * 2n);
  const sign = change < 0n ? "-" : "+";
  return `${sign}${tenths / 10n}.${tenths % 10n} %`;
}

const whole = (number) => String(number).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
