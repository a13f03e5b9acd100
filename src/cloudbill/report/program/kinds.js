// The section "Billed, effective, list and contracted".

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
  data.sources.forEach((source, index) => {
    if (!isCounted(index)) return;
    for (const kind of data.kinds) {
      if (source.derived[kind] && !source.missing[kind]) missing.push(`${KINDS[kind]} cost of ${source.name} is derived: ${source.derived[kind]}.`);
    }
  });
  const body = [...now.months].reverse().map((month) => {
    const place = now.months.indexOf(month);
    return el("tr", null, el("th", { scope: "row" }, month), sums.map((values) => amountCell(values[place])));
  });
  fill(byId("kinds-body"),
    missing.length ? el("p", { class: "quiet" }, missing.join(" ")) : null,
    chart("kinds-chart", "Billed, effective, list and contracted cost by month as lines; the table below has the numbers", 300, traces, {
      showlegend: true, barmode: "group", bargap: gapOf(now.months), xaxis: { type: "category", nticks: Math.max(4, Math.floor(byId("main").clientWidth / 75)), showgrid: false, tickangle: 0 },
      yaxis: { nticks: 6, rangemode: "tozero" },
    }),
    folded("Kinds of cost as a table", "kinds-table", table("Kinds of cost", [textColumn("Month"), ...data.kinds.map((kind) => numberColumn(KINDS[kind]))], body,
      el("tr", null, el("th", { scope: "row" }, "Together"), sums.map((values) => amountCell(values.reduce(plus, null)))), "")));
}
