/** A component that is loaded when it is first wanted: how features come without weight at first sight. */

import { useEffect, useState } from "preact/hooks";
import { load } from "../lazy.ts";

/** The component, once it was wanted and is there. */
export function usePart<C>(wanted: boolean, part: () => Promise<C>): C | undefined {
  const [loaded, setLoaded] = useState<{ readonly part: C }>();
  useEffect(() => {
    if (!wanted || loaded) return undefined;
    let gone = false;
    load(part).then(
      (component) => gone || setLoaded({ part: component }),
      () => undefined, // `outdated` says so, if that is why; wanted again, it is asked for again.
    );
    return () => void (gone = true);
  }, [wanted]);
  return loaded?.part;
}
