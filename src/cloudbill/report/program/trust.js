// The section "How far to trust it".

const AGREEMENTS = {
  equal: ["good", "Equal"], different: ["bad", "Different"], rows_only: ["good", "Rows equal"], unrecorded: ["warn", "No record"],
};
const STATES = { held: ["warn", "Held"], waiting: ["warn", "Waiting"], new: ["neutral", "Not loaded yet"], again: ["warn", "To be loaded again"], failed: ["bad", "Failed"], gone: ["neutral", "Gone"] };
const COMPLETE = new Map([[true, "complete"], [false, "not complete"], [null, "unknown"]]);
const pill = ([tone, title]) => el("span", { class: `pill ${tone}` }, title);
const sourceCell = (index) => el("td", null, data.sources[index].name);

const timeCell = (time) => inFile(el("td", null, time ? moment(time) : "–"), time ? moment(time) : "");

function freshness(isShown) {
  const rows = data.trust.freshness.filter(isShown).map((one) => {
    const source = data.sources[one.source];
    return el("tr", null,
      inFile(el("th", { scope: "row" }, source.name, el("span", { class: "id" }, [source.table, source.warehouse].filter(Boolean).join(", "))), source.name, source.table, source.warehouse),
      inFile(el("td", null, one.newest_month || "nothing loaded"), one.newest_month || ""), timeCell(one.newest_month && one.submitted_at), timeCell(one.newest_month && one.loaded_at),
      inFile(el("td", null, one.store_error ? `Store not read: ${one.store_error}` : one.store_submitted_at ? moment(one.store_submitted_at) : "no runs",
        one.is_stale ? el("span", { class: "pill warn" }, "Older than max_age") : null,
        one.unreadable.map((why) => el("span", { class: "id" }, `Cannot be read: ${why}`))),
      one.store_submitted_at ? moment(one.store_submitted_at) : "", one.is_stale ? "yes" : "no", one.store_error ?? "", { number: String(one.unreadable.length) }));
  });
  return [el("h3", null, "Freshness"), table("Freshness of each source", [fieldsColumn("Source", "Source", "Table", "Warehouse"), textColumn("Newest month"), textColumn("Newest loaded run was made"), textColumn("Last load"),
    fieldsColumn("Newest run in the store", "Newest run in the store", "Older than max_age", "Store not read", "Runs that cannot be read")], rows)];
}

