// @ts-check
/** Comments → Preferences: what was understood, to correct. A change is written into the input "overrides" and holds for every later run. */
import { key, override } from "./data.js";
import { chip, h, meter } from "./dom.js";
import { addView, ask, chain, enlarge, onOutput, redraw, remember, widgetOf } from "./host.js";
import { t } from "./words.js";

/**
 * @typedef {{text: string, weight: number, source?: string}} Feature
 * @typedef {{liked: Feature[], disliked: Feature[]}} Sides
 */

/** @param {any} node */
export function addChips(node) {
  const view = new ChipsView(node);
  addView(node, "viper_chips", view.root, { height: () => 140 });
  enlarge(node, 400, 100);
}

class ChipsView {
  /** @param {any} node */
  constructor(node) {
    this.node = node;
    /** @type {(Sides & {found: Sides, sure: number, advice: string}) | null} */
    this.profile = null;
    /** @type {string | null} key of the feature that is open for correction */
    this.open = null;
    this.lists = h("div.viper-line.viper-lists", { "data-viper-part": "chips" });
    this.editor = h("div.viper-bar.viper-editor", { hidden: true, role: "group", "data-viper-part": "editor" });
    this.editor.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") this.#shut();
    });
    this.foot = h("div.viper-bar");
    this.root = h("div.viper", { "data-viper": "chips" }, this.lists, this.editor, this.foot);
    onOutput(node, (output) => {
      const told = output.viper_profile?.[0];
      if (!told) return;
      this.profile = typeof told === "string" ? JSON.parse(told) : told;
      this.corrected = false;
      this.#apply(); // what was corrected since that run
    });
    chain(node, "onConfigure", () => this.#apply());
    this.render();
  }

  get edits() {
    return String(widgetOf(this.node, "overrides")?.value ?? "");
  }

  /** @param {string} text @param {{side: "like" | "dislike" | "forget", weight?: number} | null} change */
  async correct(text, change) {
    const widget = widgetOf(this.node, "overrides");
    if (!widget) return;
    widget.value = override(this.edits, text, change);
    widget.callback?.(widget.value);
    redraw(this.node);
    remember();
    this.corrected = true;
    await this.#apply();
  }

  /** Shows what the corrections do before the next run, by the server's own rules. */
  async #apply() {
    if (!this.profile) return;
    const { found } = this.profile;
    try {
      const after = await ask("edit", { liked: found.liked, disliked: found.disliked, edits: this.edits });
      this.profile = { ...this.profile, ...after };
    } catch {
      // a line of the text box that is being written: the run says what is wrong with it
    }
    this.render();
  }

  render() {
    const { liked = [], disliked = [], found = { liked: [], disliked: [] }, sure = 0, advice = "" } = this.profile ?? {};
    const press = (/** @type {Feature} */ f, /** @type {boolean} */ side) => {
      const button = chip(f, side, "button");
      const changed = ![...found.liked, ...found.disliked].some((g) => key(g.text) === key(f.text) && g.weight === f.weight && (found.liked.includes(g) === side));
      button.classList.toggle("viper-changed", changed);
      button.setAttribute("aria-expanded", String(this.open === key(f.text)));
      button.addEventListener("click", () => this.#edit(f, side));
      return button;
    };
    const here = new Set([...liked, ...disliked].map((f) => key(f.text)));
    const gone = [...found.liked, ...found.disliked].filter((f) => !here.has(key(f.text)));
    const struck = gone.map((f) => {
      const button = chip(f, found.liked.includes(f), "button");
      button.classList.add("viper-forgotten");
      button.addEventListener("click", () => this.correct(f.text, null));
      button.title = t("reset");
      return button;
    });
    this.lists.replaceChildren(...liked.map((f) => press(f, true)), ...disliked.map((f) => press(f, false)), ...struck);
    if (!this.profile) this.lists.append(h("span.viper-note", null, t("after_run")));
    else if (!here.size) this.lists.append(h("span.viper-note", null, t("nothing")));
    const more = h("input.viper-input", { type: "text", placeholder: t("add_feature"), "aria-label": t("add_feature"), "data-viper-part": "add-feature", maxLength: 80 });
    const add = (/** @type {"like" | "dislike"} */ side) => {
      const text = more.value.replace(/[,;\n=]+/g, " ").trim();
      if (text) this.correct(text, { side });
    };
    more.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter" && !event.ctrlKey && !event.isComposing) add(event.shiftKey ? "dislike" : "like");
    });
    this.foot.replaceChildren(
      more,
      h("button.viper-verdict.viper-like", { type: "button", title: t("like"), "aria-label": t("like"), onclick: () => add("like") }, "+"),
      h("button.viper-verdict.viper-dislike", { type: "button", title: t("dislike"), "aria-label": t("dislike"), onclick: () => add("dislike") }, "\u2212"),
      ...(this.profile ? [meter(sure, t("sure"))] : []),
      h("span.viper-note", { role: "status", title: t(advice) || undefined, "data-viper-part": "advice" }, this.corrected ? t("corrected") : t(advice)),
    );
  }

  /** @param {Feature} feature @param {boolean} liked */
  #edit(feature, liked) {
    if (this.open === key(feature.text)) return this.#shut();
    this.open = key(feature.text);
    const weight = h("input.viper-input.viper-number", { type: "number", min: "0.1", max: "2", step: "0.1", value: String(+feature.weight.toFixed(2)), "aria-label": t("weight"), "data-viper-part": "weight" });
    const side = liked ? "like" : "dislike";
    const button = (/** @type {string} */ word, /** @type {string} */ sign, /** @type {() => void} */ action) =>
      h("button.viper-button", { type: "button", "data-viper-part": `to-${word}`, onclick: () => { this.#shut(); action(); } }, `${sign} ${t(word)}`);
    const weigh = () => {
      const value = Number(weight.value);
      if (value > 0) this.correct(feature.text, { side, weight: Math.min(10, value) });
    };
    weight.addEventListener("change", weigh);
    this.editor.replaceChildren(
      h("strong", null, feature.text), h("label.viper-note", null, `${t("weight")} `, weight),
      button(liked ? "dislike" : "like", liked ? "\u2212" : "+", () => this.correct(feature.text, { side: liked ? "dislike" : "like" })),
      button("forget", "\u2715", () => this.correct(feature.text, { side: "forget" })),
      button("reset", "\u21ba", () => this.correct(feature.text, null)),
      ...(feature.source ? [h("q.viper-note.viper-source", null, feature.source)] : []),
    );
    this.editor.hidden = false;
    weight.focus();
    this.render();
  }

  #shut() {
    this.open = null;
    this.editor.hidden = true;
    this.render();
  }
}
