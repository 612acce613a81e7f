// @ts-check
/** Comment on Images: a card per picture, with a verdict, a text box and what was understood. */
import { commentsFrom, isJson, parseComments, samePicture, writeComments } from "./data.js";
import { chip, h, later, meter } from "./dom.js";
import { addView, ask, chain, isLinked, onOutput, pictureUrl, redraw, remember, takeFiles, wiredFile } from "./host.js";
import { pictureSources } from "./sources.js";
import { t } from "./words.js";

/**
 * @typedef {import("./data.js").Entry} Entry
 * @typedef {import("./host.js").FileRef} FileRef
 * @typedef {{root: HTMLElement, thumb: HTMLElement, shown: string, text: HTMLTextAreaElement, line: HTMLElement, buttons: Record<string, HTMLButtonElement>, teach: HTMLElement}} Card
 */

const HEIGHT = 300; // least height of the view on the node, in the graph's pixels
const ENOUGH = 8; // comments, after the paper; as in vpe/portrait.py, which gives the advice
const VERDICTS = /** @type {const} */ ([["like", "\u2665"], ["neutral", "\u25cb"], ["dislike", "\u2716"]]);

/** @param {any} node @param {string} name @returns {{widget: any, minWidth: number, minHeight: number}} */
export function commentsWidget(node, name) {
  const view = new CommentsView(node, name);
  const widget = addView(node, name, view.root, { get: () => view.value, set: (value) => view.load(value), height: () => HEIGHT });
  view.widget = widget;
  return { widget, minWidth: 460, minHeight: 560 };
}

