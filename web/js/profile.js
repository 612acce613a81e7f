// @ts-check
/** Load Preferences: paste a code and see whose taste it is, before any run. */
import { chip, h, later } from "./dom.js";
import { addView, ask, chain, enlarge, isLinked, redraw, remember, widgetOf } from "./host.js";
import { t } from "./words.js";

const NONE = "none"; // the node's first choice

/** @param {any} node */
export function addProfile(node) {
  const line = h("div.viper-line.viper-lists", { "data-viper-part": "chips" });
  const note = h("p.viper-complaint", { hidden: true, role: "alert", "data-viper-part": "complaint" });
  const box = h("input.viper-input.viper-wide", { type: "text", placeholder: t("code"), "aria-label": t("code"), spellcheck: false, autocomplete: "off", "data-viper-part": "code" });
  const root = h("div.viper", { "data-viper": "profile" }, box, note, line);
  let asked = 0;

  async function show() {
    const turn = ++asked;
    const code = String(widgetOf(node, "share_code")?.value ?? "").trim();
    const name = widgetOf(node, "profile")?.value;
    if (document.activeElement !== box && box.value !== code) box.value = code;
    note.hidden = true;
    box.disabled = isLinked(node, "share_code");
    if (box.disabled) return line.replaceChildren(h("span.viper-note", null, t("wired")));
    if (!code && (!name || name === NONE)) return line.replaceChildren(h("span.viper-note", null, t("no_profile")));
    try {
      const { liked, disliked } = await ask("profile", code ? { code } : { name });
      if (turn !== asked) return;
      line.replaceChildren(...liked.map((/** @type {any} */ f) => chip(f, true)), ...disliked.map((/** @type {any} */ f) => chip(f, false)),
        ...(liked.length || disliked.length ? [] : [h("span.viper-note", null, t("nothing"))]));
    } catch (error) {
      if (turn !== asked) return;
      line.replaceChildren();
      note.textContent = /** @type {Error} */ (error).message;
      note.hidden = false;
    }
  }

  const soon = later(show, 150);
  box.addEventListener("input", () => {
    const widget = widgetOf(node, "share_code");
    if (!widget) return;
    widget.value = box.value.trim();
    widget.callback?.(widget.value);
    redraw(node);
    soon();
  });
  box.addEventListener("change", () => remember());
  box.addEventListener("paste", (/** @type {Event} */ event) => event.stopPropagation());
  for (const name of ["profile", "share_code"]) {
    const widget = widgetOf(node, name);
    if (widget) chain(widget, "callback", soon);
  }
  for (const event of ["onConfigure", "onAdded", "onConnectionsChange", "onExecuted"]) chain(node, event, soon);
  addView(node, "viper_profile", root, { height: () => 90 });
  enlarge(node, 320, 40);
  show();
}
