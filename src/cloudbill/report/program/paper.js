// What is printed: the page in light colors and as wide as paper, with the filters as text.

/** What is chosen, as a sentence for paper; every choice that is not "All" is named. */
function drawChosen() {
  const named = (id) => byId(id).closest("label").firstChild.textContent.trim();
  const texts = ["currency", "kind", "from", "to", "source", ...GROUPS, "breakdown", "charges", "daily_as"].map((id) => {
    const text = byId(id).selectedOptions[0]?.textContent ?? "";
    return text && text !== "All" ? `${named(id)} ${text}` : "";
  });
  fill(byId("chosen"), `Chosen: ${texts.filter(Boolean).join("; ")}.`);
}

/** Draws the page for paper, or for the screen again: the style of paper counts while charts are measured. */
function setPrinted(value) {
  if (isPrinted === value) return;
  isPrinted = value;
  byId("paper").media = value ? "all" : "print";
  draw();
}

function listenToPrinter() {
  window.addEventListener("beforeprint", () => setPrinted(true));
  window.addEventListener("afterprint", () => setPrinted(false));
}