class CommentsView {
  /** @param {any} node @param {string} name */
  constructor(node, name) {
    this.node = node;
    this.name = name;
    /** @type {any} */
    this.widget = null;
    this.value = ""; // the very STRING: kept as it came until something is changed here
    /** @type {Entry[]} */
    this.entries = [];
    /** @type {[Entry, Entry][]} */
    this.pairs = [];
    /** @type {Entry[]} pictures at hand that nothing was said about: shown, not saved */
    this.waiting = [];
    /** @type {FileRef[]} the connected pictures as the last run showed them */
    this.batch = [];
    /** @type {Map<Entry, Card>} */
    this.cards = new Map();
    /** @type {Map<string, FileRef>} temporary picture → the copy that was kept of it */
    this.kept = new Map();
    this.asText = false;
    this.asked = 0;
    /** @type {any} what the server told last */
    this.answer = null;
    this.read = later(() => this.#read(), 350);

    const owner = { add: (/** @type {FileRef[]} */ f) => this.add(f), has: (/** @type {FileRef} */ f) => this.#has(f), complain: (/** @type {string} */ s) => this.complain(s) };
    this.sources = pictureSources(node, owner);
    const more = h("button.viper-button", { type: "button", title: t("comment_hint"), "data-viper-part": "add-comment", onclick: () => this.addComment() }, `+ ${t("comment")}`);
    this.text = h("button.viper-button", { type: "button", title: t("as_text_hint"), "aria-pressed": "false", "data-viper-part": "as-text", onclick: () => this.showText(!this.asText) }, t("as_text"));
    this.count = h("span.viper-count", { "data-viper-part": "count", role: "status" });
    this.list = h("div.viper-cards", { role: "list", "data-viper-part": "cards" });
    this.box = h("textarea.viper-text", { hidden: true, spellcheck: false, "data-viper-part": "text", "aria-label": t("as_text") });
    this.foot = h("div.viper-foot", { "data-viper-part": "taste" });
    this.note = h("p.viper-complaint", { hidden: true, role: "alert", "data-viper-part": "complaint" });
    this.root = h("div.viper", { "data-viper": "comments" },
      h("div.viper-bar", { role: "toolbar" }, ...this.sources.buttons, more, this.text, this.count), this.sources.panel, this.note, this.list, this.box, this.foot);

    this.box.addEventListener("input", () => this.#change(this.box.value));
    this.box.addEventListener("change", () => this.load(this.box.value, true));
    this.root.addEventListener("focusout", () => remember());
    takeFiles(node, this.root, (files) => this.sources.take(files));
    onOutput(node, (output) => this.#connected(output.viper_pictures ?? []));
    chain(node, "onConnectionsChange", () => setTimeout(() => this.#lookAround(), 0));
    for (const event of ["onConfigure", "onAdded"]) chain(node, event, () => this.#lookAround());
    this.render();
  }

  // What is kept

  /** Take over a value from the file, an undo or the text box. @param {string} value @param {boolean} [typed] */
  async load(value, typed = false) {
    if (value === this.value && !typed) return;
    this.value = value;
    const turn = ++this.asked;
    this.complain("");
    try {
      if (!value.trim()) this.#take({ entries: [], pairs: [] });
      else if (isJson(value)) this.#take(parseComments(value));
      else {
        const answer = await ask("read", { comments: value }); // one reader of plain lines: the server's
        if (turn !== this.asked) return;
        this.#take(commentsFrom(answer));
      }
      this.asText = this.asText && typed;
    } catch (error) {
      if (turn !== this.asked) return;
      this.complain(error instanceof SyntaxError ? `${t("as_text")}: ${error.message}` : /** @type {Error} */ (error).message);
      this.asText = true; // what cannot be read is shown as it is, and nothing of it is lost
      this.#take({ entries: [], pairs: [] });
    }
    this.render();
    this.read();
  }

  /** @param {import("./data.js").Comments} comments */
  #take({ entries, pairs }) {
    // Cards of entries that stayed the same keep their elements, and with them focus and cursor.
    const old = [...this.entries];
    this.entries = entries.map((entry) => {
      const at = old.findIndex((e) => e.text === entry.text && e.verdict === entry.verdict && (samePicture(e.image, entry.image) || (!e.image && !entry.image)));
      return at < 0 ? entry : old.splice(at, 1)[0];
    });
    this.pairs = pairs.map((p) => /** @type {[Entry, Entry]} */ (p.map((e) => this.entries[entries.indexOf(e)])));
  }

  /** Where the picture of an entry is to be seen. @param {Entry} entry @returns {FileRef | null} */
  #fileOf(entry) {
    if (entry.image && "index" in entry.image) return this.batch[entry.image.index] ?? null;
    return entry.image ?? (this.#inOrder() ? (this.batch[this.entries.indexOf(entry)] ?? null) : null);
  }

  /** Comments none of which names a picture are about the connected ones, one after the other: the node's own rule. */
  #inOrder() {
    return this.batch.length > 0 && this.entries.every((e) => !e.image);
  }

  /** The entries changed here: write them into the STRING. */
  changed() {
    if (this.#inOrder()) {
      // From now on each names its picture: the next one added would end the order.
      const bound = this.entries.slice(0, this.batch.length);
      bound.forEach((entry, i) => { entry.image = this.batch[i]; });
      for (const entry of bound) this.#keep(entry);
    }
    this.#change(writeComments({ entries: this.entries, pairs: this.pairs }));
  }

  /** @param {string} value */
  #change(value) {
    this.value = value;
    this.asked++;
    this.widget?.callback?.(value);
    redraw(this.node);
    this.read();
  }

  /** A change that was one act (a click, a key): the page's undo gets it as one. */
  #acted() {
    this.changed();
    this.render();
    remember();
  }

  /** Something is said about a waiting picture: from now on it is saved; a copy is kept of one that would be gone tomorrow. @param {Entry} entry */
  async #adopt(entry) {
    const at = this.waiting.indexOf(entry);
    if (at < 0) return;
    this.waiting.splice(at, 1);
    this.entries.push(entry);
    await this.#keep(entry);
  }

  /** @param {Entry} entry */
  async #keep(entry) {
    const file = entry.image;
    if (!file || "index" in file || file.type !== "temp") return;
    try {
      const copy = await ask("keep", file);
      this.kept.set(JSON.stringify(file), copy);
      entry.image = copy;
      this.changed();
      remember();
    } catch (error) {
      this.complain(/** @type {Error} */ (error).message);
    }
  }

  // Pictures

  /** @param {FileRef} file */
  #has(file) {
    // The nodes name a connected picture as its kept copy: after a reload they are still known to be one.
    const twin = file.type === "temp" && file.subfolder === "viper" ? { ...file, type: "input" } : file;
    const same = this.kept.get(JSON.stringify(file)) ?? twin;
    return this.entries.some((e) => samePicture(e.image, same) || samePicture(e.image, file));
  }

