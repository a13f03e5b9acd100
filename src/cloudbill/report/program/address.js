// The address: what is chosen is in it, so that a link, a reload and the way back show the same.

/** The text for a name: it means the same in the next page, whose lists have another order. */
function keyOf(group, index) {
  if (group === "source") return data.sources[index].name;
  const name = data.names[group][index];
  if (name.others !== undefined) return "~others";
  if (group === "tag_value" && name.id && name.id !== "value") return `~${name.id}`;
  const text = (group !== "tag_value" && name.id) || name.text;
  return text.startsWith("~") ? `~${text}` : text;
}

const listOf = (group) => (group === "source" ? data.sources : data.names[group]).map((_, index) => index);
const listed = (text, values) => values.find((value) => value === text);
const ofNames = (group) => ({
  write: (index) => keyOf(group, index),
  read: (text) => listOf(group).find((index) => keyOf(group, index) === text && isThere(group, index)),
});
const oneOf = (values) => ({ write: (value) => value, read: (text) => listed(text, values) });

/** Whether the bill has charges of a name, in the chosen currency once that is known. */
const isThere = (group, index) => (group === "tag_key" || group === "tag_value" ? TAGS : COSTS).some(
  (row) => row[group] === index && (group === "currency" || row.currency === state.currency));

// The currency comes first, because it decides which names there are.
const CHOICES = {
  currency: ofNames("currency"),
  kind: { write: (kind) => data.kinds[kind], read: (text) => (data.kinds.includes(text) ? data.kinds.indexOf(text) : undefined) },
  from: { write: (month) => month, read: (text) => listed(text, monthsBetween(ALL_MONTHS[0], ALL_MONTHS.at(-1))) },
  to: { write: (month) => month, read: (text) => listed(text, monthsBetween(ALL_MONTHS[0], ALL_MONTHS.at(-1))) },
  source: ofNames("source"),
  provider: ofNames("provider"),
  service: ofNames("service"),
  sub_account: ofNames("sub_account"),
  breakdown: oneOf(Object.keys(BREAKDOWNS)),
  daily_as: oneOf(Object.keys(DAILY_AS)),
  charges: oneOf(Object.keys(CHARGES)),
  tag_key: ofNames("tag_key"),
  tag_value: ofNames("tag_value"),
};

/** What is not as it is by itself, as words of the address, and where the reader went. */
function wordsOf(section) {
  const usual = defaults();
  const words = new URLSearchParams();
  for (const [name, { write }] of Object.entries(CHOICES)) {
    if (state[name] !== usual[name] && state[name] !== null) words.set(name, write(state[name]));
  }
  if (section) words.set("at", section);
  return String(words);
}

const placeOf = (words) => (words ? `#${words}` : location.href.split("#")[0]);

/** Writes what is chosen into the address; what an older one said in vain is over then. */
function remember(section = "") {
  const wanted = wordsOf(section);
  if (!section) fill(byId("dropped"));
  if (wanted !== location.hash.slice(1)) history.pushState(null, "", placeOf(wanted));
}

/** Chooses what the address says, and gives what it says in vain: names with texts. */
function restore() {
  const words = new URLSearchParams(location.hash.slice(1));
  const dropped = [];
  Object.assign(state, defaults());
  if (!ALL_MONTHS.length) return dropped;
  for (const [name, { read }] of Object.entries(CHOICES)) {
    if (!words.has(name)) continue;
    const value = read(words.get(name));
    if (value === undefined) dropped.push([name, words.get(name)]);
    else state[name] = value;
  }
  if (state.from > state.to) {
    dropped.push(["from", state.from]);
    Object.assign(state, { from: defaults().from, to: defaults().to });
  }
  // A section alone has no value.
  for (const [name, text] of words) if (!(Object.hasOwn(CHOICES, name) || name === "at" || text === "")) dropped.push([name, text]);
  return dropped;
}

const WORDS = { kind: "cost", from: "first month", to: "last month", sub_account: "sub-account", daily_as: "way to show days", charges: "choice of charges", tag_key: "tag", tag_value: "value of the tag" };
const MOST_SHOWN = 80;
const cut = (text) => ([...text].length > MOST_SHOWN ? `${[...text].slice(0, MOST_SHOWN - 1).join("")}…` : text);

/** Says what the address names and the page does not have, and what is shown instead. */
function droppedLine([name, text]) {
  if (!Object.hasOwn(CHOICES, name)) return `The filter '${cut(name)}' of this address is not in this page; it counts for nothing.`;
  const isList = [...GROUPS, "source", "tag_value"].includes(name);
  const isFolded = isList && name !== "source" && data.names[name].some((one) => one.others !== undefined);
  return `The ${WORDS[name] ?? name} '${cut(text)}' of this address is not in this page${isFolded ? ", or only in \"All others\"" : ""}; ${isList ? "all are shown" : "it counts for nothing"}.`;
}

/** Shows what the address says, and corrects it where it says something in vain. */
function openAddress() {
  const dropped = restore();
  const section = sectionOf(location.hash);
  const wanted = { ...state };
  draw();
  if (ALL_MONTHS.length) {
    // Of the names that there are, some are in no charge of what else is chosen.
    for (const [name, { write }] of Object.entries(CHOICES)) {
      if (wanted[name] !== null && state[name] === null) dropped.push([name, write(wanted[name])]);
    }
    fill(byId("dropped"), dropped.slice(0, 10).map((one) => el("p", { class: "notice" }, droppedLine(one))));
    if (dropped.length) history.replaceState(null, "", placeOf(wordsOf(section)));
  }
  goTo(section);
}

const SECTIONS = [...document.querySelectorAll('a[href^="#"]')].map((link) => link.hash.slice(1));

/** The section that the address names: `at=trust`, or `trust` alone. */
function sectionOf(hash) {
  const words = hash.slice(1);
  return listed(words.includes("=") ? new URLSearchParams(words).get("at") : words, SECTIONS) ?? "";
}

function goTo(section) {
  const node = section ? byId(section) : null;
  if (!node || node.hidden) return;
  node.tabIndex = -1;
  node.focus({ preventScroll: true });
  node.scrollIntoView();
}

function listenToAddress() {
  // A link to a section would take the choices out of the address.
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
    if (!link) return;
    event.preventDefault();
    goTo(link.hash.slice(1));
    remember(link.hash.slice(1));
  });
  window.addEventListener("hashchange", openAddress);
}
