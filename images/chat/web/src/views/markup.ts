/**
 * A small Markdown subset as a tree: `code`, fenced code, **bold**, *italic* and bare links. Pure; a
 * view turns the tree into DOM nodes, so no text is ever read as HTML. Everything that is not
 * markup stays as typed.
 */

import { LINK_START, linkAt } from "./links.ts";

export type Markup =
  | string
  | { readonly kind: "strong" | "em"; readonly children: readonly Markup[] }
  | { readonly kind: "code" | "fence"; readonly text: string }
  | { readonly kind: "link"; readonly text: string; readonly href: string };

const FENCE = /^```[^\n`]*\n([\s\S]*?)\n?^```[ \t]*(?:\n|$)/gmu;

/** Each alternative stops at its own delimiter or at the line's end, so matching is linear. */
const INLINE = new RegExp(
  [
    "`([^`\\n]+)`",
    "\\*\\*([^*\\n]+)\\*\\*",
    "(?<![\\w*])\\*([^*\\s][^*\\n]*)\\*(?![\\w*])",
    "(?<![\\w_])_([^_\\s][^_\\n]*)_(?![\\w_])",
    `(${LINK_START})`,
  ].join("|"),
  "giu",
);

export function parseMarkup(text: string): readonly Markup[] {
  const nodes: Markup[] = [];
  let from = 0;
  for (const match of text.matchAll(FENCE)) {
    nodes.push(...parseInline(text.slice(from, match.index)));
    nodes.push({ kind: "fence", text: match[1] ?? "" });
    from = match.index + match[0].length;
  }
  nodes.push(...parseInline(text.slice(from)));
  return nodes;
}

function parseInline(text: string): readonly Markup[] {
  const nodes: Markup[] = [];
  let from = 0;
  INLINE.lastIndex = 0;
  for (let match = INLINE.exec(text); match; match = INLINE.exec(text)) {
    const { index } = match;
    let end = INLINE.lastIndex;
    const node = nodeOf(match, text);
    if (!node) continue;
    if (typeof node !== "string" && node.kind === "link") end = index + node.text.length;
    if (index > from) nodes.push(text.slice(from, index));
    nodes.push(node);
    from = end;
    // Parsing within a node moved it.
    INLINE.lastIndex = end;
  }
  if (from < text.length) nodes.push(text.slice(from));
  return nodes;
}

function nodeOf(match: RegExpExecArray, text: string): Markup | undefined {
  const [, code, strong, star, underscore] = match;
  if (code !== undefined) return { kind: "code", text: code };
  if (strong !== undefined) return { kind: "strong", children: within(strong) };
  if (star !== undefined) return { kind: "em", children: within(star) };
  if (underscore !== undefined) return { kind: "em", children: within(underscore) };
  const link = linkAt(text.slice(match.index));
  return link && { kind: "link", ...link };
}

/** Markup inside markup; the place in the text around it is kept. */
function within(text: string): readonly Markup[] {
  const { lastIndex } = INLINE;
  const nodes = parseInline(text);
  INLINE.lastIndex = lastIndex;
  return nodes;
}
