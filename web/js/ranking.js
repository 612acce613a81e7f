// @ts-check
/** Rank Pictures: two pictures, one click or arrow key for the better one. The next pair is the one that teaches most. */
import { parseRanking, samePicture, withoutPicture, writeRanking } from "./data.js";
import { chip, h, meter } from "./dom.js";
import { addView, ask, chain, isLinked, onOutput, pictureUrl, redraw, remember, takeFiles } from "./host.js";
import { pictureSources } from "./sources.js";
import { t } from "./words.js";

/**
 * @typedef {import("./host.js").FileRef} FileRef
 * @typedef {import("./data.js").Ranking} Ranking
 */

const HEIGHT = 340;

/** @param {any} node @param {string} name @returns {{widget: any, minWidth: number, minHeight: number}} */
export function rankingWidget(node, name) {
  const view = new RankingView(node, name);
  view.widget = addView(node, name, view.root, { get: () => view.value, set: (value) => view.load(value), height: () => HEIGHT });
  return { widget: view.widget, minWidth: 460, minHeight: 520 };
}

class RankingView {
  /** @param {any} node @param {string} name */
  constructor(node, name) {
    this.node = node;
    this.name = name;
    /** @type {any} */
    this.widget = null;
    this.value = "";
    /** @type {Ranking} */
    this.ranking = { pictures: [], pairs: [] };
    /** @type {FileRef[]} connected pictures that are in no pair yet: shown and asked, not saved */
    this.waiting = [];
    /** @type {[number, number] | null} the pair that is asked, numbers of #all(); null while the next one is looked for */
    this.pair = null;
    /** @type {FileRef[]} the connected pictures as the last run showed them */
    this.batch = [];
    /** @type {string[]} pairs skipped since the page was opened */
    this.skipped = [];
    this.asked = 0;
    this.waits = false; // for the next pair
    /** @type {any} what the server told last */
    this.answer = null;

    const owner = { add: (/** @type {FileRef[]} */ f) => this.add(f), has: (/** @type {FileRef} */ f) => this.ranking.pictures.some((p) => samePicture(p, f)), complain: (/** @type {string} */ s) => this.complain(s) };
    this.sources = pictureSources(node, owner);
    this.undo = h("button.viper-button", { type: "button", title: "Backspace", "data-viper-part": "undo", onclick: () => this.back() }, `\u21b6 ${t("undo")}`);
    this.pass = h("button.viper-button", { type: "button", title: "\u2193", "data-viper-part": "skip", onclick: () => this.skip() }, `\u2193 ${t("skip")}`);
    this.count = h("span.viper-count", { role: "status", "data-viper-part": "count" });
    this.note = h("p.viper-complaint", { hidden: true, role: "alert", "data-viper-part": "complaint" });
    this.again = h("button.viper-button", { type: "button", hidden: true, "data-viper-part": "again", onclick: () => this.next() }, t("again"));
    this.arena = h("div.viper-arena", { "data-viper-part": "arena" });
    this.strip = h("div.viper-strip", { role: "list", "data-viper-part": "strip" });
    this.foot = h("div.viper-foot", { "data-viper-part": "taste" });
    this.root = h("div.viper", { "data-viper": "ranking", tabIndex: 0 },
      h("div.viper-bar", { role: "toolbar" }, ...this.sources.buttons, this.undo, this.pass, this.count), this.sources.panel, this.note, this.again, this.arena, this.strip, this.foot);
    this.root.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#key(event));
    takeFiles(node, this.root, (files) => this.sources.take(files));
    onOutput(node, (output) => this.#connected(output.viper_pictures ?? []));
    chain(node, "onConnectionsChange", () => setTimeout(() => this.render(), 0));
    this.render();
  }

  /** @param {string} value */
  load(value) {
    if (value === this.value) return;
    this.value = value;
    this.complain("");
    try {
      this.ranking = parseRanking(value);
    } catch (error) {
      this.ranking = { pictures: [], pairs: [] };
      this.complain(/** @type {Error} */ (error).message);
    }
    this.next();
    this.render();
  }

  /** @param {Ranking} ranking */
  #change(ranking) {
    this.ranking = ranking;
    this.value = writeRanking(ranking);
    this.widget?.callback?.(this.value);
    redraw(this.node);
    remember();
  }

