/**
 * A small Markdown subset as a tree: `code`, fenced code, **bold**, *italic* and bare links. Pure; a
 * view turns the tree into DOM nodes, so no text is ever read as HTML. Everything that is not
 * markup stays as typed.
 */

export type Markup =
  | string
  | { readonly kind: "strong" | "em"; readonly children: readonly Markup[] }
  | { readonly kind: "code" | "fence"; readonly text: string }
  | { readonly kind: "link"; readonly text: string; readonly href: string };

const FENCE = /^```[^\n`]*\n([\s\S]*?)\n?^```[ \t]*(?:\n|$)/gmu;

/**
 * Each alternative stops at its own delimiter or at the line's end, so matching is linear. Links
 * hold no bidirectional controls: those could show another address than the one followed.
 */
const INLINE = new RegExp(
  [
    "`([^`\\n]+)`",
    "\\*\\*([^*\\n]+)\\*\\*",
    "(?<![\\w*])\\*([^*\\s][^*\\n]*)\\*(?![\\w*])",
    "(?<![\\w_])_([^_\\s][^_\\n]*)_(?![\\w_])",
    "(?<!\\w)((?:https?://(?!/)|mailto:)[^\\s<>\"`\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]+)",
  ].join("|"),
  "giu",
);

const LINK_PROTOCOLS: ReadonlySet<string> = new Set(["http:", "https:", "mailto:"]);

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
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, strong, star, underscore, link] = match;
    const node = code !== undefined ? ({ kind: "code", text: code } as const)
      : strong !== undefined ? ({ kind: "strong", children: parseInline(strong) } as const)
      : star !== undefined ? ({ kind: "em", children: parseInline(star) } as const)
      : underscore !== undefined ? ({ kind: "em", children: parseInline(underscore) } as const)
      : parseLink(link ?? "");
    if (!node) continue;
    const end = match.index + (node.kind === "link" ? node.text.length : whole.length);
    if (match.index > from) nodes.push(text.slice(from, match.index));
    nodes.push(node);
    from = end;
  }
  if (from < text.length) nodes.push(text.slice(from));
  return nodes;
}

function parseLink(raw: string): Extract<Markup, { kind: "link" }> | undefined {
  const text = withoutTrailingPunctuation(raw);
  try {
    const url = new URL(text);
    // The pattern finds no others; whoever widens it meets this.
    if (!LINK_PROTOCOLS.has(url.protocol)) return undefined;
    if (url.protocol === "mailto:" ? !url.pathname.includes("@") : url.hostname === "") return undefined;
    return { kind: "link", text, href: url.href };
  } catch {
    return undefined;
  }
}

/** "See https://example.org/a_(b)." ends its link before the full stop and keeps its bracket. */
function withoutTrailingPunctuation(link: string): string {
  let end = link.length;
  while (end > 0) {
    const last = link[end - 1] as string;
    if (".,;:!?'*_]}".includes(last)) end--;
    else if (last === ")" && count(link, ")", end) > count(link, "(", end)) end--;
    else break;
  }
  return link.slice(0, end);
}

function count(text: string, char: string, end: number): number {
  let n = 0;
  for (let i = 0; i < end; i++) if (text[i] === char) n++;
  return n;
}
