// Tables as files for spreadsheets: RFC 4180, amounts with all of their digits.

/** A text that no spreadsheet takes for a formula. */
const asText = (text) => (/^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text);
const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const plainAmount = (value) => (value === null ? "" : exact(value).replaceAll(",", ""));

/** What a cell says, as the fields of a line: amounts and counts are numbers, all else is text. */
function fieldsOf(cell) {
  if (cell.fields) return cell.fields.map((field) => (typeof field === "object" ? field.number : asText(field)));
  if (cell.value !== undefined) return [plainAmount(cell.value)];
  const parts = [...cell.childNodes].map((node) => node.textContent.trim()).filter(Boolean);
  return [asText(parts.join("; "))];
}

/** The whole file: a line of heads, then one for each row. What sums the rows up is not in it. */
function csvOf(columns, rows) {
  const lines = [columns.flatMap((column) => (column.fields || [column.title]).map(asText)), ...rows.map((row) => [...row.children].flatMap(fieldsOf))];
  return lines.map((line) => `${line.map(quoted).join(",")}\r\n`).join("");
}

const slug = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");

/** What is in the file, of which months and of when: `cost-by-day-billed-eur-2025-08-to-2025-10-made-2025-11-02.csv`. */
function fileName(title, node, kind) {
  const made = `made-${data.made_at.slice(0, 10)}`;
  if (node.closest("#trust")) return `${slug(title)}-${made}.csv`;
  const months = state.from === state.to ? state.to : `${state.from}-to-${state.to}`;
  return `${[title, kind ?? data.kinds[state.kind], nameOf("currency", state.currency)].map(slug).filter(Boolean).join("-")}-${months}-${made}.csv`;
}

function download(name, text) {
  // A spreadsheet knows by the mark at the beginning that it is UTF-8.
  const address = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

function csvButton(title, columns, rows, kind) {
  const button = el("button", { type: "button", class: "csv", "aria-label": `CSV file of: ${title}`, title: "Download this table, with all digits" }, "CSV");
  button.addEventListener("click", () => download(fileName(title, button, kind), csvOf(columns, rows)));
  return button;
}
