// Draws the whole page, first when it opens and again after every change.

function drawEmpty() {
  const node = byId("empty");
  const broken = data.sources.filter((source) => source.error);
  fill(node, el("h2", { id: "empty-title" }, broken.length ? "What is loaded could not be read" : "Nothing is loaded yet"),
    broken.map((source) => el("p", { class: "notice" }, `${source.name}: ${source.error}`)),
    el("p", null, "Load the bill, then draw this page again:"),
    el("pre", { tabindex: "0", "aria-label": "Commands" }, el("code", null, "cloudbill load\ncloudbill report --open")),
    el("p", { class: "quiet" }, data.sources.length ? `Configured: ${data.sources.map((source) => source.table ? `${source.name} into ${source.table} (${source.warehouse})` : source.name).join("; ")}` : "No source is configured."));
  node.hidden = false;
  byId("filters").hidden = true;
  for (const id of ["headline", "months", "daily", "where", "movers", "kinds", "view", "tags"]) byId(id).hidden = true;
  byId("contents").hidden = true;
  drawTrust();
}

function draw() {
  if (!COSTS.length) { drawEmpty(); return; }
  forget();
  fillFilters();
  const now = selection();
  const isEmpty = !now.newest;
  for (const id of ["months", "daily", "where", "movers", "kinds", "view", "tags"]) byId(id).hidden = isEmpty;
  byId("headline").hidden = isEmpty;
  drawBadge();
  drawChosen();
  drawNotes(now);
  drawTrust();
  if (isEmpty) {
    byId("notes").append(el("p", { class: "notice", id: "nothing" }, "No charge matches these filters."));
    byId("status").textContent = "No charge matches these filters.";
    return;
  }
  drawHeadline(now);
  drawMonths(now);
  drawDaily(now);
  drawWhere(now);
  drawMovers(now);
  drawKinds(now);
  drawView(now);
  drawTags(now);
  drawCharts();
  byId("status").textContent = `${monthTitle(now.newest)}: ${rounded(total(now.inNewest))} ${nameOf("currency", state.currency)}; all months shown: ${rounded(total(now.shown))}`;
}

byId("made").textContent = `Made ${moment(data.made_at)} from ${data.sources.map((source) => source.name).join(", ")}`;
byId("folded").textContent = COSTS.length
  ? `To stay small, this page keeps at most ${data.folded.names} services, sub-accounts and providers of each currency by name, the ${data.folded.tag_keys} costliest tag keys and ${data.folded.tag_values} values of each; all others are summed exactly as "All others", so totals are whole. Days are kept for the newest two months of each source.`
  : "";
listen();
listenToAddress();
listenToPrinter();
document.addEventListener("copy", copyExactly);
openAddress();
