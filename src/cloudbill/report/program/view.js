// The section of what only the view `focus` shows. It has every charge once.

const VIEW = data.view.map((row) => decode(row, ["month", "source", "status", "tags", "category", "region", "currency"]));
const VIEW_DAYS = data.view_days.map((row) => decode(row, ["month", "source", "day", "category", "currency"]));
const EFFECTIVE = data.kinds.indexOf("effective");
const FULL_DAYS = 7;
const FEWEST_DAYS = 3;

const effective = (row) => row.amounts[EFFECTIVE];
const categoryOf = (row) => data.names.category[row.category].text;
const isUsage = (row) => categoryOf(row) === "Usage";
const isOfSource = (row) => matches(row, ["source"]);
/** Whether a filter is set that the view's rows cannot follow. */
const isNarrowed = () => GROUPS.some((group) => state[group] !== null);

function share(part, all) {
  if (part === null || all === null || part < 0n || all <= 0n) return "–";
  const tenths = (part * 2000n + all) / (all * 2n);
  return `${tenths / 10n}.${tenths % 10n} %`;
}

const shareCell = (part, all) => percentCell(share(part, all));

/** What a month of the view has of some rows, of each month shown. */
const monthly = (rows, months) => {
  const byMonth = groupBy(rows, (row) => row.month);
  return months.map((month) => total(byMonth.get(month) || [], effective));
};

const monthAxis = () => ({ type: "category", nticks: 4, showgrid: false, tickangle: 0 });

function monthTrace(name, values, months, color) {
  return {
    type: "bar", name, x: months, y: values.map(rough), marker: { color },
    customdata: months.map((month, place) => hover(name, values[place], monthTitle(month))),
    hovertemplate: "%{customdata}<extra></extra>",
  };
}

function commitments(shown, months) {
  const colors = theme();
  const title = el("h3", null, "Commitments");
  const of = (wanted) => monthly(shown.filter(wanted), months);
  const used = of((row) => row.status === "Used");
  const unused = of((row) => row.status === "Unused");
  const usage = of((row) => isUsage(row) && row.status !== "Unused");
  const covered = of((row) => isUsage(row) && row.status === "Used");
  if ([...used, ...unused].every((value) => value === null)) {
    return [title, el("p", { class: "quiet" }, "No charge of this selection is under a commitment.")];
  }
  const line = (name, places) => {
    const sum = (values) => places.reduce((all, place) => plus(all, values[place]), null);
    const [one, other] = [sum(used), sum(unused)];
    return el("tr", null, el("th", { scope: "row" }, name), amountCell(one), amountCell(other), shareCell(one, plus(one, other)), shareCell(sum(covered), sum(usage)));
  };
  const places = months.map((_, place) => place);
  return [title,
    el("p", { class: "quiet" }, "Effective cost of what is used of reservations and savings plans, and of what is not. \"In use\" is what is used, divided by both together. Coverage is the effective cost of usage that they cover, divided by that of all charges of the category Usage except what is unused of them."),
    chart("commitments-chart", "Used and unused effective cost of commitments by month as stacked bars; the table below has the numbers", 300,
      [monthTrace("Used", used, months, colors.accent), monthTrace("Unused", unused, months, colors.up)],
      { barmode: "relative", showlegend: true, bargap: gapOf(months), xaxis: monthAxis(), yaxis: { nticks: 5 } }),
    folded("Commitments as a table", "commitments-table", table("Commitments", [textColumn("Month"), numberColumn("Used"), numberColumn("Unused"), percentColumn("In use"), percentColumn("Coverage")],
      [...places].reverse().map((place) => line(months[place], [place])), line("Together", places), "effective"))];
}

