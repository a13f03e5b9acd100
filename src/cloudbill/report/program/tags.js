// The section "Cost by tag".

function drawTags(now) {
  const rows = TAGS.filter((row) => matches(row, ["source", "provider"]));
  const keys = [...new Set(rows.map((row) => row.tag_key))].sort((a, b) => a - b);
  if (!keys.includes(state.tag_key)) state.tag_key = null;
  const shownKey = state.tag_key ?? keys[0] ?? null;
  options("tag_key", keys.map((index) => [index, nameOf("tag_key", index)]), shownKey);
  if (shownKey === null) {
    options("tag_value", [["", "All"]], "");
    fill(byId("tags-body"), el("p", { class: "quiet" }, "No charge of this selection has a tag."));
    return;
  }
  const ofKey = rows.filter((row) => row.tag_key === shownKey);
  const values = [...new Set(ofKey.map((row) => row.tag_value))].sort((a, b) => isLast("tag_value", a) - isLast("tag_value", b) || nameOf("tag_value", a).localeCompare(nameOf("tag_value", b)));
  if (!values.includes(state.tag_value)) state.tag_value = null;
  options("tag_value", [["", "All"], ...values.map((index) => [index, nameOf("tag_value", index)])], state.tag_value ?? "");
  const chosen = ofKey.filter((row) => state.tag_value === null || row.tag_value === state.tag_value);
  const of = { shown: chosen.filter(inRange), inNewest: chosen.filter((row) => row.month === now.newest), inBefore: chosen.filter((row) => row.month === now.before) };
  const entries = compared(of, "tag_value");
  const body = entries.map((entry) => el("tr", null, nameCell("tag_value", entry.index), amountCell(entry.one), amountCell(entry.other), changeCell(entry.change, changed(entry.one, entry.other)), amountCell(entry.all)));
  const foot = el("tr", null, el("th", { scope: "row" }, "Together"), amountCell(total(of.inNewest)), amountCell(total(of.inBefore)), changeCell(minus(total(of.inNewest), total(of.inBefore)), changed(total(of.inNewest), total(of.inBefore))), amountCell(total(of.shown)));
  const apart = state.service !== null || state.sub_account !== null;
  fill(byId("tags-body"),
    el("p", { class: apart ? "notice" : "quiet" }, apart
      ? "Tags are summed over all services and sub-accounts: those two filters are not applied here."
      : "All filters apply except service and sub-account."),
    stackedMonths("tags-chart", `Cost by month and value of the tag ${nameOf("tag_key", shownKey)} as stacked bars; the table below has the numbers`, of.shown, "tag_value", now.months),
    folded("Cost by tag as a table", "tags-table", table(`Cost by the tag ${nameOf("tag_key", shownKey)}`, [textColumn("Value"), numberColumn(now.newest), numberColumn(now.before), numberColumn("Change"), numberColumn(`${now.months[0]} to ${now.newest}`)], body, foot)));
}
