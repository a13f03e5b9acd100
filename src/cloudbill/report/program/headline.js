// The cards at the top, the badge of trust, and the notes below them.

function drawHeadline(now) {
  const currency = nameOf("currency", state.currency);
  const kind = KINDS[data.kinds[state.kind]].toLowerCase();
  const cost = total(now.inNewest);
  const before = total(now.inBefore);
  byId("headline-title").textContent = `${monthTitle(now.newest)}, ${kind}`;
  fill(byId("headline-amount"), cost === null ? "–" : amountNode(cost), " ", el("span", { class: "currency" }, currency));
  const change = cost === null || before === null ? null : cost - before;
  const wholeMonth = change === null ? [`Nothing to compare with in ${monthTitle(now.before)}`]
    : moved(cost, before, ["against ", amountNode(before), ` in ${monthTitle(now.before)}`]);
  const same = sameDays(now);
  // A month that has just begun is less than one that is over: of both the same days come first.
  fill(byId("headline-change"), same === null ? wholeMonth
    : moved(same.one, same.other, [`on days 1 to ${same.last}: `, amountNode(same.one), ", against ", amountNode(same.other), ` in the same days of ${monthTitle(now.before)}`]));
  const second = byId("headline-whole");
  second.hidden = same === null;
  fill(second, same === null ? "" : [wholeMonth, change === null ? "" : ", as a whole"]);
  drawForecast(now);
  drawCompleteness(now);
  const all = total(now.shown);
  const count = now.months.length;
  byId("range-title").textContent = count > 1 ? `${now.months[0]} to ${now.newest}, ${kind}` : `${now.newest}, ${kind}`;
  fill(byId("range-amount"), all === null ? "–" : amountNode(all), " ", el("span", { class: "currency" }, currency));
  byId("range-average").textContent = all === null ? "" : `${count} ${count === 1 ? "month" : "months"}, ${rounded(all / BigInt(count))} a month on average`;
  byId("range-kind").textContent = all === null ? "" : `Exactly ${exact(all)}`;
}

/** A change in words, after its number. */
function moved(after, before, words) {
  const change = after - before;
  return [el("strong", { class: change > 0n ? "up" : change < 0n ? "down" : "" }, amountNode(change, "+")),
    ` ${percent(change, before) ? `(${percent(change, before)}) ` : ""}`, words, addsUp(change, [after, -before]) ? "" : ", rounded"];
}

function drawCompleteness(now) {
  const known = trustOf(now.newest);
  const open = known.filter((one) => one.complete === false);
  const node = byId("headline-complete");
  if (open.length) {
    const runs = open.map((one) => `${data.sources[one.source].name}: run of ${moment(one.submitted_at)}`).join("; ");
    fill(node, el("span", { class: "pill warn" }, "Month not complete"), ` ${runs}.`);
  } else if (known.length && known.every((one) => one.complete === true)) {
    fill(node, el("span", { class: "pill good" }, "Month complete"), " Its runs were made after it had ended.");
  } else {
    fill(node, el("span", { class: "pill neutral" }, "Completeness unknown"), " The ledger does not say when its run was made.");
  }
}

/** The days that the newest month has, and the same days of the month before; null if it has all. */
function sameDays(now) {
  const rows = DAILY.filter((row) => matches(row, ["source", ...GROUPS]) && row.day.startsWith(row.month));
  const current = rows.filter((row) => row.month === now.newest);
  const last = current.reduce((day, row) => (row.day > day ? row.day : day), "").slice(8);
  const earlier = rows.filter((row) => row.month === now.before && row.day.slice(8) <= last);
  const one = total(current);
  const other = total(earlier);
  if (Number(last) === daysOf(now.newest) || one === null || other === null) return null;
  return { one, other, last: Number(last) };
}