function untagged(shown, now) {
  const colors = theme();
  const without = monthly(shown.filter((row) => row.tags === ""), now.months);
  const all = monthly(shown, now.months);
  const line = (name, places) => {
    const [one, other] = [without, all].map((values) => places.reduce((sum, place) => plus(sum, values[place]), null));
    return el("tr", null, el("th", { scope: "row" }, name), amountCell(one), amountCell(other), shareCell(one, other));
  };
  const places = now.months.map((_, place) => place);
  const newest = now.months.length - 1;
  return [el("h3", null, "Without tags"),
    el("p", { class: "quiet", id: "untagged-share" }, `${share(without[newest], all[newest])} of the effective cost of ${monthTitle(now.newest)} is of charges without any tag. Taxes and most purchases never have one.`),
    chart("untagged-chart", "Effective cost of charges without tags by month as bars; the table below has the numbers", 300,
      [monthTrace("Without tags", without, now.months, colors.accent)],
      { bargap: gapOf(now.months), xaxis: monthAxis(), yaxis: { nticks: 5 } }),
    folded("Without tags as a table", "untagged-table", table("Without tags", [textColumn("Month"), numberColumn("Without tags"), numberColumn("Effective cost"), percentColumn("Share")],
      [...places].reverse().map((place) => line(now.months[place], [place])), line("Together", places), "effective"))];
}

function drawView(now) {
  byId("view").hidden = !VIEW.length;
  byId("view-link").hidden = !VIEW.length;
  if (!VIEW.length) return;
  const rows = VIEW.filter(isOfSource);
  const seen = {
    rows, shown: rows.filter(inRange), newest: now.newest, before: now.before, months: now.months,
    inNewest: rows.filter((row) => row.month === now.newest), inBefore: rows.filter((row) => row.month === now.before),
  };
  const note = byId("view-note");
  note.className = isNarrowed() ? "notice" : "quiet";
  fill(note, `From ${data.views.join(" and ")}, where every charge is once. `,
    isNarrowed() ? "Here charges are of all providers, services and sub-accounts: those filters are not applied." : "");
  fill(byId("view-commitments"), commitments(seen.shown, now.months));
  fill(byId("view-untagged"), untagged(seen.shown, seen));
  whereCard(seen, "region", "By region");
  whereCard(seen, "category", "By charge category");
}

/** What the newest month comes to if usage goes on as in its last full days; null if that is not known. */
function forecast(now) {
  const rows = VIEW_DAYS.filter((row) => isOfSource(row) && row.month === now.newest && row.day.startsWith(row.month));
  if (isNarrowed() || !rows.length || !trustOf(now.newest).some((one) => one.complete === false)) return null;
  const all = daysOf(now.newest);
  const dayOf = (row) => Number(row.day.slice(8));
  let more = null;
  let fewest = FULL_DAYS;
  let left = 0;
  for (const own of groupBy(rows, (row) => row.source).values()) {
    const last = own.reduce((day, row) => Math.max(day, dayOf(row)), 0);
    const full = Math.min(FULL_DAYS, last - 1);
    if (full < FEWEST_DAYS) return null;
    const usage = total(own.filter((row) => isUsage(row) && dayOf(row) >= last - full && dayOf(row) < last));
    if (usage !== null) {
      const there = total(own.filter((row) => isUsage(row) && dayOf(row) === last)) ?? 0n;
      const rest = usage / BigInt(full) - there;
      more = plus(more, usage * BigInt(all - last) / BigInt(full) + (rest > 0n ? rest : 0n));
    }
    fewest = Math.min(fewest, full);
    left = Math.max(left, all - last);
  }
  const there = total(VIEW.filter((row) => isOfSource(row) && row.month === now.newest));
  return left && more !== null && there !== null ? { amount: there + more, days: fewest, left } : null;
}

function drawForecast(now) {
  const found = forecast(now);
  const node = byId("headline-forecast");
  node.hidden = found === null;
  if (found === null) return;
  fill(node, el("strong", null, `Forecast: about `, amountNode(found.amount), ` ${nameOf("currency", state.currency)}`),
    ` for all of ${monthTitle(now.newest)}. That is what is there, and for each of the ${found.left} days left the mean of the usage of the last ${found.days} full days. Purchases, taxes and credits are not continued. The last day is taken as not full, so what it lacks of that mean is added.`);
}
