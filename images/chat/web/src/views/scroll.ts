/**
 * Keeps the line being read where it is while rows come and go around it. Browsers do this with
 * `overflow-anchor`, Safari does not, and none does at the very top; so the page does it itself.
 */

/** Within this distance from the bottom the newest message is being followed. CSS px. */
export const STICK_PX = 100;

export interface Anchor {
  readonly id: string;
  /**
   * Distance of the row's bottom from the top of the visible part. The bottom, because a row can
   * lose the heading above it when older ones arrive: what is read stands below that.
   */
  readonly offset: number;
}

export function distanceToBottom(scroller: HTMLElement): number {
  return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
}

/** The first row that is visible, and where it stands. */
export function measureAnchor(scroller: HTMLElement, rows: HTMLCollection): Anchor | undefined {
  const top = scroller.getBoundingClientRect().top;
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle] as HTMLElement).getBoundingClientRect().bottom <= top) low = middle + 1;
    else high = middle;
  }
  // Headings of days, and what is not sent yet, have no id.
  while (low < rows.length && !(rows[low] as HTMLElement).dataset["id"]) low++;
  const row = rows[low] as HTMLElement | undefined;
  const id = row?.dataset["id"];
  return row && id ? { id, offset: row.getBoundingClientRect().bottom - top } : undefined;
}

/** Scrolls so that the anchor's row ends where it ended. False: there is no such row. */
export function restoreAnchor(scroller: HTMLElement, rows: HTMLCollection, anchor: Anchor): boolean {
  const row = findRow(rows, anchor.id);
  if (!row) return false;
  const offset = row.getBoundingClientRect().bottom - scroller.getBoundingClientRect().top;
  if (offset !== anchor.offset) scroller.scrollTop += offset - anchor.offset;
  return true;
}

export function findRow(rows: HTMLCollection, id: string): HTMLElement | undefined {
  for (const row of rows) if ((row as HTMLElement).dataset["id"] === id) return row as HTMLElement;
  return undefined;
}
