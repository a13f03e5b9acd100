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

function amountNode(value, text = null) {
  if (value === null) return el("span", { title: "not in this export" }, "–");
  const { head, tail } = pieces(value);
  const sign = text === "signed" && value > 0n ? "+" : "";
  return el("span", null, sign + head, tail ? el("span", { class: "tail" }, tail) : null);
}

const amountCell = (value) => el("td", { class: "number" }, amountNode(value));
const changeCell = (value) => el(
  "td", { class: `number ${value > 0n ? "up" : value < 0n ? "down" : ""}` }, amountNode(value, "signed"));
const nameCell = (group, index) => {
  const id = idOf(group, index);
  return el("th", { scope: "row" }, nameOf(group, index), id ? el("span", { class: "id" }, id) : null);
};

function table(title, columns, rows, foot = null) {
  const head = columns.map((column) => el(
    "th", { scope: "col", class: column.number ? "number" : null }, column.title));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}, table` },
    el("table", null,
      el("caption", null, title),
      el("thead", null, el("tr", null, head)),
      el("tbody", null, rows),
      foot ? el("tfoot", null, foot) : null));
}

function folded(summary, id, ...content) {
  const before = byId(id);
  return el("details", { id, open: Boolean(before && before.open) }, el("summary", null, summary), content);
}

const textColumn = (title) => ({ title });
const numberColumn = (title) => ({ title, number: true });
