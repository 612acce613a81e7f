// @ts-check
/** Blind Test: the link to its page, how many have answered, and what the last run found. */
import { h, later } from "./dom.js";
import { addView, ask, chain, enlarge, isLinked, onOutput, routeUrl, widgetOf } from "./host.js";
import { t } from "./words.js";

/** @param {any} node */
export function addBlind(node) {
  const link = h("a.viper-button.viper-link", { target: "_blank", rel: "noopener", hidden: true, "data-viper-part": "link" }, t("open_test"));
  const count = h("span.viper-note", { role: "status", "data-viper-part": "answered" });
  const report = h("pre.viper-note.viper-lists.viper-report", { hidden: true, "data-viper-part": "report" });
  const root = h("div.viper", { "data-viper": "blind" }, h("div.viper-bar", null, link, count), report);
  let asked = 0, ran = ""; // the test of the last run, whose name may have got a number

  async function show() {
    if (!node.graph) return; // not placed yet
    const turn = ++asked;
    const name = ran || (isLinked(node, "name") ? "" : String(widgetOf(node, "name")?.value ?? "").trim());
    let found = null;
    try {
      if (name) found = await ask(`blind/about?${new URLSearchParams({ name })}`);
    } catch { /* ComfyUI does not answer, and its page says so itself */ }
    if (turn !== asked) return;
    link.hidden = !found?.name;
    if (found?.name) link.href = routeUrl(`blind?${new URLSearchParams({ name: found.name })}`);
    count.textContent = found?.name ? t("answered", { people: found.people, n: found.answers }) : t("no_test");
  }

  const soon = later(show, 150);
  onOutput(node, (output) => {
    ran = output.viper_blind?.[0] ?? "";
    report.textContent = output.text?.[0] ?? "";
    report.hidden = !report.textContent;
    soon();
  });
  const name = widgetOf(node, "name");
  if (name) chain(name, "callback", () => {
    ran = "";
    soon();
  });
  for (const event of ["onConfigure", "onAdded", "onConnectionsChange"]) chain(node, event, soon);
  const returned = () => document.visibilityState === "visible" && soon(); // from the test's own tab
  document.addEventListener("visibilitychange", returned);
  chain(node, "onRemoved", () => document.removeEventListener("visibilitychange", returned));
  addView(node, "viper_blind", root, { height: () => 90 });
  enlarge(node, 360, 110);
}
