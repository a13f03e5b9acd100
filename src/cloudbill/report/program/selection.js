// The part of the bill that the filters select.

function selection() {
  const rows = COSTS.filter((row) => matches(row, ["source", ...GROUPS]));
  const shown = rows.filter(inRange);
  const newest = shown.reduce((month, row) => (row.month > month ? row.month : month), "");
  const before = newest ? nextMonth(newest, -1) : "";
  return {
    rows, shown, newest, before,
    inNewest: rows.filter((row) => row.month === newest),
    inBefore: rows.filter((row) => row.month === before),
    months: newest ? monthsBetween(shown.reduce((month, row) => (row.month < month ? row.month : month), newest), newest) : [],
  };
}

function trustOf(month) {
  return data.trust.months.filter((one) => one.month === month
    && (state.source === null || one.source === state.source)
    && COSTS.some((row) => row.month === month && row.source === one.source && row.currency === state.currency));
}

/** Whether a source has charges in this currency and is not filtered out. */
const isCounted = (index) => (state.source === null || state.source === index)
  && COSTS.some((row) => row.source === index && row.currency === state.currency);

/** The sources whose same charges are both in what is shown, with the months shown of them. */
const doublesShown = () => data.trust.doubles
  .map((one) => ({ ...one, sources: one.sources.filter(isCounted), months: one.months.filter((month) => inRange({ month })) }))
  .filter((one) => one.sources.length > 1 && one.months.length);

/** The newest month, the one before, their difference and the whole range, of each group. */
function compared(now, group) {
  const of = (rows) => groupBy(rows, (row) => row[group]);
  const [newest, before, shown] = [of(now.inNewest), of(now.inBefore), of(now.shown)];
  const found = [...new Set([...shown.keys(), ...newest.keys()])].map((index) => {
    const [one, other, all] = [newest, before, shown].map((groups) => total(groups.get(index) || []));
    return { index, one, other, all, change: minus(one, other), isLast: isLast(group, index) };
  });
  const cost = (entry) => (entry.one === null ? -1n : size(entry.one));
  return found.sort((a, b) => a.isLast - b.isLast || (cost(a) < cost(b) ? 1 : cost(a) > cost(b) ? -1 : 0));
}
