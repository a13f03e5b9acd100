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

/** Writes what is not as it is by itself into the address, and where the reader went. */
function remember(section = "") {
  const usual = defaults();
  const words = new URLSearchParams();
  for (const [name, { write }] of Object.entries(CHOICES)) {
    if (state[name] !== usual[name] && state[name] !== null) words.set(name, write(state[name]));
  }
  if (section) words.set("at", section);
  const wanted = String(words);
  if (wanted !== location.hash.slice(1)) history.pushState(null, "", wanted ? `#${wanted}` : location.href.split("#")[0]);
}

/** Chooses what the address says; whatever it says that is not there counts for nothing. */
function restore() {
  const words = new URLSearchParams(location.hash.slice(1));
  Object.assign(state, defaults());
  for (const [name, { read }] of Object.entries(CHOICES)) {
    const value = words.has(name) && ALL_MONTHS.length ? read(words.get(name)) : undefined;
    if (value !== undefined) state[name] = value;
  }
  if (state.from > state.to) Object.assign(state, { from: defaults().from, to: defaults().to });
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
  window.addEventListener("hashchange", () => {
    restore();
    draw();
    goTo(sectionOf(location.hash));
  });
}
