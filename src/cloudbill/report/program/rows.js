// The rows of the bill. Each name is in a list once, and rows point to it by index.

const KINDS = { billed: "Billed", effective: "Effective", list: "List", contracted: "Contracted" };
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August",
  "September", "October", "November", "December"];

const GROUPS = ["provider", "service", "sub_account"];

function amountsOf(texts) {
  const first = parse(texts[0]);
  return texts.map((text) => (text === "=" ? first : parse(text)));
}

function decode(row, fields) {
  const found = {};
  fields.forEach((field, index) => { found[field] = row[index]; });
  found.amounts = amountsOf(row.slice(fields.length));
  return found;
}

const COSTS = data.costs.map((row) => decode(row, ["month", "source", ...GROUPS, "currency"]));
const DAILY = data.daily.map((row) => decode(row, ["month", "day", "purchase", "source", ...GROUPS, "currency"]));
const TAGS = data.tags.map((row) => decode(
  row, ["tag_key", "month", "source", "provider", "tag_value", "currency"]));
const ALL_MONTHS = [...new Set(COSTS.map((row) => row.month))].sort();

function nameOf(group, index) {
  if (group === "source") return data.sources[index].name;
  const name = data.names[group][index];
  if (name.others !== undefined) return `All others (${whole(name.others)})`;
  if (group === "tag_value") {
    if (name.id === "untagged") return "Untagged";
    if (name.id === "rare") return "Rare combinations of tags (not read)";
    return name.text;
  }
  if (group === "currency") return name.text || "no currency";
  return name.text || name.id || {
    provider: "No provider", service: "No service", sub_account: "No sub-account", region: "No region", category: "No category",
  }[group];
}

const isLast = (group, index) => group !== "source" && data.names[group][index].others !== undefined;
const idOf = (group, index) => {
  const name = group === "sub_account" ? data.names[group][index] : {};
  // Without a name, the id is shown as one.
  return name.id && name.text && name.id !== name.text ? name.id : "";
};

const ALIKE = new Map();

/** The name in a chart; where several have it, with the end of the id. */
function titleOf(group, index) {
  const name = nameOf(group, index);
  if (!idOf(group, index)) return name;
  if (!ALIKE.size) {
    for (const one of data.names.sub_account) ALIKE.set(one.text, [...(ALIKE.get(one.text) || []), one.id || ""]);
  }
  const [id, alike] = [idOf(group, index), ALIKE.get(name)];
  if (alike.length < 2) return name;
  let length = 4;
  while (length < id.length && new Set(alike.map((one) => one.slice(-length))).size < alike.length) length += 1;
  return `${name} (${length < id.length ? "…" : ""}${id.slice(-length)})`;
}

function nextMonth(month, step = 1) {
  const [year, number] = month.split("-").map(Number);
  const count = year * 12 + number - 1 + step;
  return `${String(Math.floor(count / 12)).padStart(4, "0")}-${String(count % 12 + 1).padStart(2, "0")}`;
}

function monthsBetween(from, to) {
  const months = [];
  for (let month = from; month <= to; month = nextMonth(month)) months.push(month);
  return months;
}

function monthTitle(month) {
  const [year, number] = month.split("-").map(Number);
  return `${MONTHS[number - 1]} ${year}`;
}

const daysOf = (month) => new Date(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 0)).getUTCDate();
const moment = (iso) => (iso ? `${iso.slice(0, 16).replace("T", " ")} UTC` : "unknown");
