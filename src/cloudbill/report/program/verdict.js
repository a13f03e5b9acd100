// The card "Can I trust it?": one verdict, which says "right" only where nobody has to look.

const DAY_MS = 86400000;
// No provider has an export that comes more rarely than once a month.
const OLD_DAYS = 35;
const SHOWN_AGE_DAYS = 2;
const TONES = ["good", "warn", "bad"];
const plural = (number, one, many) => `${whole(number)} ${number === 1 ? one : many}`;
const sourceName = (one) => data.sources[one.source].name;
const firstLine = (text) => text.split("\n")[0];
const NAMED = 2;

/** The days between a time and the making of the page, rounded down. */
const daysSince = (time) => Math.max(0, Math.floor((Date.parse(data.made_at) - Date.parse(time)) / DAY_MS));

/** The sources of some entries: two at most by name. */
function namesOf(entries) {
  const names = [...new Set(entries.map(sourceName))];
  const more = names.length - NAMED;
  return more > 0 ? `${names.slice(0, NAMED).join(", ")} and ${more} more` : names.join(" and ");
}

/** How old the newest deliveries of some sources are, in whole days; of several, the oldest. */
function ageOf(sources) {
  const ages = sources.filter((one) => one.newest_delivery_at).map((one) => daysSince(one.newest_delivery_at));
  return ages.length ? Math.max(...ages) : null;
}

