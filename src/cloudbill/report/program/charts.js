// What all charts share. Plotly draws them, and each has a table with the same numbers.

const SHOWN_GROUPS = 7;
const SHOWN_BARS = 10;
const LABEL = 30;

let isPrinted = false;
const LIGHT = ["#1d5fd1", "#e0912b", "#1e9e79", "#c2487a", "#7a5bd0", "#7c9a2c", "#c5583c", "#0f8b9d", "#8c6239", "#a83fb0", "#34508f", "#b39412"];
const DARK = ["#7fb0ff", "#f0b35e", "#5ed0a8", "#f08cb4", "#b59cff", "#b9d15f", "#ff9b80", "#5cc8dc", "#c9a06e", "#e08cf0", "#8fa8e8", "#e0d05a"];
const PAPER = {
  ink: "#111111", quiet: "#444444", grid: "#e5e5e5", accent: "#1d5fd1", before: "#a9b8cf",
  card: "#ffffff", up: "#a3211a", down: "#0c5c3f", colors: LIGHT, rest: "#9aa3af",
};

function theme() {
  if (isPrinted) return PAPER;
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(`--${name}`).trim();
  const isDark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  return {
    ink: value("ink"), quiet: value("quiet"), grid: value("grid"), accent: value("accent"),
    before: value("before"), card: value("card"), up: value("up"), down: value("down"),
    colors: isDark ? DARK : LIGHT, rest: isDark ? "#8b95a3" : "#9aa3af",
  };
}

// Plotly reads a few tags in texts, so whatever could be one is written as it is shown.
const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
function short(text) {
  const signs = [...text];
  if (signs.length <= LABEL) return plain(text);
  // The end of an id tells names apart that are alike.
  const end = /^.*( \(…?[^()]{1,12}\))$/s.exec(text)?.[1] ?? "";
  return plain(`${signs.slice(0, LABEL - 1 - [...end].length).join("")}…${end}`);
}
const hover = (title, value, where = "") => `${plain(title)}<br>${where ? `${plain(where)}: ` : ""}<b>${exact(value)}</b> ${plain(nameOf("currency", state.currency))}`;

/** How amounts are written at an axis: thousands as k and millions as M, all else with its digits. */
function tickFormat(columns) {
  const largest = columns.map((values) => Math.max(0, ...values.map((value) => Math.abs(value ?? 0))));
  // Smaller ones would be written with m, and larger ones with G. Bars may be on top of each other.
  const isLong = Math.max(0, ...largest) >= 10000 && largest.reduce((sum, one) => sum + one, 0) < 1e9;
  return isLong ? "~s" : ",~r";
}

function chart(id, label, height, traces, layout = {}) {
  const colors = theme();
  const node = el("div", { class: "chart", id, role: "img", "aria-label": label });
  node.style.height = `${height}px`;
  const axis = { gridcolor: colors.grid, zerolinecolor: colors.quiet, linecolor: colors.grid, automargin: true, fixedrange: true };
  const { xaxis, yaxis, ...rest } = layout;
  const isAcross = traces[0]?.orientation === "h";
  const money = { tickformat: tickFormat(traces.map((trace) => (isAcross ? trace.x : trace.y))) };
  pendingCharts.push(() => Plotly.newPlot(node, traces, {
    height,
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colors.quiet },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 8, r: 8, t: 8, b: 8 },
    colorway: colors.colors,
    separators: ".,",
    dragmode: false,
    hoverlabel: { bgcolor: colors.card, bordercolor: colors.quiet, font: { color: colors.ink, size: 13 }, align: "left", namelength: -1 },
    legend: { orientation: "h", y: -0.15, yanchor: "top", x: 0, itemclick: false, itemdoubleclick: false, font: { color: colors.ink } },
    ...(isPrinted ? { width: node.clientWidth || 640 } : {}),
    xaxis: { ...axis, ...(isAcross ? money : {}), ...xaxis },
    yaxis: { ...axis, ...(isAcross ? {} : money), ...yaxis },
    ...rest,
  }, { displayModeBar: false, responsive: !isPrinted }));
  return el("figure", null, node);
}

let pendingCharts = [];

