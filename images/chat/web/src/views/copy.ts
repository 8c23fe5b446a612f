/** Copying messages gives what is seen of them: time, name, text; one after the other. */

export function watchCopying(): void {
  document.addEventListener("copy", (event) => {
    const log = event.target instanceof Element && event.target.closest(".log");
    const selection = getSelection();
    const text = log && selection && copied(selection, log.querySelectorAll(".row"));
    if (!text || !event.clipboardData) return;
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  });
}

/**
 * The text for the clipboard of a selection that touches several messages; undefined when it lies
 * within one, where the browser's own answer is right.
 */
function copied(selection: Selection, rows: Iterable<Element>): string | undefined {
  if (selection.rangeCount === 0) return undefined;
  const range = selection.getRangeAt(0);
  const lines: string[] = [];
  let name = "";
  for (const row of rows) {
    name = row.querySelector(".name")?.textContent ?? name;
    if (!range.intersectsNode(row)) continue;
    const content = row.querySelector(".content");
    if (!content) continue;
    const text = within(range, content);
    const time = row.querySelector("time")?.textContent ?? "";
    lines.push(text === "" ? `${time} ${name}` : `${time} ${name}: ${text}`);
  }
  return lines.length > 1 ? lines.join("\n") : undefined;
}

/** The part of a node's text that is selected. */
function within(selected: Range, node: Node): string {
  const part = document.createRange();
  part.selectNodeContents(node);
  if (!selected.intersectsNode(node)) return "";
  if (selected.compareBoundaryPoints(Range.START_TO_START, part) > 0) part.setStart(selected.startContainer, selected.startOffset);
  if (selected.compareBoundaryPoints(Range.END_TO_END, part) < 0) part.setEnd(selected.endContainer, selected.endOffset);
  return part.toString();
}
