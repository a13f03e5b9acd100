// The section "Cost by month".

function drawMonths(now) {
  const groups = ranked(now.shown, state.breakdown, SHOWN_GROUPS);
  const body = [...now.months].reverse().map((month) => {
    const cost = total(now.shown.filter((row) => row.month === month));
    const before = total(now.rows.filter((row) => row.month === nextMonth(month, -1)));
    const parts = groups.map((one) => total(one.rows.filter((row) => row.month === month)));
    const missing = cost === null && !now.shown.some((row) => row.month === month);
    return el("tr", null, inFile(el("th", { scope: "row" }, month, missing ? el("span", { class: "id" }, "no charges") : null), month),
      amountCell(cost, parts), changeCell(cost === null || before === null ? null : cost - before),
      parts.map((part) => amountCell(part)));
  });
  const foot = el("tr", null, el("th", { scope: "row" }, "Together"), amountCell(total(now.shown), groups.map((one) => total(one.rows))), el("td", null),
    groups.map((one) => amountCell(total(one.rows))));
  fill(byId("months-body"),
    stackedMonths("months-chart", `Cost of ${now.months.length} months as stacked bars by ${state.breakdown.replace("_", "-")}; the table below has the numbers`, now.shown, state.breakdown, now.months),
    folded("Cost by month as a table", "months-table", table("Cost by month", [textColumn("Month"), numberColumn("Cost"), numberColumn("Change"), ...groups.map((one) => ({ ...numberColumn(one.title), isName: true }))], body, foot)));
}