function drawCharts() {
  const waiting = pendingCharts;
  pendingCharts = [];
  waiting.forEach((draw) => draw());
}

function forget() {
  for (const node of document.querySelectorAll(".js-plotly-plot")) Plotly.purge(node);
}

const isNarrow = () => byId("main").clientWidth < 600;
// A few bars stay slim, and many fill the width.
const gapOf = (months) => Math.max(0.25, 0.9 - months.length * 0.08);

/** Groups by what they cost, costliest first, and all beyond the first few as one. */
function ranked(rows, group, most) {
  const groups = [...groupBy(rows, (row) => row[group])].map(([index, of]) => ({
    index, rows: of, title: titleOf(group, index), cost: of.reduce((sum, row) => sum + size(amount(row)), 0n),
    isLast: isLast(group, index),
  }));
  groups.sort((a, b) => a.isLast - b.isLast || (a.cost < b.cost ? 1 : a.cost > b.cost ? -1 : a.title.localeCompare(b.title)));
  if (groups.length <= most + 1) return groups;
  const others = groups.slice(most);
  const count = others.reduce((sum, one) => sum + (one.isLast ? data.names[group][one.index].others : 1), 0);
  return [...groups.slice(0, most), {
    index: null, rows: others.flatMap((one) => one.rows), title: `All others (${whole(count)})`, isLast: true,
  }];
}

const COLORED = new Map();

/** A color for each name of a group, which is its own in every chart, whatever is filtered.
 *
 * It comes from the name, so that the next page has it too. Where two of the costliest would have
 * the same, the cheaper one has the next that is free.
 */
function colorsOf(group) {
  if (COLORED.has(group)) return COLORED.get(group);
  const costs = new Map();
  for (const row of group === "tag_value" ? TAGS : COSTS) costs.set(row[group], (costs.get(row[group]) || 0n) + size(row.amounts[0]));
  const places = new Map();
  let free = [];
  const names = [...costs.keys()].filter((index) => !isLast(group, index));
  names.sort((a, b) => (costs.get(a) < costs.get(b) ? 1 : costs.get(a) > costs.get(b) ? -1 : nameOf(group, a).localeCompare(nameOf(group, b))));
  for (const index of names) {
    if (!free.length) free = LIGHT.map((_, place) => place);
    let wanted = [...`${nameOf(group, index)}${idOf(group, index)}`].reduce((hash, letter) => (hash * 31 + letter.codePointAt(0)) % 65521, 7) % LIGHT.length;
    while (!free.includes(wanted)) wanted = (wanted + 1) % LIGHT.length;
    free = free.filter((place) => place !== wanted);
    places.set(index, wanted);
  }
  COLORED.set(group, places);
  return places;
}

/** How the bars of a group look; a second one of the same color is hatched. */
function markerOf(one, group, used, colors) {
  if (one.isLast) return { color: colors.rest };
  const color = colors.colors[colorsOf(group).get(one.index) ?? 0];
  const isTaken = used.has(color);
  used.add(color);
  return isTaken ? { color, pattern: { shape: "/", fillmode: "overlay", fgcolor: colors.card, fgopacity: 0.6, size: 6 } } : { color };
}

function stackedMonths(id, label, rows, group, months) {
  const colors = theme();
  const groups = ranked(rows, group, SHOWN_GROUPS);
  const used = new Set();
  const traces = groups.map((one) => {
    const byMonth = groupBy(one.rows, (row) => row.month);
    const values = months.map((month) => total(byMonth.get(month) || []));
    return {
      type: "bar", name: short(one.title), x: months, y: values.map(rough),
      customdata: months.map((month, index) => hover(one.title, values[index], monthTitle(month))),
      hovertemplate: "%{customdata}<extra></extra>",
      marker: markerOf(one, group, used, colors),
    };
  });
  const height = 360 + (isNarrow() ? groups.length * 20 : 0);
  return chart(id, label, height, traces, {
    barmode: "relative", showlegend: true, bargap: gapOf(months),
    xaxis: { type: "category", nticks: Math.max(4, Math.floor(byId("main").clientWidth / 75)), showgrid: false, tickangle: 0 },
    yaxis: { nticks: 6 },
  });
}
