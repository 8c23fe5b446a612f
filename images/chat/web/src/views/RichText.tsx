/** Markup as DOM nodes: text nodes, code, emphasis, links. */

import { Fragment, type JSX } from "preact";
import { parseMarkup, type Markup } from "./markup.ts";

/** What a link from a stranger may do and tell. */
const LINK_REL = "noopener noreferrer nofollow ugc";

export function RichText({ text }: { text: string }): JSX.Element {
  return <>{parseMarkup(text).map(render)}</>;
}

function render(node: Markup, index: number): JSX.Element | string {
  if (typeof node === "string") return node;
  switch (node.kind) {
    case "strong":
      return <strong key={index}>{node.children.map(render)}</strong>;
    case "em":
      return <em key={index}>{node.children.map(render)}</em>;
    case "code":
      return <code key={index}>{node.text}</code>;
    case "fence":
      return (
        <pre key={index}>
          <code>{node.text}</code>
        </pre>
      );
    case "link":
      return (
        <Fragment key={index}>
          <a href={node.href} target="_blank" rel={LINK_REL}>
            {node.text}
          </a>
        </Fragment>
      );
  }
}