  /** Pictures somebody chose become part of the strip. @param {FileRef[]} files */
  async add(files) {
    const fresh = files.filter((f) => !this.#has(f));
    const entries = fresh.map((image) => {
      const at = this.waiting.findIndex((e) => samePicture(e.image, image));
      return at < 0 ? /** @type {Entry} */ ({ text: "", verdict: null, image }) : this.waiting.splice(at, 1)[0];
    });
    this.entries.push(...entries);
    this.#acted();
    for (const entry of entries) await this.#keep(entry);
    if (entries.length) this.cards.get(entries[0])?.root.scrollIntoView({ block: "nearest" });
  }

  /** The connected batch after a run. @param {(FileRef & {index: number})[]} pictures */
  #connected(pictures) {
    this.batch = pictures.map(({ filename, subfolder, type }) => ({ filename, subfolder: subfolder ?? "", type }));
    this.#lookAround();
  }

  /** A Load Image that is wired here shows its picture before any run. */
  #lookAround() {
    const wired = wiredFile(this.node, "images");
    const files = this.batch.length ? this.batch : wired ? [wired] : [];
    const known = (/** @type {FileRef} */ f) => this.waiting.find((e) => samePicture(e.image, f));
    const told = new Set(this.entries.map((e) => this.#fileOf(e)));
    this.waiting = files.filter((f) => !told.has(f) && !this.#has(f)).map((f) => known(f) ?? { text: "", verdict: null, image: f });
    this.render();
    if (this.waiting.length) this.read();
  }

  addComment() {
    const entry = /** @type {Entry} */ ({ text: "", verdict: null, image: null });
    this.entries.push(entry);
    this.#acted();
    this.cards.get(entry)?.text.focus();
  }

  // What is shown

  /** @param {string} sentence "" takes it away */
  complain(sentence) {
    this.note.textContent = sentence;
    this.note.hidden = !sentence;
  }

  /** @param {boolean} on */
  showText(on) {
    this.asText = on;
    if (on) this.box.value = this.value;
    this.render();
    (on ? this.box : this.text).focus();
  }

  render() {
    const wired = isLinked(this.node, this.name);
    const focused = /** @type {HTMLElement | null} */ (this.root.contains(document.activeElement) ? document.activeElement : null);
    this.text.setAttribute("aria-pressed", String(this.asText));
    this.list.hidden = this.asText || wired;
    this.box.hidden = !this.asText || wired;
    if (this.asText && document.activeElement !== this.box) this.box.value = this.value;
    const shown = [...this.entries, ...this.waiting];
    const cards = shown.map((entry) => {
      const card = this.cards.get(entry) ?? this.#card(entry);
      this.cards.set(entry, card);
      return card;
    });
    for (const entry of this.cards.keys()) if (!shown.includes(entry)) this.cards.delete(entry);
    const wanted = cards.map((card) => card.root);
    if (wanted.length !== this.list.children.length || wanted.some((root, i) => this.list.children[i] !== root)) {
      const top = this.list.scrollTop;
      this.list.replaceChildren(...wanted);
      this.list.scrollTop = top;
      if (focused?.isConnected) focused.focus({ preventScroll: true });
    }
    shown.forEach((entry, i) => this.#show(entry, cards[i], i, shown.length));
    if (!shown.length) this.list.append(h("p.viper-note", null, t("start")));
    this.#showTaste(wired);
  }

  /** @param {Entry} entry @param {Card} card @param {number} i @param {number} all */
  #show(entry, card, i, all) {
    card.root.setAttribute("aria-label", t("card", { n: i + 1, all }));
    card.root.classList.toggle("viper-waiting", this.waiting.includes(entry));
    const file = this.#fileOf(entry);
    const url = file ? pictureUrl(file) : "";
    if (card.shown !== url) {
      card.shown = url;
      card.thumb.className = "viper-thumb";
      card.thumb.replaceChildren(...(file ? [this.#image(card.thumb, file)] : []));
    }
    card.root.classList.toggle("viper-bare", !file && !entry.image);
    if (!file && entry.image) card.thumb.textContent = `# ${/** @type {any} */ (entry.image).index + 1}`;
    if (card.text.value !== entry.text) card.text.value = entry.text;
    for (const [verdict] of VERDICTS) card.buttons[verdict].setAttribute("aria-checked", String((entry.verdict ?? "neutral") === verdict));
    card.root.dataset.verdict = entry.verdict ?? "neutral";
  }

  /** @param {Entry} entry @returns {Card} */
  #card(entry) {
    const thumb = h("div.viper-thumb");
    const text = h("textarea.viper-say", { placeholder: t("say"), "aria-label": t("say"), rows: 2, spellcheck: true, "data-viper-part": "say" });
    const line = h("div.viper-line", { "data-viper-part": "found" });
    const teach = h("span.viper-teach", { hidden: true }, t("teach"));
    /** @type {Record<string, HTMLButtonElement>} */
    const buttons = {};
    const verdicts = VERDICTS.map(([verdict, sign]) => {
      buttons[verdict] = h(`button.viper-verdict.viper-${verdict}`, { type: "button", role: "radio", title: t(verdict), "aria-label": t(verdict), "data-viper-part": verdict, onclick: () => this.judge(entry, verdict) }, sign);
      return buttons[verdict];
    });
    const small = (/** @type {string} */ word, /** @type {string} */ sign, /** @type {() => void} */ action) =>
      h("button.viper-small", { type: "button", title: t(word), "aria-label": t(word), "data-viper-part": word, onclick: action }, sign);
    const root = h("div.viper-card", { role: "listitem", tabIndex: 0, "data-viper-part": "card" }, thumb,
      h("div.viper-body", null,
        h("div.viper-bar", null, h("span.viper-verdicts", { role: "radiogroup", "aria-label": t("verdict") }, ...verdicts), teach, h("span.viper-space"),
          small("earlier", "\u2191", () => this.move(entry, -1)), small("further", "\u2193", () => this.move(entry, 1)), small("remove", "\u2715", () => this.remove(entry))),
        text, line));
    text.addEventListener("input", () => {
      entry.text = text.value;
      this.#adopt(entry);
      this.changed();
      this.#showTaste(false);
    });
    text.addEventListener("paste", (/** @type {ClipboardEvent} */ event) => this.#pasted(event, entry));
    text.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.isComposing) return;
      if (event.key === "Escape") root.focus();
      else if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.metaKey) this.next(entry);
      else return;
      event.preventDefault();
    });
    root.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.target === root) this.#key(event, entry);
    });
    return { root, thumb, shown: "", text, line, buttons, teach };
  }

  /** @param {HTMLElement} thumb @param {FileRef} file */
  #image(thumb, file) {
    const image = h("img", { alt: file.filename, draggable: false, loading: "lazy", decoding: "async", src: pictureUrl(file) });
    image.addEventListener("error", () => {
      thumb.classList.add("viper-gone");
      thumb.replaceChildren(t("gone"));
    });
    return image;
  }

  /** Keys on a card: arrows go, Alt+arrows carry, + - 0 judge, Enter writes, Delete removes. @param {KeyboardEvent} event @param {Entry} entry */
  #key(event, entry) {
    if (event.ctrlKey || event.metaKey) return;
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step && event.altKey) this.move(entry, step);
    else if (step) this.#neighbour(entry, step)?.root.focus();
    else if ("+=lL".includes(event.key)) this.judge(entry, "like");
    else if ("-_dD".includes(event.key)) this.judge(entry, "dislike");
    else if ("0nN".includes(event.key)) this.judge(entry, "neutral");
    else if (event.key === "Enter" || event.key === "F2") this.cards.get(entry)?.text.focus();
    else if (event.key === "Delete" || event.key === "Backspace") this.remove(entry);
    else return;
    event.preventDefault();
  }

  /** @param {Entry} entry @param {number} step @returns {Card | undefined} */
  #neighbour(entry, step) {
    const shown = [...this.entries, ...this.waiting];
    return this.cards.get(shown[shown.indexOf(entry) + step]);
  }

  // What is done

  /** @param {Entry} entry @param {string} verdict */
  judge(entry, verdict) {
    entry.verdict = verdict === "like" || verdict === "dislike" ? verdict : null;
    this.#adopt(entry);
    this.#acted();
  }

  /** @param {Entry} entry @param {number} step */
  move(entry, step) {
    const at = this.entries.indexOf(entry);
    const to = at + step;
    if (at < 0 || to < 0 || to >= this.entries.length) return;
    this.entries.splice(to, 0, ...this.entries.splice(at, 1));
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    this.#acted();
    focused?.focus();
    this.cards.get(entry)?.root.scrollIntoView({ block: "nearest" });
  }

  /** @param {Entry} entry */
  remove(entry) {
    const near = this.#neighbour(entry, 1) ?? this.#neighbour(entry, -1);
    this.entries = this.entries.filter((e) => e !== entry);
    this.waiting = this.waiting.filter((e) => e !== entry);
    this.pairs = this.pairs.filter((p) => !p.includes(entry));
    this.#acted();
    (near?.root ?? this.text).focus();
  }

  /** Enter in a text box: on to the next one, or a new comment behind the last. @param {Entry} entry */
  next(entry) {
    const after = this.#neighbour(entry, 1);
    if (after) after.text.focus();
    else if (entry.text.trim()) this.addComment();
  }

  /** Several lines pasted into an empty box are as many comments. @param {ClipboardEvent} event @param {Entry} entry */
  async #pasted(event, entry) {
    const pasted = event.clipboardData?.getData("text/plain") ?? "";
    if (entry.text.trim() || entry.image || pasted.split("\n").filter((l) => l.trim()).length < 2) return;
    event.preventDefault();
    try {
      const { entries } = commentsFrom(await ask("read", { comments: pasted }));
      this.entries.splice(this.entries.indexOf(entry), 1, ...entries);
      this.#acted();
    } catch (error) {
      this.complain(/** @type {Error} */ (error).message);
    }
  }

  // What was understood

  async #read() {
    const turn = this.asked;
    const shown = [...this.entries, ...this.waiting];
    if (!shown.length) this.answer = null;
    if (!shown.length || this.asText) return this.#showTaste(false);
    let answer;
    try {
      answer = await ask("read", { comments: writeComments({ entries: shown, pairs: this.pairs }) });
    } catch {
      return; // the live line is a help, the run says what is wrong
    }
    if (turn !== this.asked) return;
    shown.forEach((entry, i) => {
      const card = this.cards.get(entry);
      const found = answer.features?.[i] ?? { liked: [], disliked: [] };
      card?.line.replaceChildren(...found.liked.map((/** @type {any} */ f) => chip(f, true)), ...found.disliked.map((/** @type {any} */ f) => chip(f, false)));
      const open = !entry.text.trim() && !entry.verdict;
      if (card) card.teach.hidden = !open || shown.length < 4 || !(answer.suggest ?? []).slice(0, 2).includes(i);
    });
    this.answer = answer;
    this.#showTaste(false);
  }

  /** @param {boolean} wired */
  #showTaste(wired) {
    if (wired) {
      this.count.textContent = "";
      return this.foot.replaceChildren(h("p.viper-note", null, t("wired")));
    }
    const judged = this.entries.filter((e) => e.text.trim() || e.verdict);
    const { liked = [], disliked = [], sure = 0 } = judged.length && this.answer ? this.answer : {};
    this.count.textContent = t(judged.length < ENOUGH ? "count" : "enough", { n: judged.length });
    this.foot.replaceChildren(
      h("div.viper-bar", null, h("strong", null, t("yes")), meter(sure, t("sure")), h("span.viper-note", { "data-viper-part": "advice" }, t(this.answer?.advice ?? ""))),
      h("div.viper-line", null, ...liked.map((/** @type {any} */ f) => chip(f, true)), ...disliked.map((/** @type {any} */ f) => chip(f, false)),
        judged.length > 0 && this.answer && !liked.length && !disliked.length && h("span.viper-note", null, t("nothing"))),
    );
  }
}