function drawBadge() {
  const isShown = (one) => state.source === null || one.source === state.source;
  const months = data.trust.months.filter(isShown);
  const count = (agreement) => months.filter((one) => one.agreement === agreement).length;
  const different = count("different");
  const unrecorded = count("unrecorded");
  const odd = data.trust.of_no_month.filter(isShown).reduce((sum, one) => sum + one.rows, 0);
  const runs = (wanted) => data.trust.pending.filter((one) => isShown(one) && one.state === wanted).length;
  const held = runs("held");
  const waiting = runs("waiting");
  const fresh = runs("new");
  const failed = runs("failed") + data.trust.freshness.filter((one) => isShown(one) && one.failed).length;
  const gaps = data.trust.missing.filter(isShown).length;
  const sources = data.trust.freshness.filter(isShown);
  const unread = sources.filter((one) => one.store_error).length;
  const stale = sources.filter((one) => one.is_stale).length;
  const broken = data.sources.filter((source, index) => isShown({ source: index }) && source.error).length;
  const plural = (number, one, many) => `${number} ${number === 1 ? one : many}`;
  const doubles = doublesShown().length;
  const lines = [
    doubles ? "the same charges are counted twice: choose one source" : null,
    different ? `${plural(different, "month differs", "months differ")} from what was loaded` : `${count("equal") + count("rows_only")} of ${plural(months.length, "month holds", "months hold")} what was loaded, to the last digit`,
    count("rows_only") ? `of ${plural(count("rows_only"), "month", "months")} only the rows were recorded` : null,
    unrecorded ? `${plural(unrecorded, "month", "months")} without a record of its load` : null,
    odd ? `${plural(odd, "row of the table is of no month", "rows of the table are of no month")}, and in no amount` : null,
    gaps ? `${plural(gaps, "month is", "months are")} missing in between` : null,
    held ? `${plural(held, "run is", "runs are")} held` : null,
    waiting ? `${plural(waiting, "run waits", "runs wait")} for parts` : null,
    fresh ? `${plural(fresh, "newer run is", "newer runs are")} not loaded yet` : null,
    failed ? `${plural(failed, "load failed", "loads failed")} when last tried` : null,
    stale ? `${plural(stale, "source has", "sources have")} no delivery as new as max_age asks for` : null,
    unread ? `${plural(unread, "store was", "stores were")} not read` : null,
    broken ? `${plural(broken, "source was", "sources were")} not read` : null,
  ];
  const [tone, title] = different || broken || odd || doubles ? ["bad", "Look at it first"]
    : unrecorded || gaps || held || waiting || fresh || failed || stale ? ["warn", "Mostly: see what is open"]
      : unread ? ["good", "Yes, as loaded"] : ["good", "Yes"];
  fill(byId("badge"), el("span", { class: `pill ${tone}` }, title));
  fill(byId("badge-details"), lines.filter(Boolean).map((line) => el("li", null, line)));
}

function drawNotes(now) {
  const notes = [];
  const add = (text, tone = "") => notes.push(el("p", { class: `notice ${tone}` }, text));
  const others = [...new Set(COSTS.map((row) => row.currency))].filter((index) => index !== state.currency);
  if (others.length) {
    add(`Only ${nameOf("currency", state.currency)} is shown. The bill is also in ${others.map((index) => nameOf("currency", index)).join(", ")}; currencies are never added up.`, "info");
  }
  for (const one of doublesShown()) {
    const names = one.sources.map((index) => data.sources[index].name);
    const [both, times, which] = names.length > 2 ? ["all", "more than once", "them"] : ["both", "twice", "the two"];
    add(`${names.slice(0, -1).join(", ")} and ${names.at(-1)} ${both} hold the charges of ${one.scope} for ${one.months.join(", ")}, so the amounts here count them ${times}. Choose one of ${which} at "Source".`, "double");
  }
  const kind = data.kinds[state.kind];
  data.sources.forEach((source, index) => {
    if (source.error) add(`${source.name} was not read, so its costs are missing here. ${source.error}`);
    const missing = source.missing[kind];
    if (missing && isCounted(index)) {
      add(`${source.name}: ${KINDS[kind].toLowerCase()} cost is not in this export${missing.length ? ` (no exact ${missing.join(", ")})` : ""}, so its charges are not in these amounts.`);
    }
  });
  const without = total(now.shown.filter((row) => amount(row) === null && !data.sources[row.source].missing[kind]), (row) => row.amounts[0]);
  if (without !== null && without !== 0n) {
    add([`The export states no ${KINDS[kind].toLowerCase()} cost for some charges, such as taxes, fees and credits. Groups that have only such charges were billed `, amountNode(without), " and are not in these amounts."], "info");
  }
  fill(byId("notes"), notes);
}
