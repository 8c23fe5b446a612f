/** Wires the rooms together and puts the page on the screen. */

import { render } from "preact";
import { openChat } from "./chat.ts";
import { openReading } from "./reading.ts";
import { routeSignal } from "./route.ts";
import { browserStorage, Saved } from "./saved.ts";
import "./style.css";
import { App } from "./views/App.tsx";
import { restoreNotifications } from "./views/notifications.ts";
import { restoreTheme } from "./views/theme.ts";

const root = document.getElementById("app");
if (!root) throw new Error("index.html lacks #app");
const storage = browserStorage();
const saved = new Saved(storage);
restoreTheme(saved);
restoreNotifications(saved);
const chat = openChat(storage);
render(<App chat={chat} saved={saved} reading={openReading(chat, saved)} route={routeSignal()} />, root);