function agreement(isShown) {
  const months = data.trust.months.filter(isShown).sort((a, b) => (a.month < b.month ? 1 : a.month > b.month ? -1 : a.source - b.source));
  const odd = data.trust.of_no_month.filter(isShown).map((one) => el("p", { class: "notice of-no-month" },
    `${data.sources[one.source].name}: the table holds ${whole(one.rows)} ${one.rows === 1 ? "row" : "rows"} of no month, which are in no amount here. \`cloudbill doctor\` says how to see them.`));
  if (!months.length) return odd;
  const rows = months.map((one) => {
    const differing = one.amounts.filter((entry) => parse(entry[4]) !== 0n);
    const shown = one.agreement === "different" || one.agreement === "unrecorded"
      ? [one.rows !== null && one.rows !== one.held_rows ? el("span", { class: "id" }, `rows differ by ${one.held_rows - one.rows}`) : null,
        differing.map((entry) => el("span", { class: "id" }, `${entry[0] || "no currency"} ${entry[1]} differs by ${signed(parse(entry[4]))}`))]
      : [el("span", { class: "id" }, one.amounts.length ? `${one.amounts.length} totals equal` : "no totals recorded")];
    return el("tr", null, inFile(el("th", { scope: "row" }, one.month, el("span", { class: "id" }, COMPLETE.get(one.complete))), one.month, COMPLETE.get(one.complete)), sourceCell(one.source),
      one.rows === null ? inFile(el("td", { class: "number" }, "–"), "") : countCell(one.rows), countCell(one.held_rows),
      inFile(el("td", null, pill(AGREEMENTS[one.agreement]), shown), AGREEMENTS[one.agreement][1], { number: String(one.amounts.length) }, { number: String(differing.length) }),
      inFile(el("td", null, moment(one.submitted_at), el("span", { class: "id run" }, `loaded ${moment(one.loaded_at)}`), one.run_id ? el("span", { class: "id run" }, `run ${one.run_id}`) : null),
        moment(one.submitted_at), moment(one.loaded_at), one.run_id ?? ""));
  });
  // What differs may do so in its last digit.
  const amounts = months.flatMap((one) => one.amounts.map((entry) => [entry, parse(entry[4]) === 0n ? rounded : exact]).map(([[currency, column, recorded, held, difference], show]) => el("tr", null,
    el("th", { scope: "row" }, one.month), sourceCell(one.source), el("td", null, currency || "no currency"), el("td", null, column),
    amountCell(parse(recorded), null, show), amountCell(parse(held), null, show), changeCell(parse(difference), null, show))));
  return [el("h3", null, "Reconciliation"),
    el("p", { class: "quiet" }, "What each load recorded in the ledger, compared with what the table holds now."),
    odd,
    table("Reconciliation of each month", [fieldsColumn("Month", "Month", "Complete"), textColumn("Source"), numberColumn("Rows recorded"), numberColumn("Rows in the table"),
      fieldsColumn("Verdict", "Verdict", "Totals compared", "Totals that differ"), fieldsColumn("Run made", "Run made", "Loaded", "Run")], rows),
    amounts.length ? folded("Every total that was compared", "agreement-amounts", table("Totals recorded and in the table", [textColumn("Month"), textColumn("Source"), textColumn("Currency"), textColumn("Column"), numberColumn("Recorded"), numberColumn("In the table"), numberColumn("Difference")], amounts)) : null];
}

function gapsAndRuns(isShown) {
  const missing = data.trust.missing.filter(isShown);
  const pending = data.trust.pending.filter(isShown);
  const unread = data.trust.freshness.filter((one) => isShown(one) && one.store_error);
  const rows = pending.map((one) => el("tr", null, el("th", { scope: "row" }, one.month), sourceCell(one.source), el("td", null, pill(STATES[one.state])),
    inFile(el("td", null, moment(one.submitted_at), el("span", { class: "id" }, `run ${one.run_id}`)), moment(one.submitted_at), one.run_id), el("td", null, one.detail)));
  return [el("h3", null, "What is open: missing months, failed loads, held and waiting runs"),
    !data.trust.months.length ? null : el("p", { class: missing.length ? "notice" : "quiet" }, missing.length
      ? `Missing in between: ${missing.map((one) => `${one.month} (${data.sources[one.source].name})`).join(", ")}`
      : "No month is missing in between."),
    data.trust.uncovered.filter(isShown).map((one) => el("p", { class: "notice uncovered" }, `${data.sources[one.source].name}: no run covers ${one.days}, so these days are not in ${one.month}.`)),
    data.trust.failures.filter(isShown).map((one) => el("p", { class: "notice failure" }, `${sourceName(one)}: the last load of ${one.month === null ? "it" : `${one.month} (run ${one.run_id})`} failed ${moment(one.at)}. ${one.message}`)),
    data.trust.open.filter(isShown).map((one) => el("p", { class: "notice open" }, `${sourceName(one)}: ${one.message}`)),
    data.trust.pins.filter(isShown).map((one) => el("p", { class: "notice info pin" }, `${sourceName(one)}: ${pinLine(one)}. \`cloudbill load ${sourceName(one)} --month ${one.month} --release\` ends that.`)),
    unread.map((one) => el("p", { class: "notice" }, `${sourceName(one)}: the store was not read, so which runs are held or waiting is not known. ${one.store_error}`)),
    pending.length ? table("Runs that are not loaded", [textColumn("Month"), textColumn("Source"), textColumn("State"), fieldsColumn("Made", "Made", "Run"), textColumn("Why")], rows)
      : unread.length < data.trust.freshness.filter(isShown).length ? el("p", { class: "quiet" }, "No run in the stores that were read is held, waiting, gone, or newer than what is loaded.") : null];
}

