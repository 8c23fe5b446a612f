/** Wires the rooms together and puts the page on the screen. */

import { render } from "preact";
import { openChat } from "./chat.ts";
import { openIdentity } from "./identity.ts";
import { openReading } from "./reading.ts";
import { routeSignal } from "./route.ts";
import { browserStorage, Saved } from "./saved.ts";
import { openSession, scopeOf } from "./session.ts";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/topics.css";
import "./styles/log.css";
import "./styles/row.css";
import "./styles/composer.css";
import "./styles/help.css";
import "./styles/conversation.css";
import "./styles/people.css";
import "./styles/small.css";
import { App } from "./views/App.tsx";
import { restoreNotifications } from "./views/notifications.ts";
import { restoreTheme } from "./views/theme.ts";

/** Without its style sheet (a rollout: another pod has it) the page is not worth showing; boot.js asks again. */
const styled = [...document.styleSheets].some((sheet) => sheet.cssRules.length > 0);

/** The icon is the last thing to ask for. Ms. */
const ICON_MS = 2_000;

if (styled) start();

function start(): void {
  const root = document.getElementById("app");
  if (!root) throw new Error("index.html lacks #app");
  const storage = browserStorage();
  const tab = browserStorage("tab");
  const scope = scopeOf(openSession(storage, tab));
  /** The device's, whoever uses it. */
  const saved = new Saved(storage);
  const own = new Saved(storage, scope);
  restoreTheme(saved);
  restoreNotifications(saved);
  const chat = openChat(storage);
  const identity = openIdentity(own);
  root.replaceChildren();
  render(
    <App
      chat={chat}
      saved={saved}
      own={own}
      drafts={new Saved(tab, scope)}
      identity={identity}
      reading={openReading(chat, own, identity)}
      route={routeSignal()}
    />,
    root,
  );
  document.documentElement.dataset["started"] = "";
  setTimeout(() => document.querySelector("link[rel=icon]")?.setAttribute("href", "icon.svg"), ICON_MS);
}
