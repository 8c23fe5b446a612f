/** Markup as DOM nodes: text nodes, code, emphasis, links; what a search found is marked. */

import type { ComponentChildren, JSX } from "preact";
import { parseMarkup, type Markup } from "./markup.ts";

/** What a link from a stranger may do and tell. */
const LINK_REL = "noopener noreferrer nofollow ugc";

/** How a text stands there: as it is, or with words of it marked. */
export type Mark = (text: string) => ComponentChildren;

export const plain: Mark = (text) => text;

export function RichText({ text, mark }: { text: string; mark: Mark }): JSX.Element {
  return <>{parseMarkup(text).map((node, index) => render(node, index, mark))}</>;
}

function render(node: Markup, index: number, mark: Mark): ComponentChildren {
  if (typeof node === "string") return mark(node);
  switch (node.kind) {
    case "strong":
      return <strong key={index}>{node.children.map((child, i) => render(child, i, mark))}</strong>;
    case "em":
      return <em key={index}>{node.children.map((child, i) => render(child, i, mark))}</em>;
    case "code":
      return <code key={index}>{mark(node.text)}</code>;
    case "fence":
      return (
        <pre key={index}>
          <code>{mark(node.text)}</code>
        </pre>
      );
    case "link":
      return (
        <a key={index} href={node.href} target="_blank" rel={LINK_REL}>
          {mark(node.text)}
        </a>
      );
  }
}
