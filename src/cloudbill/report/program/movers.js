// The section "Biggest movers".

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
  const note = isOpen ? el("p", { class: "notice" }, `${monthTitle(now.newest)} is not complete: costs that fell may not have been delivered yet.`) : null;
  if (!now.inBefore.length || !moved.length) {
    fill(byId("movers-body"), note, el("p", { class: "quiet" }, now.inBefore.length ? "Nothing moved." : `There is no ${monthTitle(now.before)} to compare with.`));
    return;
  }
  const title = (pair) => `${nameOf("service", pair.service)} · ${titleOf("sub_account", pair.sub_account)}`;
  const shown = [...moved].reverse();
  const places = shown.map((_, index) => index);
  const traces = [{
    type: "bar", orientation: "h", y: places, x: shown.map((pair) => rough(pair.change)),
    customdata: shown.map((pair) => `${plain(title(pair))}<br>${plain(now.newest)}: ${exact(pair.one)}<br>${plain(now.before)}: ${exact(pair.other)}<br><b>${signed(pair.change)}</b> ${plain(nameOf("currency", state.currency))}`),
    hovertemplate: "%{customdata}<extra></extra>",
    marker: { color: shown.map((pair) => (pair.change > 0n ? colors.up : colors.down)) },
  }];
  const label = (pair) => (isNarrow() ? short(nameOf("service", pair.service)) : `${short(nameOf("service", pair.service))} · ${short(titleOf("sub_account", pair.sub_account))}`);
  const body = moved.map((pair) => el("tr", null, nameCell("service", pair.service), nameCell("sub_account", pair.sub_account, "td"), amountCell(pair.one), amountCell(pair.other), changeCell(pair.change, changed(pair.one, pair.other)),
    percentCell(percent(pair.change, pair.other) || (pair.other === null ? "new" : ""))));
  fill(byId("movers-body"), note,
    chart("movers-chart", `The ${moved.length} biggest changes as bars; the table below has the numbers`, 60 + moved.length * 30, traces, {
      bargap: 0.35, xaxis: { nticks: 6 },
      yaxis: { tickvals: places, ticktext: shown.map(label), showgrid: false, zeroline: false, tickfont: { color: colors.ink } },
    }),
    folded("Biggest movers as a table", "movers-table", table("Biggest movers", [textColumn("Service"), nameColumn("Sub-account", "sub_account"), numberColumn(now.newest), numberColumn(now.before), numberColumn("Change"), percentColumn("In percent")], body)));
}
