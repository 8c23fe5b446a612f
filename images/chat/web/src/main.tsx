/** Wires the rooms together and puts the page on the screen. */

import { render } from "preact";
import { openChat } from "./chat.ts";
import { routeSignal } from "./route.ts";
import { browserStorage, Saved } from "./saved.ts";
import "./style.css";
import { App } from "./views/App.tsx";

const storage = browserStorage();
const root = document.getElementById("app");
if (!root) throw new Error("index.html lacks #app");
render(<App chat={openChat(storage)} saved={new Saved(storage)} route={routeSignal()} />, root);