  /** @param {FileRef[]} files */
  async add(files) {
    const fresh = [];
    for (const file of files) {
      try {
        fresh.push(file.type === "temp" ? await ask("keep", file) : file);
      } catch (error) {
        this.complain(/** @type {Error} */ (error).message);
      }
    }
    const { pictures, pairs } = this.ranking;
    this.#change({ pictures: [...pictures, ...fresh.filter((f) => !pictures.some((p) => samePicture(p, f)))], pairs });
    this.next();
  }

  /** The connected batch joins the others when it has run. @param {(FileRef & {index: number})[]} pictures */
  #connected(pictures) {
    this.batch = pictures.map(({ filename, subfolder, type }) => ({ filename, subfolder: subfolder ?? "", type }));
    const named = new Set(this.ranking.pictures.map((p) => ("index" in p ? p.index : -1)));
    // The nodes name a connected picture as its kept copy would be: one that was ranked before is known again.
    const known = (/** @type {FileRef} */ f) => this.ranking.pictures.some((p) => samePicture(p, f) || samePicture(p, { ...f, type: "input" }));
    this.waiting = this.batch.filter((f, i) => !named.has(i) && !known(f));
    if (this.batch.length) this.next();
  }

  /** All that can be compared: saved pictures and waiting ones behind them. @returns {Ranking} */
  #all() {
    return { pictures: [...this.ranking.pictures, ...this.waiting], pairs: this.ranking.pairs };
  }

  /**
   * Ask for the pair that teaches most. Until it is there the former one stays in sight, dimmed, and what was chosen is marked.
   * @param {[number, number] | null} [pair] show this one instead: only what is known of the taste is asked for
   */
  async next(pair = null) {
    const turn = ++this.asked;
    const all = this.#all();
    this.pair = pair;
    this.waits = !pair;
    this.#dim();
    let answer = { pair: /** @type {[number, number] | null} */ (null), sure: 0, liked: [], disliked: [], advice: "" };
    if (all.pictures.length > 1) {
      try {
        answer = await ask("next", { ranking: writeRanking(all), skipped: this.skipped });
        if (turn === this.asked && !pair) await this.#loaded(answer.pair);
      } catch (error) {
        if (turn !== this.asked) return;
        return this.complain(/** @type {Error} */ (error).message, true); // every choice is in the graph: only the question is missing
      }
      if (turn !== this.asked) return;
    }
    if (!this.again.hidden) this.complain("");
    this.waits = false;
    this.pair = pair ?? answer.pair;
    this.answer = answer;
    this.render();
  }

  /** The pictures of a pair, so that they appear at once; a slow or broken one is not waited for. @param {[number, number] | null} pair */
  async #loaded(pair) {
    const images = (pair ?? []).map((i) => this.#image(i)).filter((image) => image instanceof HTMLImageElement);
    const all = Promise.all(images.map((image) => image.decode().catch(() => {})));
    await Promise.race([all, new Promise((done) => setTimeout(done, 1000))]);
  }

  /** What is known without the server. */
  #dim() {
    const { length } = this.ranking.pairs;
    this.undo.disabled = !length;
    this.count.textContent = isLinked(this.node, this.name) ? "" : t("ranked", { n: length });
    this.arena.classList.toggle("viper-busy", this.waits);
    this.arena.setAttribute("aria-busy", String(this.waits));
    this.pass.disabled = !this.pair;
  }

  /** @param {number} side 0 the left one, 1 the right one */
  choose(side) {
    if (!this.pair) return;
    const { pictures } = this.#all();
    const [better, worse] = (side ? [this.pair[1], this.pair[0]] : this.pair).map((i) => pictures[i]);
    this.pair = null;
    this.arena.children[side]?.setAttribute("aria-pressed", "true");
    const saved = [...this.ranking.pictures];
    for (const picture of [better, worse]) if (!saved.includes(picture)) saved.push(picture);
    this.waiting = this.waiting.filter((f) => !saved.includes(f));
    this.#change({ pictures: saved, pairs: [...this.ranking.pairs, [saved.indexOf(better), saved.indexOf(worse)]] });
    for (const picture of [better, worse]) this.#keep(picture);
    this.skipped = []; // numbers may mean other pictures now
    this.next();
  }

  /** A ranked picture that would be gone tomorrow is kept. @param {FileRef | {index: number}} picture */
  async #keep(picture) {
    if ("index" in picture || picture.type !== "temp") return;
    try {
      const copy = await ask("keep", picture);
      this.#change({ ...this.ranking, pictures: this.ranking.pictures.map((p) => (p === picture ? copy : p)) });
    } catch (error) {
      this.complain(/** @type {Error} */ (error).message);
    }
  }

  skip() {
    if (!this.pair) return;
    this.skipped.push([...this.pair].sort((a, b) => a - b).join("-"));
    this.next();
  }

  back() {
    const pairs = this.ranking.pairs.slice();
    const last = pairs.pop();
    if (!last) return;
    this.#change({ ...this.ranking, pairs });
    this.next(last); // to be judged again
    this.render();
  }

  /** @param {number} at */
  remove(at) {
    const saved = this.ranking.pictures.length;
    this.skipped = [];
    if (at < saved) this.#change(withoutPicture(this.ranking, at));
    else this.waiting.splice(at - saved, 1);
    this.next();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const typing = /** @type {HTMLElement} */ (event.target).matches("input, textarea, select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.repeat) { /* a key that is held down has seen no further pair */ }
    else if (event.key === "ArrowLeft" || event.key === "1") this.choose(0);
    else if (event.key === "ArrowRight" || event.key === "2") this.choose(1);
    else if (event.key === "ArrowDown" || event.key === "0") this.skip();
    else if (event.key === "Backspace") this.back();
    else if (event.key === "Escape" && this.sources.close()) { /* the panel was open */ }
    else return;
    event.preventDefault();
  }

  /** @param {string} sentence @param {boolean} [again] can it be tried again? */
  complain(sentence, again = false) {
    this.note.textContent = sentence;
    this.note.hidden = !sentence;
    this.again.hidden = !again;
  }

  /** As the strip, made anew only when its pictures change: else it would flicker. @param {[number, number]} pair */
  #showPair(pair) {
    const shown = pair.map((i) => `${i} ${this.#url(i)}`).join("\n");
    const there = this.arena.dataset.shown === shown && this.arena.querySelector(".viper-contender");
    this.arena.dataset.shown = shown;
    if (!there) {
      this.arena.replaceChildren(...pair.map((i, side) => h("button.viper-contender", {
        type: "button", title: t("better"), "aria-label": `${t("better")} ${side ? "\u2192" : "\u2190"}`, "data-viper-part": side ? "right" : "left", onclick: () => this.choose(side),
      }, this.#image(i), h("kbd", null, side ? "\u2192" : "\u2190"))));
    }
    for (const contender of this.arena.children) contender.removeAttribute("aria-pressed");
  }

  /** @param {number} count */
  #showStrip(count) {
    const shown = Array.from({ length: count }, (_, i) => this.#url(i)).join("\n");
    if (this.strip.dataset.shown === shown) return;
    this.strip.dataset.shown = shown;
    this.strip.replaceChildren(...Array.from({ length: count }, (_, i) => h("span.viper-mini", { role: "listitem" },
      this.#image(i),
      h("button.viper-small", { type: "button", title: t("remove"), "aria-label": t("remove"), onclick: () => this.remove(i) }, "\u2715"))));
  }

  /** @param {number} i @returns {string} */
  #url(i) {
    const picture = this.#all().pictures[i];
    const file = picture && "index" in picture ? this.batch[picture.index] : picture;
    return file ? pictureUrl(file) : "";
  }

  /** @param {number} i */
  #image(i) {
    const src = this.#url(i);
    return src ? h("img", { src, alt: `# ${i + 1}`, draggable: false }) : h("span.viper-note", null, `# ${i + 1}`);
  }

  render() {
    const wired = isLinked(this.node, this.name);
    const { pictures, pairs } = this.#all();
    const focused = this.root.contains(document.activeElement);
    this.#dim();
    if (wired) return this.arena.replaceChildren(h("p.viper-note", null, t("wired")));
    if (this.pair) this.#showPair(this.pair);
    else if (!this.waits || pictures.length < 2) this.arena.replaceChildren(h("p.viper-note", null, t(pictures.length < 2 ? "two" : "all_ranked")));
    this.#showStrip(pictures.length);
    const { sure = 0, liked = [], disliked = [], advice = "" } = this.answer ?? {};
    const chips = [...liked.map((/** @type {any} */ f) => chip(f, true)), ...disliked.map((/** @type {any} */ f) => chip(f, false))];
    this.foot.replaceChildren(
      h("div.viper-bar", null, h("strong", null, t("yes")), meter(sure, t("sure")), h("span.viper-note", { "data-viper-part": "advice" }, pairs.length ? t(advice) : "")),
      h("div.viper-line", null, ...chips),
    );
    if (focused && !this.root.contains(document.activeElement)) this.root.focus({ preventScroll: true }); // the keys go on working
  }
}
