// The section "Where it goes".

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
    xaxis: { nticks: isPrinted || isNarrow() ? 3 : 5, tickangle: 0 },
    yaxis: { tickvals: places, ticktext: shown.map((entry) => short(entry.title)), showgrid: false, zeroline: false, tickfont: { color: colors.ink } },
  });
}

function drawWhere(now) {
  whereCard(now, "service", "By service");
  whereCard(now, "sub_account", "By sub-account");
  whereCard(now, "provider", "By provider");
}

function whereCard(now, group, title) {
  const entries = compared(now, group).map((entry) => ({ ...entry, title: titleOf(group, entry.index) }));
  const body = entries.map((entry) => el("tr", null, nameCell(group, entry.index), amountCell(entry.one), amountCell(entry.other), changeCell(entry.change, changed(entry.one, entry.other)), amountCell(entry.all)));
  const foot = el("tr", null, el("th", { scope: "row" }, "Together"), amountCell(total(now.inNewest)), amountCell(total(now.inBefore)), changeCell(minus(total(now.inNewest), total(now.inBefore)), changed(total(now.inNewest), total(now.inBefore))), amountCell(total(now.shown)));
  const more = entries.length > SHOWN_BARS ? `The ${SHOWN_BARS} costliest of ${entries.length}; the table has all.` : "";
  fill(byId(`where-${group}`), el("h3", null, title), more ? el("p", { class: "quiet" }, more) : null,
    bars(`where-${group}-chart`, `${title}: cost of ${monthTitle(now.newest)} and ${monthTitle(now.before)} as bars; the table below has the numbers`, entries, now),
    folded(`${title} as a table`, `where-${group}-table`, table(title, [nameColumn("Name", group), numberColumn(now.newest), numberColumn(now.before), numberColumn("Change"), numberColumn(`${now.months[0]} to ${now.newest}`)], body, foot)));
}
