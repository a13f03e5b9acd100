// The filters: what is chosen, and the lists to choose from.

const state = {};

function firstCurrency() {
  const counts = new Map();
  for (const row of COSTS) counts.set(row.currency, (counts.get(row.currency) || 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 0;
}

/** What is chosen where nobody chose anything. */
const defaults = () => ({
  currency: firstCurrency(), kind: 0, from: ALL_MONTHS[0] || "", to: ALL_MONTHS.at(-1) || "",
  source: null, provider: null, service: null, sub_account: null, breakdown: "service",
  daily_as: "each", charges: "all", tag_key: null, tag_value: null,
});

const BREAKDOWNS = { service: "Service", sub_account: "Sub-account", provider: "Provider", source: "Source" };
const CHARGES = { all: "All", without_once: "Without one-time purchases", without_any: "Without purchases" };
const DAILY_AS = { each: "Each day", sum: "Added up" };

function matches(row, groups) {
  return row.currency === state.currency
    && groups.every((group) => state[group] === null || row[group] === state[group]);
}

const inRange = (row) => row.month >= state.from && row.month <= state.to;
const amount = (row) => row.amounts[state.kind];
const total = (rows, of = amount) => rows.reduce((sum, row) => plus(sum, of(row)), null);

function groupBy(rows, key) {
  const groups = new Map();
  for (const row of rows) {
    const value = key(row);
    if (!groups.has(value)) groups.set(value, []);
    groups.get(value).push(row);
  }
  return groups;
}

function options(id, entries, chosen) {
  const select = byId(id);
  fill(select, entries.map(([value, title]) => {
    const option = el("option", { value }, title);
    option.selected = String(chosen) === String(value);
    return option;
  }));
  select.disabled = entries.length < 2;
  // A long name is cut where it is chosen.
  select.title = select.selectedOptions[0]?.textContent ?? "";
}

function indexesOf(group) {
  const rows = COSTS.filter((row) => row.currency === state.currency);
  return [...new Set(rows.map((row) => row[group]))].sort((a, b) => isLast(group, a) - isLast(group, b)
    || nameOf(group, a).localeCompare(nameOf(group, b)));
}

function fillFilters() {
  options("currency", [...new Set(COSTS.map((row) => row.currency))]
    .map((index) => [index, nameOf("currency", index)])
    .sort((a, b) => a[1].localeCompare(b[1])), state.currency);
  options("kind", data.kinds.map((kind, index) => [index, KINDS[kind]]), state.kind);
  const months = ALL_MONTHS.length ? monthsBetween(ALL_MONTHS[0], ALL_MONTHS.at(-1)) : [];
  options("from", months.map((month) => [month, month]), state.from);
  options("to", months.map((month) => [month, month]), state.to);
  for (const group of ["source", ...GROUPS]) {
    const indexes = indexesOf(group);
    if (!indexes.includes(state[group])) state[group] = null;
    const titles = indexes.map((index) => {
      const id = idOf(group, index);
      return [index, id ? `${nameOf(group, index)} (${id})` : nameOf(group, index)];
    });
    options(group, [["", "All"], ...titles], state[group] ?? "");
  }
  options("breakdown", Object.entries(BREAKDOWNS), state.breakdown);
  options("daily_as", Object.entries(DAILY_AS), state.daily_as);
  options("charges", Object.entries(CHARGES), state.charges);
}

function listen() {
  const numbers = ["currency", "kind", "source", ...GROUPS, "tag_key", "tag_value"];
  for (const id of ["currency", "kind", "from", "to", "source", ...GROUPS, "breakdown", "daily_as", "charges", "tag_key", "tag_value"]) {
    byId(id).addEventListener("change", (event) => {
      const value = event.target.value;
      state[id] = numbers.includes(id) ? (value === "" ? null : Number(value)) : value;
      if (id === "tag_key") state.tag_value = null;
      if (id === "from" && state.from > state.to) state.to = state.from;
      if (id === "to" && state.to < state.from) state.from = state.to;
      draw();
      remember();
    });
  }
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", (event) => {
    event.preventDefault();
    Object.assign(state, defaults());
    draw();
    remember();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
}
