// The card "Can I trust it?": one verdict, which says "right" only where nobody has to look.

const DAY_MS = 86400000;
// No provider has an export that comes more rarely than once a month.
const OLD_DAYS = 35;
const SHOWN_AGE_DAYS = 2;
const TONES = ["good", "warn", "bad"];
const plural = (number, one, many) => `${whole(number)} ${number === 1 ? one : many}`;
const sourceName = (one) => data.sources[one.source].name;
const firstLine = (text) => text.split("\n")[0];

/** How old the newest deliveries of some sources are, in whole days; of several, the oldest. */
function ageOf(sources) {
  const times = sources.filter((one) => one.newest_delivery_at).map((one) => Date.parse(one.newest_delivery_at));
  if (!times.length) return null;
  return Math.max(0, Math.floor((Date.parse(data.made_at) - Math.min(...times)) / DAY_MS));
}

/** What is to be said, each with how bad it is, a few words for the verdict, and a line. */
function factsOf(isShown) {
  const { trust } = data;
  const months = trust.months.filter(isShown);
  const sources = trust.freshness.filter(isShown);
  const count = (agreement) => months.filter((one) => one.agreement === agreement).length;
  const runs = (state) => trust.pending.filter((one) => isShown(one) && one.state === state && !one.is_alike).length;
  const failures = trust.failures.filter(isShown);
  const pins = trust.pins.filter(isShown);
  const [different, unrecorded, held, waiting, fresh, gone] = [count("different"), count("unrecorded"), runs("held"), runs("waiting"), runs("new"), runs("gone")];
  const odd = trust.of_no_month.filter(isShown).reduce((sum, one) => sum + one.rows, 0);
  const gaps = trust.missing.filter(isShown).length;
  const uncovered = trust.uncovered.filter(isShown);
  const open = trust.open.filter(isShown);
  const unreadable = sources.reduce((sum, one) => sum + one.unreadable.length, 0);
  const broken = data.sources.filter((source, index) => isShown({ source: index }) && source.error).length;
  const unread = sources.filter((one) => one.store_error && !data.sources[one.source].error);
  const stale = sources.filter((one) => one.is_stale);
  const age = ageOf(sources);
  const isOld = stale.length > 0 || (age !== null && age > OLD_DAYS && sources.some((one) => !one.has_max_age));
  const right = count("equal") + count("rows_only");
  const failed = failures.length === 1 ? `The last load of ${failures[0].month ?? sourceName(failures[0])} failed` : `The last loads of ${failures.length} months failed`;
  const found = [
    broken && ["bad", `${plural(broken, "source", "sources")} not read`, `${plural(broken, "source was", "sources were")} not read`],
    doublesShown().length && ["bad", "The same charges twice", "the same charges are counted twice: choose one source"],
    different && ["bad", plural(different, "month differs", "months differ"), `${plural(different, "month differs", "months differ")} from what was loaded`],
    odd && ["bad", `${plural(odd, "row", "rows")} of no month`, `${plural(odd, "row of the table is of no month", "rows of the table are of no month")}, and in no amount`],
    failures.length && ["bad", failed, failures.map((one) => `${one.month ?? sourceName(one)}: the last load failed ${moment(one.at)}: ${firstLine(one.message)}`)],
    unrecorded && ["warn", `${plural(unrecorded, "month", "months")} without a record`, `${plural(unrecorded, "month", "months")} without a record of its load`],
    age !== null && (isOld || age >= SHOWN_AGE_DAYS) && [isOld ? "warn" : "good", `${plural(age, "day", "days")} old`, `the newest delivery${sources.length > 1 ? " of one source" : ""} came ${plural(age, "day", "days")} before this page was made`],
    stale.length && ["warn", age === null ? "no delivery yet" : "", `${plural(stale.length, "source has", "sources have")} no delivery as new as max_age asks for`],
    gaps && ["warn", `${plural(gaps, "month", "months")} missing`, `${plural(gaps, "month is", "months are")} missing in between`],
    uncovered.length && ["warn", `days missing in ${plural(uncovered.length, "month", "months")}`, uncovered.map((one) => `${one.month}: no run covers ${one.days}`)],
    held && ["warn", `${plural(held, "run", "runs")} held`, `${plural(held, "run is", "runs are")} held`],
    waiting && ["warn", held ? `${whole(waiting)} waiting` : `${plural(waiting, "run", "runs")} waiting`, `${plural(waiting, "run waits", "runs wait")} for parts`],
    fresh && ["warn", `${plural(fresh, "newer run", "newer runs")} not loaded`, `${plural(fresh, "newer run is", "newer runs are")} not loaded yet`],
    unreadable && ["warn", `${plural(unreadable, "manifest", "manifests")} cannot be read`, `${plural(unreadable, "manifest", "manifests")} cannot be read`],
    unread.length && ["warn", "held and waiting runs not known", unread.map((one) => `${sourceName(one)}: which runs are held or waiting is not known, because the store was not read: ${firstLine(one.store_error)}`)],
    // What it is about is often counted above as well.
    open.length && ["warn", "", open.map((one) => firstLine(one.message))],
    gone && ["good", "", `${plural(gone, "run is", "runs are")} in the store no more`],
    pins.length && [pins.every((one) => one.is_loaded && one.is_stored) ? "good" : "warn", `${plural(pins.length, "month", "months")} pinned`, pins.map(pinLine)],
    right && ["good", "", `${whole(right)} of ${plural(months.length, "month holds", "months hold")} what was loaded, to the last digit`],
    count("rows_only") && ["good", "", `of ${plural(count("rows_only"), "month", "months")} only the rows were recorded`],
  ];
  const isProven = right > 0 && right === months.length && !(broken || doublesShown().length || odd || failures.length);
  const title = !isProven ? "" : count("rows_only") === right ? "Rows right" : count("rows_only") ? "Numbers right where recorded" : "Numbers right";
  return { facts: found.filter(Boolean), title };
}

const pinLine = (one) => `${one.month} is pinned: it stays with run ${one.run_id}${one.is_loaded ? "" : ", which is not loaded yet"}${one.is_stored ? "" : ", which is in the store no more"}, until a run comes that is newer than ${one.newest}`;

/** The verdict in one line, in the tone of the worst, and the lines that explain it. */
function verdict(isShown) {
  const { facts, title } = factsOf(isShown);
  const worst = Math.max(0, ...facts.map(([tone]) => TONES.indexOf(tone)));
  const isSaid = !worst || facts.some(([tone, short]) => tone !== "good" && short);
  const words = [title, ...facts.map(([, short]) => short), isSaid ? "" : "see what is open"].filter(Boolean);
  const tone = words.length ? TONES[worst] : "neutral";
  const line = words.join(", ") || "Nothing is loaded";
  return { tone, title: line[0].toUpperCase() + line.slice(1), lines: facts.flatMap(([, , lines]) => lines) };
}

function drawBadge() {
  const { tone, title, lines } = verdict((one) => state.source === null || one.source === state.source);
  fill(byId("badge"), el("span", { class: `pill ${tone}` }, title));
  fill(byId("badge-details"), lines.map((line) => el("li", null, line)));
}
