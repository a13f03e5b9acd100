// What is copied: amounts with all of their digits, as spreadsheets and programs read them.

const amountAt = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement).closest(".amount");

/** A range that has each amount at its ends whole. */
function widened(range) {
  const wide = range.cloneRange();
  const [first, last] = [amountAt(wide.startContainer), amountAt(wide.endContainer)];
  if (first) wide.setStartBefore(first);
  if (last) wide.setEndAfter(last);
  return wide;
}

/** The selected part of the page, with its table around it, and each amount exact. */
function selectedPart(range) {
  let part = range.cloneContents();
  let around = range.commonAncestorContainer;
  if (around.nodeType !== Node.ELEMENT_NODE) around = around.parentElement;
  while (around.closest("table")) {
    const shell = around.cloneNode(false);
    shell.append(part);
    part = shell;
    around = around.parentElement;
  }
  const found = el("div", { class: "hidden" }, part);
  for (const node of found.querySelectorAll(".amount")) node.replaceChildren(node.dataset.exact);
  return found;
}

function copyExactly(event) {
  const selection = document.getSelection();
  if (!event.clipboardData || selection.isCollapsed || !selection.rangeCount) return;
  const range = selection.getRangeAt(0);
  const only = amountAt(range.commonAncestorContainer);
  // Of a single amount somebody may want a few digits, as they are shown.
  if (only && ![only.textContent, only.textContent.replace("+", "")].includes(range.toString())) return;
  const part = selectedPart(widened(range));
  if (!part.querySelector(".amount")) return;
  document.body.append(part);
  event.clipboardData.setData("text/plain", part.innerText);
  event.clipboardData.setData("text/html", part.innerHTML);
  part.remove();
  event.preventDefault();
}
