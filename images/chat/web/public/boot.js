/*
 * During a rollout the page may come from one pod and its files from another that does not have
 * them: no script, or no style sheet. This file has the same name in every version. It looks, once
 * all is loaded, whether the page stands, and if not asks for it again, soon and then less often.
 */
(() => {
  const COUNT = "chat.boot";
  const FIRST_MS = 400;
  const LONGEST_MS = 8000;
  const remember = (tries) => {
    try {
      if (tries === 0) sessionStorage.removeItem(COUNT);
      else sessionStorage.setItem(COUNT, String(tries));
    } catch {
      // Forbidden storage: then every try is the first.
    }
  };
  const recall = () => {
    try {
      return Number(sessionStorage.getItem(COUNT)) || 0;
    } catch {
      return 0;
    }
  };
  const look = () => {
    if ("started" in document.documentElement.dataset) return remember(0);
    const tries = recall();
    remember(tries + 1);
    const app = document.getElementById("app");
    if (app) app.textContent = "Chatapp is being updated. One moment, please.";
    const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(tries, 10));
    setTimeout(() => location.reload(), longest * (0.5 + Math.random() / 2));
  };
  if (document.readyState === "complete") look();
  else addEventListener("load", look);
})();
