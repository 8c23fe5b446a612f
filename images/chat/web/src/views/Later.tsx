/** What comes after the first messages: announcing, copying, which day it is, and what the first message sent needs. */

import { watchCopying } from "./copy.ts";
import { watchMidnight } from "./midnight.ts";

export { Announcer } from "./Announcer.tsx";

watchCopying();
watchMidnight();
import("../outbox/lock.ts").catch(() => undefined);
