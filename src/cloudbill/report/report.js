"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const KINDS = { billed: "Billed", effective: "Effective", list: "List", contracted: "Contracted" };
  const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August",
    "September", "October", "November", "December"];
  const SHOWN_GROUPS = 7;
  const SHOWN_BARS = 10;
  const LABEL = 30;

  // ---- Amounts: BigInt on one scale, so that sums are exact; null where none is known.

  const digitsOf = (text) => (text && text.includes(".") ? text.length - text.indexOf(".") - 1 : 0);

  function mostDigits() {
    let most = 2;
    const look = (text) => { if (typeof text === "string") most = Math.max(most, digitsOf(text)); };
    for (const row of data.costs) row.slice(-4).forEach(look);
    for (const row of data.daily) row.slice(-4).forEach(look);
    for (const row of data.tags) row.slice(-4).forEach(look);
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

  function rounded(value) {
    const cent = UNIT / 100n;
    const half = cent / 2n;
    const cents = value < 0n ? -((-value + half) / cent) : (value + half) / cent;
    return pieces(cents * cent).head;
  }

  function percent(change, before) {
    if (change === null || before === null || before === 0n) return "";
    const tenths = (size(change) * 2000n + size(before)) / (size(before) * 2n);
    const sign = change < 0n ? "-" : "+";
    return `${sign}${tenths / 10n}.${tenths % 10n} %`;
  }

  const whole = (number) => String(number).replace(/\B(?=(\d{3})+(?!\d))/g, ",");

  // ---- Rows: names stand once in lists, and rows point to them.

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
  const DAILY = data.daily.map((row) => decode(row, ["month", "day", "source", ...GROUPS, "currency"]));
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
    return name.text || name.id || { provider: "No provider", service: "No service", sub_account: "No sub-account" }[group];
  }

  const isLast = (group, index) => group !== "source" && data.names[group][index].others !== undefined;
  const idOf = (group, index) => {
    const name = group === "sub_account" ? data.names[group][index] : {};
    return name.id && name.id !== name.text ? name.id : "";
  };

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

  // ---- Elements: texts are set as texts and never read as HTML.

  function el(name, attributes, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) {
      if (child !== null && child !== undefined) node.append(child);
    }
    return node;
  }

  const byId = (id) => document.getElementById(id);
  const fill = (node, ...children) => node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null));

  function amountNode(value, text = null) {
    if (value === null) return el("span", { title: "not in this export" }, "–");
    const { head, tail } = pieces(value);
    const sign = text === "signed" && value > 0n ? "+" : "";
    return el("span", null, sign + head, tail ? el("span", { class: "tail" }, tail) : null);
  }

  const amountCell = (value) => el("td", { class: "number" }, amountNode(value));
  const changeCell = (value) => el(
    "td", { class: `number ${value > 0n ? "up" : value < 0n ? "down" : ""}` }, amountNode(value, "signed"));
  const nameCell = (group, index) => {
    const id = idOf(group, index);
    return el("th", { scope: "row" }, nameOf(group, index), id ? el("span", { class: "id" }, id) : null);
  };

  function table(title, columns, rows, foot = null) {
    const head = columns.map((column) => el(
      "th", { scope: "col", class: column.number ? "number" : null }, column.title));
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}, table` },
      el("table", null,
        el("caption", null, title),
        el("thead", null, el("tr", null, head)),
        el("tbody", null, rows),
        foot ? el("tfoot", null, foot) : null));
  }

  function folded(summary, id, ...content) {
    const before = byId(id);
    return el("details", { id, open: Boolean(before && before.open) }, el("summary", null, summary), content);
  }

  const textColumn = (title) => ({ title });
  const numberColumn = (title) => ({ title, number: true });

  // ---- Filters.

  const state = {
    currency: 0, kind: 0, from: "", to: "", source: null, provider: null, service: null,
    sub_account: null, breakdown: "service", daily_as: "each", tag_key: null, tag_value: null,
  };

  function firstCurrency() {
    const counts = new Map();
    for (const row of COSTS) counts.set(row.currency, (counts.get(row.currency) || 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 0;
  }

  function startOver() {
    Object.assign(state, {
      currency: firstCurrency(), kind: 0, from: ALL_MONTHS[0] || "", to: ALL_MONTHS.at(-1) || "",
      source: null, provider: null, service: null, sub_account: null, tag_value: null,
    });
  }

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
    options("breakdown", ["service", "sub_account", "provider", "source"]
      .map((group) => [group, { service: "Service", sub_account: "Sub-account", provider: "Provider", source: "Source" }[group]]),
    state.breakdown);
    options("daily_as", [["each", "Each day"], ["sum", "Added up"]], state.daily_as);
  }

  function listen() {
    const numbers = ["currency", "kind", "source", ...GROUPS, "tag_key", "tag_value"];
    for (const id of ["currency", "kind", "from", "to", "source", ...GROUPS, "breakdown", "daily_as", "tag_key", "tag_value"]) {
      byId(id).addEventListener("change", (event) => {
        const value = event.target.value;
        state[id] = numbers.includes(id) ? (value === "" ? null : Number(value)) : value;
        if (id === "tag_key") state.tag_value = null;
        if (id === "from" && state.from > state.to) state.to = state.from;
        if (id === "to" && state.to < state.from) state.from = state.to;
        draw();
      });
    }
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("filters").addEventListener("reset", (event) => { event.preventDefault(); startOver(); draw(); });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
    window.addEventListener("beforeprint", () => { isPrinted = true; draw(); });
    window.addEventListener("afterprint", () => { isPrinted = false; draw(); });
  }

  // ---- Charts: drawn by Plotly; every one has a table with the same numbers.

  let isPrinted = false;
  const LIGHT = ["#1d5fd1", "#e0912b", "#1e9e79", "#c2487a", "#7a5bd0", "#7c9a2c", "#c5583c"];
  const DARK = ["#7fb0ff", "#f0b35e", "#5ed0a8", "#f08cb4", "#b59cff", "#b9d15f", "#ff9b80"];
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
  const short = (text) => plain([...text].length > LABEL ? `${[...text].slice(0, LABEL - 1).join("")}…` : text);
  const hover = (title, value, where = "") => `${plain(title)}<br>${where ? `${plain(where)}: ` : ""}<b>${exact(value)}</b> ${plain(nameOf("currency", state.currency))}`;

  function chart(id, label, height, traces, layout = {}) {
    const colors = theme();
    const node = el("div", { class: "chart", id, role: "img", "aria-label": label });
    node.style.height = `${height}px`;
    const axis = { gridcolor: colors.grid, zerolinecolor: colors.quiet, linecolor: colors.grid, automargin: true, fixedrange: true };
    const { xaxis, yaxis, ...rest } = layout;
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
      ...(isPrinted ? { width: Math.min(680, node.clientWidth || 680) } : {}),
      xaxis: { ...axis, ...xaxis },
      yaxis: { ...axis, ...yaxis },
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
      index, rows: of, title: nameOf(group, index), cost: of.reduce((sum, row) => sum + size(amount(row)), 0n),
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

  function stackedMonths(id, label, rows, group, months) {
    const colors = theme();
    const groups = ranked(rows, group, SHOWN_GROUPS);
    const traces = groups.map((one, place) => {
      const byMonth = groupBy(one.rows, (row) => row.month);
      const values = months.map((month) => total(byMonth.get(month) || []));
      return {
        type: "bar", name: short(one.title), x: months, y: values.map(rough),
        customdata: months.map((month, index) => hover(one.title, values[index], monthTitle(month))),
        hovertemplate: "%{customdata}<extra></extra>",
        marker: { color: one.isLast ? colors.rest : colors.colors[place % colors.colors.length] },
      };
    });
    const height = 360 + (isNarrow() ? groups.length * 20 : 0);
    return chart(id, label, height, traces, {
      barmode: "relative", showlegend: true, bargap: gapOf(months),
      xaxis: { type: "category", nticks: Math.max(4, Math.floor(byId("main").clientWidth / 75)), showgrid: false, tickangle: 0 },
      yaxis: { tickformat: "~s", nticks: 6 },
    });
  }

  // ---- What is shown.

  function selection() {
    const rows = COSTS.filter((row) => matches(row, ["source", ...GROUPS]));
    const shown = rows.filter(inRange);
    const newest = shown.reduce((month, row) => (row.month > month ? row.month : month), "");
    const before = newest ? nextMonth(newest, -1) : "";
    return {
      rows, shown, newest, before,
      inNewest: rows.filter((row) => row.month === newest),
      inBefore: rows.filter((row) => row.month === before),
      months: newest ? monthsBetween(shown.reduce((month, row) => (row.month < month ? row.month : month), newest), newest) : [],
    };
  }

  function trustOf(month) {
    return data.trust.months.filter((one) => one.month === month
      && (state.source === null || one.source === state.source)
      && COSTS.some((row) => row.month === month && row.source === one.source && row.currency === state.currency));
  }

  function drawHeadline(now) {
    const currency = nameOf("currency", state.currency);
    const kind = KINDS[data.kinds[state.kind]].toLowerCase();
    const cost = total(now.inNewest);
    const before = total(now.inBefore);
    byId("headline-title").textContent = `${monthTitle(now.newest)}, ${kind}`;
    fill(byId("headline-amount"), cost === null ? "–" : el("span", { title: `${exact(cost)} ${currency}` }, rounded(cost)), " ", el("span", { class: "currency" }, currency));
    const change = cost === null || before === null ? null : cost - before;
    fill(byId("headline-change"), change === null
      ? `Nothing to compare with in ${monthTitle(now.before)}`
      : [el("strong", { class: change > 0n ? "up" : change < 0n ? "down" : "", title: signed(change) },
        `${change > 0n ? "+" : ""}${rounded(change)}`),
      ` ${percent(change, before) ? `(${percent(change, before)}) ` : ""}against ${rounded(before)} in ${monthTitle(now.before)}`]);
    drawCompleteness(now);
    const all = total(now.shown);
    const count = now.months.length;
    byId("range-title").textContent = count > 1 ? `${now.months[0]} to ${now.newest}, ${kind}` : `${now.newest}, ${kind}`;
    fill(byId("range-amount"), all === null ? "–" : el("span", { title: `${exact(all)} ${currency}` }, rounded(all)), " ", el("span", { class: "currency" }, currency));
    byId("range-average").textContent = all === null ? "" : `${count} ${count === 1 ? "month" : "months"}, ${rounded(all / BigInt(count))} a month on average`;
    byId("range-kind").textContent = all === null ? "" : `Exactly ${exact(all)}`;
  }

  function drawCompleteness(now) {
    const known = trustOf(now.newest);
    const open = known.filter((one) => one.complete === false);
    const node = byId("headline-complete");
    if (open.length) {
      const runs = open.map((one) => `${data.sources[one.source].name}: run of ${moment(one.submitted_at)}`).join("; ");
      fill(node, el("span", { class: "pill warn" }, "Month not complete"), ` ${runs}. `, sameDays(now));
    } else if (known.length && known.every((one) => one.complete === true)) {
      fill(node, el("span", { class: "pill good" }, "Month complete"), " Its runs were made after it had ended.");
    } else {
      fill(node, el("span", { class: "pill neutral" }, "Completeness unknown"), " The ledger does not say when its run was made.");
    }
  }

  /** Compares the days that the newest month has with the same days of the month before. */
  function sameDays(now) {
    const rows = DAILY.filter((row) => matches(row, ["source", ...GROUPS]) && row.day.startsWith(row.month));
    const current = rows.filter((row) => row.month === now.newest);
    const last = current.reduce((day, row) => (row.day > day ? row.day : day), "").slice(8);
    const earlier = rows.filter((row) => row.month === now.before && row.day.slice(8) <= last);
    const one = total(current);
    const other = total(earlier);
    if (Number(last) === daysOf(now.newest)) return "";
    if (one === null || other === null) return "";
    return `Days 1 to ${Number(last)}: ${rounded(one)}, against ${rounded(other)} in the same days of ${monthTitle(now.before)} (${one > other ? "+" : ""}${rounded(one - other)}).`;
  }

  function drawBadge() {
    const isShown = (one) => state.source === null || one.source === state.source;
    const months = data.trust.months.filter(isShown);
    const count = (agreement) => months.filter((one) => one.agreement === agreement).length;
    const different = count("different");
    const unrecorded = count("unrecorded");
    const held = data.trust.pending.filter((one) => isShown(one) && one.state === "held").length;
    const waiting = data.trust.pending.filter((one) => isShown(one) && one.state === "waiting").length;
    const fresh = data.trust.pending.filter((one) => isShown(one) && one.state === "new").length;
    const gaps = data.trust.missing.filter(isShown).length;
    const sources = data.trust.freshness.filter(isShown);
    const unread = sources.filter((one) => one.store_error).length;
    const broken = data.sources.filter((source, index) => isShown({ source: index }) && source.error).length;
    const plural = (number, one, many) => `${number} ${number === 1 ? one : many}`;
    const lines = [
      different ? `${plural(different, "month differs", "months differ")} from what was loaded` : `${count("equal") + count("rows_only")} of ${plural(months.length, "month holds", "months hold")} what was loaded, to the last digit`,
      count("rows_only") ? `of ${plural(count("rows_only"), "month", "months")} only the rows were recorded` : null,
      unrecorded ? `${plural(unrecorded, "month", "months")} without a record of its load` : null,
      gaps ? `${plural(gaps, "month is", "months are")} missing in between` : null,
      held ? `${plural(held, "run is", "runs are")} held` : null,
      waiting ? `${plural(waiting, "run waits", "runs wait")} for parts` : null,
      fresh ? `${plural(fresh, "newer run is", "newer runs are")} not loaded yet` : null,
      unread ? `${plural(unread, "store was", "stores were")} not read` : null,
      broken ? `${plural(broken, "warehouse was", "warehouses were")} not read` : null,
    ];
    const [tone, title] = different || broken ? ["bad", "Look at it first"]
      : unrecorded || gaps || held || waiting || fresh ? ["warn", "Mostly: see what is open"]
        : unread ? ["good", "Yes, as loaded"] : ["good", "Yes"];
    fill(byId("badge"), el("span", { class: `pill ${tone}` }, title));
    fill(byId("badge-details"), lines.filter(Boolean).map((line) => el("li", null, line)));
  }

  /** Whether a source has charges in this currency and is not filtered out. */
  const isCounted = (index) => (state.source === null || state.source === index)
    && COSTS.some((row) => row.source === index && row.currency === state.currency);

  function drawNotes(now) {
    const notes = [];
    const add = (text, tone = "") => notes.push(el("p", { class: `notice ${tone}` }, text));
    const others = [...new Set(COSTS.map((row) => row.currency))].filter((index) => index !== state.currency);
    if (others.length) {
      add(`Only ${nameOf("currency", state.currency)} is shown. The bill is also in ${others.map((index) => nameOf("currency", index)).join(", ")}; currencies are never added up.`, "info");
    }
    const kind = data.kinds[state.kind];
    data.sources.forEach((source, index) => {
      if (source.error) add(`${source.name}: the warehouse was not read, so its costs are missing here. ${source.error}`);
      const missing = source.missing[kind];
      if (missing && isCounted(index)) {
        add(`${source.name}: ${KINDS[kind].toLowerCase()} cost is not in this export${missing.length ? ` (no exact ${missing.join(", ")})` : ""}, so its charges are not in these amounts.`);
      }
    });
    const without = total(now.shown.filter((row) => amount(row) === null && !data.sources[row.source].missing[kind]), (row) => row.amounts[0]);
    if (without !== null && without !== 0n) {
      add(`The export states no ${KINDS[kind].toLowerCase()} cost for some charges, such as taxes, fees and credits. Groups of nothing else were billed ${exact(without)} and are not in these amounts.`, "info");
    }
    fill(byId("notes"), notes);
  }

  function drawMonths(now) {
    const groups = ranked(now.shown, state.breakdown, SHOWN_GROUPS);
    const body = [...now.months].reverse().map((month) => {
      const cost = total(now.shown.filter((row) => row.month === month));
      const before = total(now.rows.filter((row) => row.month === nextMonth(month, -1)));
      const missing = cost === null && !now.shown.some((row) => row.month === month);
      return el("tr", null, el("th", { scope: "row" }, month, missing ? el("span", { class: "id" }, "no charges") : null),
        amountCell(cost), changeCell(cost === null || before === null ? null : cost - before),
        groups.map((one) => amountCell(total(one.rows.filter((row) => row.month === month)))));
    });
    const foot = el("tr", null, el("th", { scope: "row" }, "Together"), amountCell(total(now.shown)), el("td", null),
      groups.map((one) => amountCell(total(one.rows))));
    fill(byId("months-body"),
      stackedMonths("months-chart", `Cost of ${now.months.length} months as stacked bars by ${state.breakdown.replace("_", "-")}; the table below has the numbers`, now.shown, state.breakdown, now.months),
      folded("Cost by month as a table", "months-table", table("Cost by month", [textColumn("Month"), numberColumn("Cost"), numberColumn("Change"), ...groups.map((one) => numberColumn(one.title))], body, foot)));
  }

  function drawDaily(now) {
    const colors = theme();
    const rows = DAILY.filter((row) => matches(row, ["source", ...GROUPS]));
    const of = (month) => groupBy(rows.filter((row) => row.month === month), (row) => (row.day.startsWith(month) ? Number(row.day.slice(8)) : 0));
    const [current, before] = [of(now.newest), of(now.before)];
    byId("daily-title").textContent = `Cost by day: ${monthTitle(now.newest)} and the month before`;
    if (!current.size) {
      fill(byId("daily-body"), el("p", { class: "quiet" }, `Days are kept of the newest two months of each source; ${now.newest} is not one of them.`));
      return;
    }
    const days = Array.from({ length: Math.max(daysOf(now.newest), daysOf(now.before)) }, (_, index) => index + 1);
    const trace = (month, groups, extra) => {
      let sum = null;
      const valueOf = (day) => {
        const cost = total(groups.get(day) || []);
        if (state.daily_as === "each") return cost;
        sum = plus(sum, cost);
        return sum;
      };
      const shown = days.filter((day) => day <= daysOf(month) && (groups.has(day) || day < Math.max(...groups.keys())));
      const values = shown.map(valueOf);
      return {
        name: monthTitle(month), x: shown, y: values.map(rough),
        customdata: shown.map((day, index) => hover(`${state.daily_as === "each" ? "" : "to "}${month}-${String(day).padStart(2, "0")}`, values[index])),
        hovertemplate: "%{customdata}<extra></extra>", ...extra,
      };
    };
    const traces = [trace(now.newest, current, { type: "bar", marker: { color: colors.accent } })];
    if (before.size) {
      traces.push(trace(now.before, before, { type: "scatter", mode: "lines+markers", line: { color: colors.rest, width: 2, shape: "hvh" }, marker: { size: 4 } }));
    }
    const body = days.map((day) => {
      const [one, other] = [current, before].map((groups) => total(groups.get(day) || []));
      return el("tr", null, el("th", { scope: "row" }, String(day)), amountCell(one), amountCell(other), changeCell(one === null || other === null ? null : one - other));
    });
    if (current.has(0) || before.has(0)) {
      body.push(el("tr", null, el("th", { scope: "row" }, "On other days"), amountCell(total(current.get(0) || [])), amountCell(total(before.get(0) || [])), el("td", null)));
    }
    const [one, other] = [current, before].map((groups) => total([...groups.values()].flat()));
    fill(byId("daily-body"),
      chart("daily-chart", `Cost of each day of ${monthTitle(now.newest)} as bars, and of ${monthTitle(now.before)} as a line; the table below has the numbers`, 300, traces, {
        showlegend: true, bargap: 0.2, xaxis: { showgrid: false, dtick: isNarrow() ? 5 : 1, range: [0.4, days.length + 0.6], tickangle: 0 }, yaxis: { tickformat: "~s", nticks: 6 },
      }),
      folded("Cost by day as a table", "daily-table", table("Cost by day", [textColumn("Day"), numberColumn(now.newest), numberColumn(now.before), numberColumn("Difference")], body,
        el("tr", null, el("th", { scope: "row" }, "Together"), amountCell(one), amountCell(other), changeCell(minus(one, other))))));
  }

  /** The newest month, the one before, their difference and the whole range, of each group. */
  function compared(now, group) {
    const of = (rows) => groupBy(rows, (row) => row[group]);
    const [newest, before, shown] = [of(now.inNewest), of(now.inBefore), of(now.shown)];
    const found = [...new Set([...shown.keys(), ...newest.keys()])].map((index) => {
      const [one, other, all] = [newest, before, shown].map((groups) => total(groups.get(index) || []));
      return { index, one, other, all, change: minus(one, other), isLast: isLast(group, index) };
    });
    const cost = (entry) => (entry.one === null ? -1n : size(entry.one));
    return found.sort((a, b) => a.isLast - b.isLast || (cost(a) < cost(b) ? 1 : cost(a) > cost(b) ? -1 : 0));
  }

  function bars(id, label, entries, now) {
    const colors = theme();
    const shown = entries.slice(0, SHOWN_BARS).reverse();
    const places = shown.map((_, index) => index);
    const trace = (month, values, color) => ({
      type: "bar", orientation: "h", name: month, y: places, x: values.map(rough),
      customdata: shown.map((entry, index) => hover(entry.title, values[index], monthTitle(month))),
      hovertemplate: "%{customdata}<extra></extra>", marker: { color },
    });
    const traces = [trace(now.newest, shown.map((entry) => entry.one), colors.accent)];
    if (now.inBefore.length) traces.unshift(trace(now.before, shown.map((entry) => entry.other), colors.before));
    return chart(id, label, 110 + shown.length * 34, traces, {
      barmode: "group", bargap: 0.3, bargroupgap: 0.05, showlegend: true,
      legend: { orientation: "h", traceorder: "reversed", x: 0, y: 1, yanchor: "bottom", itemclick: false, itemdoubleclick: false, font: { color: colors.ink } },
      xaxis: { tickformat: "~s", nticks: 5 },
      yaxis: { tickvals: places, ticktext: shown.map((entry) => short(entry.title)), showgrid: false, zeroline: false, tickfont: { color: colors.ink } },
    });
  }

  function drawWhere(now) {
    for (const group of ["service", "sub_account", "provider"]) {
      const title = { service: "By service", sub_account: "By sub-account", provider: "By provider" }[group];
      const entries = compared(now, group).map((entry) => ({ ...entry, title: nameOf(group, entry.index) }));
      const body = entries.map((entry) => el("tr", null, nameCell(group, entry.index), amountCell(entry.one), amountCell(entry.other), changeCell(entry.change), amountCell(entry.all)));
      const foot = el("tr", null, el("th", { scope: "row" }, "Together"), amountCell(total(now.inNewest)), amountCell(total(now.inBefore)), changeCell(minus(total(now.inNewest), total(now.inBefore))), amountCell(total(now.shown)));
      const more = entries.length > SHOWN_BARS ? `The ${SHOWN_BARS} costliest of ${entries.length}; the table has all.` : "";
      fill(byId(`where-${group}`), el("h3", null, title), more ? el("p", { class: "quiet" }, more) : null,
        bars(`where-${group}-chart`, `${title}: cost of ${monthTitle(now.newest)} and ${monthTitle(now.before)} as bars; the table below has the numbers`, entries, now),
        folded(`${title} as a table`, `where-${group}-table`, table(title, [textColumn("Name"), numberColumn(now.newest), numberColumn(now.before), numberColumn("Change"), numberColumn(`${now.months[0]} to ${now.newest}`)], body, foot)));
    }
  }

  function drawMovers(now) {
    const colors = theme();
    const pairs = new Map();
    for (const [place, rows] of [["one", now.inNewest], ["other", now.inBefore]]) {
      for (const row of rows) {
        const key = `${row.service}/${row.sub_account}`;
        if (!pairs.has(key)) pairs.set(key, { service: row.service, sub_account: row.sub_account, one: null, other: null });
        pairs.get(key)[place] = plus(pairs.get(key)[place], amount(row));
      }
    }
    const moved = [...pairs.values()].map((pair) => ({ ...pair, change: minus(pair.one, pair.other) }))
      .filter((pair) => pair.change !== null && pair.change !== 0n)
      .sort((a, b) => (size(a.change) < size(b.change) ? 1 : size(a.change) > size(b.change) ? -1 : 0)).slice(0, SHOWN_BARS);
    byId("movers-title").textContent = `Biggest movers: ${monthTitle(now.newest)} against ${monthTitle(now.before)}`;
    const isOpen = trustOf(now.newest).some((one) => one.complete === false);
    const note = isOpen ? el("p", { class: "notice" }, `${monthTitle(now.newest)} is not complete: what fell may only be on its way.`) : null;
    if (!now.inBefore.length || !moved.length) {
      fill(byId("movers-body"), note, el("p", { class: "quiet" }, now.inBefore.length ? "Nothing moved." : `There is no ${monthTitle(now.before)} to compare with.`));
      return;
    }
    const title = (pair) => `${nameOf("service", pair.service)} · ${nameOf("sub_account", pair.sub_account)}`;
    const shown = [...moved].reverse();
    const places = shown.map((_, index) => index);
    const traces = [{
      type: "bar", orientation: "h", y: places, x: shown.map((pair) => rough(pair.change)),
      customdata: shown.map((pair) => `${plain(title(pair))}<br>${plain(now.newest)}: ${exact(pair.one)}<br>${plain(now.before)}: ${exact(pair.other)}<br><b>${signed(pair.change)}</b> ${plain(nameOf("currency", state.currency))}`),
      hovertemplate: "%{customdata}<extra></extra>",
      marker: { color: shown.map((pair) => (pair.change > 0n ? colors.up : colors.down)) },
    }];
    const label = (pair) => (isNarrow() ? short(nameOf("service", pair.service)) : `${short(nameOf("service", pair.service))} · ${short(nameOf("sub_account", pair.sub_account))}`);
    const body = moved.map((pair) => el("tr", null, nameCell("service", pair.service), el("td", null, nameOf("sub_account", pair.sub_account), idOf("sub_account", pair.sub_account) ? el("span", { class: "id" }, idOf("sub_account", pair.sub_account)) : null), amountCell(pair.one), amountCell(pair.other), changeCell(pair.change),
      el("td", { class: "number" }, percent(pair.change, pair.other) || (pair.other === null ? "new" : ""))));
    fill(byId("movers-body"), note,
      chart("movers-chart", `The ${moved.length} biggest changes as bars; the table below has the numbers`, 60 + moved.length * 30, traces, {
        bargap: 0.35, xaxis: { tickformat: "~s", nticks: 6 },
        yaxis: { tickvals: places, ticktext: shown.map(label), showgrid: false, zeroline: false, tickfont: { color: colors.ink } },
      }),
      folded("Biggest movers as a table", "movers-table", table("Biggest movers", [textColumn("Service"), textColumn("Sub-account"), numberColumn(now.newest), numberColumn(now.before), numberColumn("Change"), numberColumn("In percent")], body)));
  }

  function drawKinds(now) {
    const colors = theme();
    const byMonth = groupBy(now.shown, (row) => row.month);
    const sums = data.kinds.map((_, kind) => now.months.map((month) => total(byMonth.get(month) || [], (row) => row.amounts[kind])));
    const styles = ["solid", "dash", "dot", "dashdot"];
    const symbols = ["circle", "square", "diamond", "triangle-up"];
    const shape = now.months.length < 3 ? { type: "bar" } : { type: "scatter", mode: "lines+markers" };
    const traces = data.kinds.map((kind, index) => ({
      ...shape, name: KINDS[kind], x: now.months,
      y: sums[index].map((value) => (value === null ? null : rough(value))),
      customdata: now.months.map((month, place) => hover(KINDS[kind], sums[index][place], monthTitle(month))),
      hovertemplate: "%{customdata}<extra></extra>",
      ...(shape.type === "bar" ? { marker: { color: colors.colors[index] } }
        : { line: { color: colors.colors[index], dash: styles[index], width: 2 }, marker: { symbol: symbols[index], size: 7 } }),
    })).filter((_, index) => sums[index].some((value) => value !== null));
    const missing = data.kinds.flatMap((kind) => {
      const without = data.sources.filter((source, index) => source.missing[kind] && isCounted(index));
      return without.length ? [`${KINDS[kind]} cost is not in the export of ${without.map((source) => source.name).join(", ")}.`] : [];
    });
    const body = [...now.months].reverse().map((month) => {
      const place = now.months.indexOf(month);
      return el("tr", null, el("th", { scope: "row" }, month), sums.map((values) => amountCell(values[place])));
    });
    fill(byId("kinds-body"),
      missing.length ? el("p", { class: "quiet" }, missing.join(" ")) : null,
      chart("kinds-chart", "Billed, effective, list and contracted cost by month as lines; the table below has the numbers", 300, traces, {
        showlegend: true, barmode: "group", bargap: gapOf(now.months), xaxis: { type: "category", nticks: Math.max(4, Math.floor(byId("main").clientWidth / 75)), showgrid: false, tickangle: 0 },
        yaxis: { tickformat: "~s", nticks: 6, rangemode: "tozero" },
      }),
      folded("Kinds of cost as a table", "kinds-table", table("Kinds of cost", [textColumn("Month"), ...data.kinds.map((kind) => numberColumn(KINDS[kind]))], body,
        el("tr", null, el("th", { scope: "row" }, "Together"), sums.map((values) => amountCell(values.reduce(plus, null)))))));
  }

  function drawTags(now) {
    const rows = TAGS.filter((row) => matches(row, ["source", "provider"]));
    const keys = [...new Set(rows.map((row) => row.tag_key))].sort((a, b) => a - b);
    if (!keys.includes(state.tag_key)) { state.tag_key = keys[0] ?? null; state.tag_value = null; }
    options("tag_key", keys.map((index) => [index, nameOf("tag_key", index)]), state.tag_key);
    if (state.tag_key === null) {
      options("tag_value", [["", "All"]], "");
      fill(byId("tags-body"), el("p", { class: "quiet" }, "No charge of this selection has a tag."));
      return;
    }
    const ofKey = rows.filter((row) => row.tag_key === state.tag_key);
    const values = [...new Set(ofKey.map((row) => row.tag_value))].sort((a, b) => isLast("tag_value", a) - isLast("tag_value", b) || nameOf("tag_value", a).localeCompare(nameOf("tag_value", b)));
    if (!values.includes(state.tag_value)) state.tag_value = null;
    options("tag_value", [["", "All"], ...values.map((index) => [index, nameOf("tag_value", index)])], state.tag_value ?? "");
    const chosen = ofKey.filter((row) => state.tag_value === null || row.tag_value === state.tag_value);
    const of = { shown: chosen.filter(inRange), inNewest: chosen.filter((row) => row.month === now.newest), inBefore: chosen.filter((row) => row.month === now.before) };
    const entries = compared(of, "tag_value");
    const body = entries.map((entry) => el("tr", null, nameCell("tag_value", entry.index), amountCell(entry.one), amountCell(entry.other), changeCell(entry.change), amountCell(entry.all)));
    const foot = el("tr", null, el("th", { scope: "row" }, "Together"), amountCell(total(of.inNewest)), amountCell(total(of.inBefore)), changeCell(minus(total(of.inNewest), total(of.inBefore))), amountCell(total(of.shown)));
    const apart = state.service !== null || state.sub_account !== null;
    fill(byId("tags-body"),
      el("p", { class: apart ? "notice" : "quiet" }, apart
        ? "Tags are summed over all services and sub-accounts: those two filters are not applied here."
        : "Follows every filter but service and sub-account."),
      stackedMonths("tags-chart", `Cost by month and value of the tag ${nameOf("tag_key", state.tag_key)} as stacked bars; the table below has the numbers`, of.shown, "tag_value", now.months),
      folded("Cost by tag as a table", "tags-table", table(`Cost by the tag ${nameOf("tag_key", state.tag_key)}`, [textColumn("Value"), numberColumn(now.newest), numberColumn(now.before), numberColumn("Change"), numberColumn(`${now.months[0]} to ${now.newest}`)], body, foot)));
  }

  // ---- Trust.

  const AGREEMENTS = {
    equal: ["good", "Equal"], different: ["bad", "Different"], rows_only: ["good", "Rows equal"], unrecorded: ["warn", "No record"],
  };
  const STATES = { held: ["warn", "Held"], waiting: ["warn", "Waiting"], new: ["neutral", "Not loaded yet"] };
  const COMPLETE = new Map([[true, "complete"], [false, "not complete"], [null, "unknown"]]);
  const pill = ([tone, title]) => el("span", { class: `pill ${tone}` }, title);
  const sourceCell = (index) => el("td", null, data.sources[index].name);

  function freshness(isShown) {
    const rows = data.trust.freshness.filter(isShown).map((one) => {
      const source = data.sources[one.source];
      return el("tr", null,
        el("th", { scope: "row" }, source.name, el("span", { class: "id" }, `${source.table}, ${source.warehouse}`)),
        el("td", null, one.newest_month || "nothing loaded"), el("td", null, one.newest_month ? moment(one.submitted_at) : "–"),
        el("td", null, one.newest_month ? moment(one.loaded_at) : "–"),
        el("td", null, one.store_error ? `Store not read: ${one.store_error}` : one.store_submitted_at ? moment(one.store_submitted_at) : "no runs",
          one.unreadable.map((why) => el("span", { class: "id" }, `Cannot be read: ${why}`))));
    });
    return [el("h3", null, "Freshness"), table("Freshness of each source", [textColumn("Source"), textColumn("Newest month"), textColumn("Newest loaded run was made"), textColumn("Last load"), textColumn("Newest run in the store")], rows)];
  }

  function agreement(isShown) {
    const months = data.trust.months.filter(isShown).sort((a, b) => (a.month < b.month ? 1 : a.month > b.month ? -1 : a.source - b.source));
    if (!months.length) return [];
    const rows = months.map((one) => {
      const differing = one.amounts.filter((entry) => parse(entry[4]) !== 0n);
      const shown = one.agreement === "different" || one.agreement === "unrecorded"
        ? [one.rows !== null && one.rows !== one.held_rows ? el("span", { class: "id" }, `rows differ by ${one.held_rows - one.rows}`) : null,
          differing.map((entry) => el("span", { class: "id" }, `${entry[0] || "no currency"} ${entry[1]} differs by ${signed(parse(entry[4]))}`))]
        : [el("span", { class: "id" }, one.amounts.length ? `${one.amounts.length} totals equal` : "no totals recorded")];
      return el("tr", null, el("th", { scope: "row" }, one.month, el("span", { class: "id" }, COMPLETE.get(one.complete))), sourceCell(one.source),
        el("td", { class: "number" }, one.rows === null ? "–" : whole(one.rows)), el("td", { class: "number" }, whole(one.held_rows)),
        el("td", null, pill(AGREEMENTS[one.agreement]), shown),
        el("td", null, moment(one.submitted_at), el("span", { class: "id run" }, `loaded ${moment(one.loaded_at)}`), one.run_id ? el("span", { class: "id run" }, `run ${one.run_id}`) : null));
    });
    const amounts = months.flatMap((one) => one.amounts.map(([currency, column, recorded, held, difference]) => el("tr", null,
      el("th", { scope: "row" }, one.month), sourceCell(one.source), el("td", null, currency || "no currency"), el("td", null, column),
      amountCell(parse(recorded)), amountCell(parse(held)), changeCell(parse(difference)))));
    return [el("h3", null, "Reconciliation"),
      el("p", { class: "quiet" }, "What each load recorded in the ledger, against what the table holds now."),
      table("Reconciliation of each month", [textColumn("Month"), textColumn("Source"), numberColumn("Rows recorded"), numberColumn("Rows in the table"), textColumn("Verdict"), textColumn("Run made")], rows),
      amounts.length ? folded("Every total that was compared", "agreement-amounts", table("Totals recorded and held", [textColumn("Month"), textColumn("Source"), textColumn("Currency"), textColumn("Column"), numberColumn("Recorded"), numberColumn("In the table"), numberColumn("Difference")], amounts)) : null];
  }

  function gapsAndRuns(isShown) {
    const missing = data.trust.missing.filter(isShown);
    const pending = data.trust.pending.filter(isShown);
    const unread = data.trust.freshness.filter((one) => isShown(one) && one.store_error);
    const rows = pending.map((one) => el("tr", null, el("th", { scope: "row" }, one.month), sourceCell(one.source), el("td", null, pill(STATES[one.state])),
      el("td", null, moment(one.submitted_at), el("span", { class: "id" }, `run ${one.run_id}`)), el("td", null, one.detail)));
    return [el("h3", null, "Missing months, held and waiting runs"),
      !data.trust.months.length ? null : el("p", { class: missing.length ? "notice" : "quiet" }, missing.length
        ? `Missing in between: ${missing.map((one) => `${one.month} (${data.sources[one.source].name})`).join(", ")}`
        : "No month is missing in between."),
      unread.map((one) => el("p", { class: "notice" }, `${data.sources[one.source].name}: store not read. ${one.store_error}`)),
      pending.length ? table("Runs that are not loaded", [textColumn("Month"), textColumn("Source"), textColumn("State"), textColumn("Made"), textColumn("Why")], rows)
        : unread.length < data.trust.freshness.filter(isShown).length ? el("p", { class: "quiet" }, "No run in the stores that were read is held, waiting, or newer than what is loaded.") : null];
  }

  function closings(isShown) {
    if (!data.trust.months.length) return [];
    const found = data.trust.closings.filter(isShown).sort((a, b) => (a.month < b.month ? 1 : -1));
    const rows = found.map((one) => el("tr", null, el("th", { scope: "row" }, one.month), sourceCell(one.source), el("td", null, one.currency || "no currency"),
      el("td", { class: "number" }, whole(one.loads)), amountCell(parse(one.first)),
      one.closed === null ? el("td", { class: "number" }, "not closed") : amountCell(parse(one.closed)), amountCell(parse(one.now)), changeCell(parse(one.moved))));
    const told = found.filter((one) => one.moved !== null && parse(one.moved) !== 0n).map((one) => el("li", null,
      `${one.month} closed at ${exact(parse(one.closed))}, now ${exact(parse(one.now))}, ${signed(parse(one.moved))} ${one.currency} (${data.sources[one.source].name})`));
    return [el("h3", null, "How closed months moved"),
      el("p", { class: "quiet" }, "Billed totals of months that were loaded more than once. A month closes with its first run made after it had ended."),
      told.length ? el("ul", { class: "plain", id: "moved" }, told) : el("p", null, found.length ? "No month moved after it had closed." : "Every month was loaded once."),
      found.length ? table("How months moved", [textColumn("Month"), textColumn("Source"), textColumn("Currency"), numberColumn("Loads"), numberColumn("First"), numberColumn("Closed at"), numberColumn("Now"), numberColumn("Since it closed")], rows) : null];
  }

  function drawTrust() {
    const isShown = (one) => state.source === null || one.source === state.source;
    fill(byId("trust-body"), [freshness, agreement, gapsAndRuns, closings].flatMap((part) => part(isShown)).flat().filter(Boolean));
  }

  function drawEmpty() {
    const node = byId("empty");
    const broken = data.sources.filter((source) => source.error);
    fill(node, el("h2", { id: "empty-title" }, broken.length ? "The warehouse could not be read" : "Nothing is loaded yet"),
      broken.map((source) => el("p", { class: "notice" }, `${source.name}: ${source.error}`)),
      el("p", null, "Load the bill, and then draw this page again:"),
      el("pre", { tabindex: "0", "aria-label": "Commands" }, el("code", null, "cloudbill load\ncloudbill report --open")),
      el("p", { class: "quiet" }, data.sources.length ? `Configured: ${data.sources.map((source) => `${source.name} into ${source.table} (${source.warehouse})`).join("; ")}` : "No source is configured."));
    node.hidden = false;
    byId("filters").hidden = true;
    for (const id of ["headline", "months", "daily", "where", "movers", "kinds", "tags"]) byId(id).hidden = true;
    byId("contents").hidden = true;
    drawTrust();
  }

  function draw() {
    if (!COSTS.length) { drawEmpty(); return; }
    forget();
    fillFilters();
    const now = selection();
    const isEmpty = !now.newest;
    for (const id of ["months", "daily", "where", "movers", "kinds", "tags"]) byId(id).hidden = isEmpty;
    byId("headline").hidden = isEmpty;
    drawBadge();
    drawNotes(now);
    drawTrust();
    if (isEmpty) {
      byId("notes").append(el("p", { class: "notice", id: "nothing" }, "No charge matches these filters."));
      byId("status").textContent = "No charge matches these filters.";
      return;
    }
    drawHeadline(now);
    drawMonths(now);
    drawDaily(now);
    drawWhere(now);
    drawMovers(now);
    drawKinds(now);
    drawTags(now);
    drawCharts();
    byId("status").textContent = `${monthTitle(now.newest)}: ${exact(total(now.inNewest))} ${nameOf("currency", state.currency)}; all months shown: ${exact(total(now.shown))}`;
  }

  byId("made").textContent = `Made ${moment(data.made_at)} from ${data.sources.map((source) => source.name).join(", ")}`;
  byId("folded").textContent = COSTS.length
    ? `To stay small, this page keeps at most ${data.folded.names} services, sub-accounts and providers of each currency by name, the ${data.folded.tag_keys} costliest tag keys and ${data.folded.tag_values} values of each; all others are summed exactly as "All others", so totals are whole. Days are kept of the newest two months of each source.`
    : "";
  startOver();
  listen();
  draw();
})();
