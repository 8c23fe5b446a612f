/** Row by row with the arrow keys. */
export function stepThrough(event: KeyboardEvent): void {
  const step = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
  if (step === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
  const rows = [...(event.currentTarget as Element).querySelectorAll<HTMLElement>(".row")];
  const row = (event.target as Element).closest<HTMLElement>(".row");
  const next = row ? rows[rows.indexOf(row) + step] : rows.at(-1);
  if (!next) return;
  event.preventDefault();
  next.focus();
}
