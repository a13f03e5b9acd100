// The cards of cost at the top, and the notes below them.

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
    : moved(same.one, same.other, [`on days 1 to ${same.last}: `, amountNode(same.one), ", against ", amountNode(same.other), ` in the same days of ${monthTitle(now.before)}`, withoutPurchases(same)]));
  const second = byId("headline-whole");
  second.hidden = same === null;
  const outside = same === null || same.outside === null || same.outside === 0n ? ""
    : ["; ", amountNode(same.outside, "+"), " of it is on days outside of the month"];
  fill(second, same === null ? "" : [wholeMonth, change === null ? "" : ", as a whole", outside]);
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
    ` ${percent(change, before) ? `(${percent(change, before)}) ` : ""}`, words, addsUp(change, [after, -before]) ? "" : " (each amount is rounded)"];
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

/** The days that the newest month has, and the same days of the month before; null if it has all.
 *
 * With the switch, both are without purchases, and `out` has what is left out of each. `outside` is
 * what the newest month has on other days than its own.
 */
function sameDays(now) {
  const all = dailyRows();
  const rows = all.filter((row) => row.day.startsWith(row.month));
  const current = rows.filter((row) => row.month === now.newest);
  const last = current.reduce((day, row) => (row.day > day ? row.day : day), "").slice(8);
  const earlier = rows.filter((row) => row.month === now.before && row.day.slice(8) <= last);
  const [one, other] = [current, earlier].map((some) => total(some.filter((row) => !isLeftOut(row))));
  if (Number(last) === daysOf(now.newest) || one === null || other === null) return null;
  const outside = total(all.filter((row) => row.month === now.newest && !row.day.startsWith(row.month)));
  return { one, other, last: Number(last), outside, out: [current, earlier].map((some) => total(some.filter(isLeftOut))) };
}

/** What the switch leaves out of two months, in words; nothing while it is off or leaves out nothing. */
function withoutPurchases({ out: [one, other] }) {
  if (one === null && other === null) return "";
  return [`, without ${LEFT_OUT[state.charges]} of `, amountNode(one ?? 0n), " and ", amountNode(other ?? 0n)];
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
    const derived = source.derived[kind];
    if (derived && !source.missing[kind] && isCounted(index)) add(`${source.name}: ${KINDS[kind].toLowerCase()} cost is derived: ${derived}.`, "info");
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