function closings(isShown) {
  if (!data.trust.months.length) return [];
  const found = data.trust.closings.filter(isShown).sort((a, b) => (a.month < b.month ? 1 : -1));
  const rows = found.map((one) => el("tr", null, el("th", { scope: "row" }, one.month), sourceCell(one.source), el("td", null, one.currency || "no currency"),
    countCell(one.loads), amountCell(parse(one.first)),
    one.closed === null ? el("td", { class: "number" }, "not closed") : amountCell(parse(one.closed)), amountCell(parse(one.now)), changeCell(parse(one.moved), one.moved === null ? null : changed(parse(one.now), parse(one.closed)))));
  const told = found.filter((one) => one.moved !== null && parse(one.moved) !== 0n).map((one) => el("li", null,
    `${one.month} closed at `, amountNode(parse(one.closed)), ", now ", amountNode(parse(one.now)), ", ", amountNode(parse(one.moved), "+"), ` ${one.currency} (${data.sources[one.source].name})`));
  return [el("h3", null, "How closed months moved"),
    el("p", { class: "quiet" }, "Billed totals of months that were loaded more than once. A month closes with its first run made after it had ended."),
    told.length ? el("ul", { class: "plain", id: "moved" }, told) : el("p", null, found.length ? "No month moved after it had closed." : "Every month was loaded once."),
    found.length ? table("How months moved", [textColumn("Month"), textColumn("Source"), textColumn("Currency"), numberColumn("Loads"), numberColumn("First"), numberColumn("Closed at"), numberColumn("Now"), numberColumn("Since it closed")], rows) : null];
}

function viewed(isShown) {
  if (!data.views.length) return [];
  const left = data.trust.left_out.filter(isShown);
  const faults = data.trust.faults.filter(isShown);
  const currencies = [...new Set(faults.flatMap((one) => one.costs.map(([currency]) => currency)))].sort();
  const costOf = (one, wanted) => one.costs.find(([currency]) => currency === wanted)?.[1];
  const rows = faults.map((one) => el("tr", null, inFile(el("th", { scope: "row" }, one.title, el("span", { class: "id" }, one.rule)), one.title, one.rule), sourceCell(one.source),
    countCell(one.rows), inFile(el("td", null, one.months.length > 1 ? `${one.months[0]} to ${one.months.at(-1)}` : one.months.join("")), one.months[0] ?? "", one.months.at(-1) ?? ""),
    inFile(el("td", { class: "number" }, one.costs.length ? one.costs.map(([currency, cost]) => el("div", null, amountNode(parse(cost)), ` ${currency || "no currency"}`)) : "–"),
      ...currencies.map((currency) => ({ number: plainAmount(parse(costOf(one, currency))) }))), el("td", null, one.remedy)));
  return [el("h3", null, "What counts, and what is odd in the charges"),
    el("p", { class: "quiet" }, `${data.views.join(" and ")} ${data.views.length > 1 ? "have" : "has"} every charge once, as FOCUS.`),
    left.map((one) => el("p", { class: "quiet left-out" }, `${data.sources[one.source].name} is left out of it for ${one.months.length > 1 ? `${one.months[0]} to ${one.months.at(-1)} (${one.months.length} months)` : one.months[0]}, because ${one.counts} has the same charges.`)),
    faults.length ? table("Rules that name charges", [fieldsColumn("Rule", "Rule", "Name of the rule"), textColumn("Source"), numberColumn("Charges"), fieldsColumn("Months", "First month", "Last month"),
      { ...numberColumn("Billed"), fields: currencies.map((currency) => `Billed in ${currency || "no currency"}`) }, textColumn("What to do")], rows)
      : el("p", { class: "quiet" }, "No rule names a charge.")];
}

function drawTrust() {
  const isShown = (one) => state.source === null || one.source === state.source;
  fill(byId("trust-body"), [freshness, agreement, gapsAndRuns, viewed, closings].flatMap((part) => part(isShown)).flat().filter(Boolean));
}