/** What is to be said, each with how bad it is, a few words for the verdict, and a line. */
function factsOf(isShown) {
  const { trust } = data;
  const months = trust.months.filter(isShown);
  const sources = trust.freshness.filter(isShown);
  const areSeveral = data.sources.filter((_, index) => isShown({ source: index })).length > 1;
  // Which source is meant is clear where the page shows one.
  const whose = (entries) => areSeveral ? ` (${namesOf(entries)})` : "";
  const agreeing = (agreement) => months.filter((one) => one.agreement === agreement);
  const count = (agreement) => agreeing(agreement).length;
  const runsOf = (state) => trust.pending.filter((one) => isShown(one) && one.state === state && !one.is_alike);
  const runs = (state) => runsOf(state).length;
  const failures = trust.failures.filter(isShown);
  const pins = trust.pins.filter(isShown);
  const [different, unrecorded, held, waiting, fresh, gone] = [count("different"), count("unrecorded"), runs("held"), runs("waiting"), runs("new"), runs("gone")];
  // No load is recorded of these rows; of other months only their number was not recorded.
  const hasUnknown = agreeing("unrecorded").some((one) => one.run_id === null && one.held_rows);
  const ofNoMonth = trust.of_no_month.filter(isShown);
  const odd = ofNoMonth.reduce((sum, one) => sum + one.rows, 0);
  const missing = trust.missing.filter(isShown);
  const gaps = missing.length;
  const uncovered = trust.uncovered.filter(isShown);
  const open = trust.open.filter(isShown);
  const spoilt = sources.filter((one) => one.unreadable.length);
  const unreadable = spoilt.reduce((sum, one) => sum + one.unreadable.length, 0);
  const lost = [...data.sources.keys()].filter((index) => isShown({ source: index }) && data.sources[index].error).map((index) => ({ source: index }));
  const broken = lost.length;
  const unread = sources.filter((one) => one.store_error && !data.sources[one.source].error);
  const stale = sources.filter((one) => one.is_stale);
  const age = ageOf(sources);
  const isOld = stale.length > 0 || (age !== null && age > OLD_DAYS && sources.some((one) => !one.has_max_age));
  const right = count("equal") + count("rows_only");
  const oldest = sources.filter((one) => one.newest_delivery_at && daysSince(one.newest_delivery_at) === age);
  const failedLoad = (one) => `The last load of ${one.month === null ? sourceName(one) : `${one.month}${whose([one])}`} failed`;
  const areOfMonths = failures.every((one) => one.month !== null);
  const failed = failures.length === 1 ? failedLoad(failures[0])
    : areOfMonths ? `The last loads of ${failures.length} months failed${whose(failures)}` : `${failures.length} last loads failed${whose(failures)}`;
  const found = [
    broken && ["bad", `${plural(broken, "source", "sources")} not read`, `${plural(broken, "source was", "sources were")} not read${whose(lost)}`],
    doublesShown().length && ["bad", "The same charges twice", "The same charges are counted twice: choose one source"],
    different && ["bad", plural(different, "month differs", "months differ"), `${plural(different, "month differs", "months differ")} from what was loaded${whose(agreeing("different"))}`],
    odd && ["bad", `${plural(odd, "row", "rows")} of no month`, `${plural(odd, "row of the table is of no month", "rows of the table are of no month")}, and in no amount${whose(ofNoMonth)}`],
    failures.length && ["bad", failed, failures.map((one) => `${failedLoad(one)} ${moment(one.at)}: ${firstLine(one.message)}`)],
    unrecorded && [hasUnknown ? "bad" : "warn", `${plural(unrecorded, "month", "months")} without a record`, `${plural(unrecorded, "month", "months")} without a record of its load${whose(agreeing("unrecorded"))}`],
    age !== null && (isOld || age >= SHOWN_AGE_DAYS) && [isOld ? "warn" : "good", `${plural(age, "day", "days")} old`, `The newest delivery${areSeveral ? ` of ${namesOf(oldest)}` : ""} came ${plural(age, "day", "days")} before this page was made`],
    stale.length && ["warn", age === null ? "no delivery yet" : "", `No delivery of ${namesOf(stale)} is as new as max_age asks for`],
    gaps && ["warn", `${plural(gaps, "month", "months")} missing`, `${plural(gaps, "month is", "months are")} missing in between${whose(missing)}`],
    uncovered.length && ["warn", `days missing in ${plural(uncovered.length, "month", "months")}`, uncovered.map((one) => `${one.month}${whose([one])}: no run covers ${one.days}`)],
    held && ["warn", `${plural(held, "run", "runs")} held`, `${plural(held, "run is", "runs are")} held${whose(runsOf("held"))}`],
    // What waits for too long, or is not loaded for too long, is open as well.
    waiting && ["good", held ? `${whole(waiting)} waiting` : `${plural(waiting, "run", "runs")} waiting`, `${plural(waiting, "run waits", "runs wait")} for parts${whose(runsOf("waiting"))}`],
    fresh && ["good", `${plural(fresh, "newer run", "newer runs")} not loaded`, `${plural(fresh, "newer run is", "newer runs are")} not loaded yet${whose(runsOf("new"))}`],
    unreadable && ["warn", `${plural(unreadable, "manifest", "manifests")} cannot be read`, `${plural(unreadable, "manifest", "manifests")} cannot be read${whose(spoilt)}`],
    unread.length && ["warn", "held and waiting runs not known", unread.map((one) => `Which runs of ${sourceName(one)} are held or waiting is not known, because the store was not read: ${firstLine(one.store_error)}`)],
    // What it is about is often counted above as well.
    open.length && ["warn", "", open.map((one) => `${areSeveral ? `Source ${sourceName(one)}: ` : ""}${firstLine(one.message)}`)],
    gone && ["good", "", `${plural(gone, "run is", "runs are")} in the store no more${whose(runsOf("gone"))}`],
    pins.length && [pins.every((one) => one.is_loaded && one.is_stored) ? "good" : "warn", `${plural(pins.length, "month", "months")} pinned`, pins.map((one) => pinLine(one, whose([one])))],
    right && ["good", "", `${whole(right)} of ${plural(months.length, "month has", "months have")} the rows and the sums of each cost column that were loaded, to the last digit; names and other columns are not compared`],
    count("rows_only") && ["good", "", `Of ${plural(count("rows_only"), "month", "months")} only the rows were recorded${whose(agreeing("rows_only"))}`],
  ];
  const isProven = right > 0 && right === months.length && !(broken || doublesShown().length || odd || failures.length);
  const title = !isProven ? "" : count("rows_only") === right ? "Rows right" : count("rows_only") ? "Numbers right where recorded" : "Numbers right";
  return { facts: found.filter(Boolean), title };
}

const pinLine = (one, whose = "") => `${one.month}${whose} is pinned: it stays with run ${one.run_id}${one.is_loaded ? "" : ", which is not loaded yet"}${one.is_stored ? "" : ", which is in the store no more"}, until a run comes that is newer than ${one.newest}`;

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
