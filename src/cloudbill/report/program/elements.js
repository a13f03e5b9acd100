// Elements of the page. Text is set as text and never read as HTML.

function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) node.append(child);
  }
  return node;
}

const byId = (id) => document.getElementById(id);
const fill = (node, ...children) => node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null));

/** An amount, rounded; it has all of its digits where somebody points at it or copies it. */
function amountNode(value, sign = "", show = rounded) {
  if (value === null) return el("span", { title: "not in this export" }, "–");
  const all = exact(value);
  return el("span", { class: "amount", title: all, "data-exact": all.replaceAll(",", "") }, (value > 0n ? sign : "") + show(value));
}

/** A cell with an amount; `parts` are amounts beside it that make it. */
const amountCell = (value, parts = null, show = rounded) => Object.assign(
  el("td", { class: "number" }, amountNode(value, "", show)), { value, parts });
const changeCell = (value, parts = null, show = rounded) => Object.assign(el(
  "td", { class: `number ${value > 0n ? "up" : value < 0n ? "down" : ""}` }, amountNode(value, "+", show)), { value, parts });
/** A cell with a number that is no amount; `text` is how it is shown. */
const countCell = (number, text = whole(number)) => Object.assign(el("td", { class: "number" }, text), { fields: [{ number: String(number) }] });
/** A cell with a share or a change in percent, or with a word instead. */
const percentCell = (text) => Object.assign(el("td", { class: "number" }, text),
  { fields: [text.endsWith(" %") ? { number: text.slice(text.startsWith("+") ? 1 : 0, -2) } : text === "–" ? "" : text] });
const nameCell = (group, index, name = "th") => {
  const [title, id] = [nameOf(group, index), idOf(group, index)];
  return Object.assign(el(name, name === "th" ? { scope: "row" } : { class: "name" }, title, id ? el("span", { class: "id" }, id) : null),
    { fields: group === "sub_account" ? [title, data.names[group][index].id ?? ""] : [title] });
};

/** A cell that is several fields in a file, each with one fact. */
const inFile = (cell, ...fields) => Object.assign(cell, { fields });
const fieldsColumn = (title, ...fields) => ({ title, fields });

/** A table with a button that saves it; `kind` is the kind of cost, if it is not the chosen one. */
function table(title, columns, rows, foot = null, kind = null) {
  const head = columns.map((column) => el(
    "th", { scope: "col", class: [column.number && "number", column.isName && "name"].filter(Boolean).join(" ") || null }, column.title));
  const rest = roundedOff(columns, rows, foot);
  return [csvButton(title, columns, rows, kind),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}, table` },
      el("table", columns.length > 7 ? { class: "many" } : null,
        el("caption", null, title),
        el("thead", null, el("tr", null, head)),
        el("tbody", null, rows),
        foot ? el("tfoot", null, foot) : null)), rest ? el("p", { class: "quiet rounded" }, rest) : null];
}

/** What is said below a table whose rounded amounts do not add up; nothing where they do. */
function roundedOff(columns, rows, foot) {
  const isOffDown = foot && columns.some((_, place) => {
    const lines = rows.map((row) => row.children[place].value);
    const all = foot.children[place].value;
    if (all === undefined || lines.some((value) => value === undefined)) return false;
    return lines.reduce((sum, value) => sum + (value || 0n), 0n) === (all || 0n) && !addsUp(all, lines);
  });
  const isOffAcross = [...rows, foot].some((row) => row && [...row.children].some(
    (cell) => cell.parts && cell.value !== null && !addsUp(cell.value, cell.parts)));
  return isOffDown || isOffAcross ? "Rounded, so what is shown does not add up everywhere." : null;
}

function folded(summary, id, ...content) {
  const before = byId(id);
  return el("details", { id, open: Boolean(before && before.open) }, el("summary", null, summary), content);
}

const textColumn = (title) => ({ title });
const numberColumn = (title) => ({ title, number: true });
const percentColumn = (title) => ({ title, number: true, fields: [`${title} (%)`] });
/** A column of names; those of sub-accounts have their ids in a column of their own. */
const nameColumn = (title, group) => ({ title, fields: group === "sub_account" ? [title, title === "Name" ? "id" : `${title} id`] : [title] });
