// The section "Cost by day".

const dailyRows = () => DAILY.filter((row) => matches(row, ["source", ...GROUPS]));
const isPurchase = { all: () => false, without_once: (row) => row.purchase === "once", without_any: (row) => row.purchase !== "" };
/** Whether the switch leaves a row out: a purchase that happens once, or any purchase. */
const isLeftOut = (row) => isPurchase[state.charges](row);
const LEFT_OUT = { without_once: "one-time purchases", without_any: "purchases" };

/** What is said of purchases: how much they are, and whether they are left out. */
function purchaseNote(rows, now) {
  const counts = state.charges === "all" ? isPurchase.without_any : isLeftOut;
  const currency = nameOf("currency", state.currency);
  const said = (wanted) => {
    const [one, other] = [now.newest, now.before].map((month) => total(rows.filter((row) => row.month === month && wanted(row))));
    return one === null && other === null ? null
      : [amountNode(one ?? 0n), ` ${currency} in ${monthTitle(now.newest)}`, other === null ? "" : [" and ", amountNode(other), ` ${currency} in ${monthTitle(now.before)}`]];
  };
  const [counted, once, recurring] = [counts, isPurchase.without_once, (row) => row.purchase === "recurring"].map(said);
  if (!once && !recurring) return null;
  const each = [["One-time", once], ["Recurring", recurring]].filter(([, one]) => one);
  const texts = {
    all: () => ["Purchases are in it: ", counted, ".", each.map(([title, one]) => [` ${title}: `, one, "."])],
    without_once: () => [counted ? ["Left out: one-time purchases of ", counted, "."] : "There is no one-time purchase to leave out.",
      recurring ? [" Recurring purchases are still in it: ", recurring, "."] : ""],
    without_any: () => ["Left out: purchases of ", counted, "."],
  };
  return el("p", { class: "quiet", id: "purchase-note" }, texts[state.charges]());
}

function drawDaily(now) {
  const colors = theme();
  const all = dailyRows();
  const rows = all.filter((row) => !isLeftOut(row));
  const of = (month) => groupBy(rows.filter((row) => row.month === month), (row) => (row.day.startsWith(month) ? Number(row.day.slice(8)) : 0));
  const [current, before] = [of(now.newest), of(now.before)];
  byId("daily-title").textContent = `Cost by day: ${monthTitle(now.newest)} and the month before`;
  const note = purchaseNote(all, now);
  const isNothing = [...current.values()].every((some) => total(some) === null);
  if (isNothing && all.some((row) => row.month === now.newest && isLeftOut(row))) {
    fill(byId("daily-body"), el("p", { class: "quiet" }, `Without ${LEFT_OUT[state.charges]}, nothing is left of ${monthTitle(now.newest)}.`), note);
    return;
  }
  if (!current.size) {
    fill(byId("daily-body"), el("p", { class: "quiet" }, `Days are kept only for the newest two months of each source; ${now.newest} is not one of them.`));
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
    return el("tr", null, el("th", { scope: "row" }, String(day)), amountCell(one), amountCell(other), changeCell(one === null || other === null ? null : one - other, changed(one, other)));
  });
  if (current.has(0) || before.has(0)) {
    body.push(el("tr", null, el("th", { scope: "row" }, "On other days"), amountCell(total(current.get(0) || [])), amountCell(total(before.get(0) || [])), el("td", null)));
  }
  const [one, other] = [current, before].map((groups) => total([...groups.values()].flat()));
  fill(byId("daily-body"), note,
    chart("daily-chart", `Cost of each day of ${monthTitle(now.newest)} as bars, and of ${monthTitle(now.before)} as a line; the table below has the numbers`, 300, traces, {
      showlegend: true, bargap: 0.2, xaxis: { showgrid: false, dtick: isNarrow() ? 5 : 1, range: [0.4, days.length + 0.6], tickangle: 0 }, yaxis: { nticks: 6 },
    }),
    folded("Cost by day as a table", "daily-table", table("Cost by day", [textColumn("Day"), numberColumn(now.newest), numberColumn(now.before), numberColumn("Difference")], body,
      el("tr", null, el("th", { scope: "row" }, "Together"), amountCell(one), amountCell(other), changeCell(minus(one, other), changed(one, other))))));
}
