// @ts-check
/** The page of a blind test: a name, sheet by sheet the pictures in order of liking, thanks. All addresses are relative to the page's. */
import { figure, h } from "./parts.mjs";
import { language, t } from "./words.mjs";

/** @typedef {{sheet: number, prompt: string, pictures: string[], done: boolean}} Sheet */
/** @typedef {{name: string, question: string, size: [number, number], sheets: Sheet[]}} Test */

const LEAST = 150; // pixels of a picture's width that still show something; below that the page scrolls instead
const NAME = new URLSearchParams(location.search).get("name") ?? "";
const main = /** @type {HTMLElement} */ (document.getElementById("page"));
const said = /** @type {HTMLElement} */ (document.getElementById("said"));

/** Who answers here; kept so that a reload goes on. @type {{device: string, begun: Record<string, string>}} */
const me = recall();
/** The sheet that is shown. @type {SheetView | null} */
let view = null;

/** A number of one's own; `crypto.randomUUID` is missing on plain http from another device. */
function number() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function recall() {
  try {
    const kept = JSON.parse(localStorage.getItem("viper-blind") ?? "");
    if (/^[0-9a-f]{8,32}$/.test(kept.device) && kept.begun && typeof kept.begun === "object") return kept;
  } catch { /* nothing kept, or nothing may be kept */ }
  return { device: number(), begun: {} };
}

function remember() {
  try {
    localStorage.setItem("viper-blind", JSON.stringify(me));
  } catch { /* a private window: a reload asks for the name again */ }
}

/** @param {string} what @param {Record<string, any>} values @param {boolean} [send] @returns {Promise<any>} rejects with the server's sentence */
async function ask(what, values, send = false) {
  const body = { name: NAME, participant: me.begun[NAME] ?? "", device: me.device, ...values };
  const response = send
    ? await fetch(`blind/${what}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })
    : await fetch(`blind/${what}?${new URLSearchParams(body)}`);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `${response.status}`);
  return answer;
}

/** @param {string} picture */
const address = (picture) => `blind/picture?${new URLSearchParams({ name: NAME, picture })}`;

/** @param {...Node} content */
function show(...content) {
  view = null;
  main.replaceChildren(...content);
  main.removeAttribute("aria-busy");
  scrollTo(0, 0);
}

async function open() {
  try {
    const test = /** @type {Test} */ (await ask("sheets", {}));
    if (NAME in me.begun) goOn(test);
    else showStart(test);
  } catch (error) {
    const again = h("button.button.main", { type: "button", onclick: open }, t("again"));
    show(h("div.card", null, h("h1", null, t("not_there")), h("p.wrong", { role: "alert" }, /** @type {Error} */ (error).message), h("div.row", null, again)));
  }
}

/** @param {Test} test */
const questionOf = (test) => test.question || t("question");

/** @param {Test} test */
function showStart(test) {
  const name = h("input", { type: "text", name: "who", maxLength: 60, autocomplete: "nickname", spellcheck: false, "aria-describedby": "who_hint" });
  const wrong = h("p.wrong", { role: "alert", hidden: true });
  const begin = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const participant = name.value.trim();
    try {
      const asked = await ask("sheets", { participant });
      me.begun[NAME] = participant;
      remember();
      const done = asked.sheets.filter((/** @type {Sheet} */ sheet) => sheet.done).length;
      goOn(asked, done ? t("welcome_back", { done, n: asked.sheets.length }) : "");
    } catch (error) {
      wrong.textContent = /** @type {Error} */ (error).message;
      wrong.hidden = false;
    }
  };
  show(h("form.card", { onsubmit: begin },
    h("h1", null, questionOf(test)),
    h("p", null, t("intro", { n: test.sheets.length, k: test.sheets[0].pictures.length })),
    h("label", null, t("who"), name),
    h("p.soft", { id: "who_hint" }, t("who_hint")),
    wrong,
    h("div.row", null, h("button.button.main", { type: "submit" }, t("start")))));
}

/** The first sheet that is not answered, or thanks. @param {Test} test @param {string} [hello] */
function goOn(test, hello = "") {
  const sheet = test.sheets.find((s) => !s.done);
  if (!sheet) return showThanks();
  const next = new SheetView(test, sheet, hello);
  show(next.root);
  view = next;
  next.begin();
}

class SheetView {
  /** @param {Test} test @param {Sheet} sheet @param {string} hello */
  constructor(test, sheet, hello) {
    this.test = test;
    this.sheet = sheet;
    /** @type {string[]} the best first */
    this.ranking = [];
    this.columns = 1;
    this.sends = false;
    const { pictures } = sheet, n = test.sheets.length, done = test.sheets.filter((s) => s.done).length;
    this.hello = hello;
    this.title = h("h1", { tabIndex: -1 }, questionOf(test));
    this.head = h("header.head", null,
      h("div.way", null, h("progress", { max: n, value: done, "aria-label": t("way", { at: done + 1, n }) }), h("span", { "aria-hidden": true }, t("way", { at: done + 1, n }))),
      this.title,
      sheet.prompt ? h("p.prompt", null, sheet.prompt) : null);
    this.picks = pictures.map((picture, i) => h("button.pick", { type: "button", "aria-pressed": false, onclick: () => this.tap(i) },
      h("img", { src: address(picture), alt: "", draggable: false }), h("span.place", { "aria-hidden": true, hidden: true })));
    this.grid = h("div.grid", null, ...this.picks.map((pick, i) => h("div.tile", null, pick,
      i < 10 ? h("kbd", { "aria-hidden": true }, String((i + 1) % 10)) : null,
      h("button.closer", { type: "button", title: t("closer", { n: i + 1 }), "aria-label": t("closer", { n: i + 1 }), onclick: () => this.#look(i) }, "\u2922"))));
    this.hint = h("span", null);
    this.undo = h("button.button", { type: "button", onclick: () => this.back() }, t("undo"));
    this.next = h("button.button.main", { type: "button", onclick: () => this.send() }, t(done + 1 < n ? "next" : "finish"));
    this.wrong = h("p.wrong", { role: "alert", hidden: true });
    const digits = pictures.length < 10 ? `1–${pictures.length}` : "1–9, 0";
    this.foot = h("footer.foot", null, this.wrong, h("p.hint", null, this.hint, h("span.keys", null, t("keys", { digits }))), this.undo, this.next);
    this.root = h("div.sheet", null, this.head, this.grid, this.foot);
    this.#update();
  }

  begin() {
    this.fit();
    this.title.focus({ preventScroll: true });
    said.textContent = this.hello;
    if (this.hello) this.hint.textContent = `${this.hello} ${t("best")}`;
    const next = this.test.sheets.find((s) => !s.done && s !== this.sheet);
    for (const picture of next?.pictures ?? []) new Image().src = address(picture); // there when they are needed
  }

  /** As large as the window lets all of them be; where that is too small to judge, as wide as it is. */
  fit() {
    const [width, height] = this.test.size, ratio = width / height, n = this.picks.length;
    const { gap, paddingLeft, paddingTop, paddingBottom } = getComputedStyle(this.grid), space = parseFloat(gap) || 0;
    const w = this.root.clientWidth - 2 * parseFloat(paddingLeft);
    const room = innerHeight - this.head.offsetHeight - this.foot.offsetHeight - parseFloat(paddingTop) - parseFloat(paddingBottom);
    const fits = Array.from({ length: n }, (_, i) => {
      const columns = i + 1, rows = Math.ceil(n / columns);
      return { columns, side: Math.min((w - (columns - 1) * space) / columns, ((room - (rows - 1) * space) / rows) * ratio) };
    });
    let best = fits.reduce((a, b) => (b.side > a.side ? b : a));
    if (best.side < LEAST) {
      const columns = Math.min(n, Math.max(w < 300 ? 1 : 2, Math.floor((w + space) / (LEAST + space))));
      best = { columns, side: (w - (columns - 1) * space) / columns };
    }
    this.columns = best.columns;
    this.grid.style.gridTemplateColumns = `repeat(${best.columns}, ${Math.floor(best.side)}px)`;
    this.grid.style.gridAutoRows = `${Math.floor(best.side / ratio)}px`;
  }

  /** Gives picture `i` the next place, or takes its place back. @param {number} i */
  tap(i) {
    if (this.sends) return;
    const picture = this.sheet.pictures[i], at = this.ranking.indexOf(picture);
    if (at < 0) this.ranking.push(picture);
    else this.ranking.splice(at, 1);
    said.textContent = at < 0 ? t("placed", { n: i + 1, place: this.ranking.length }) : t("taken_back", { n: i + 1 });
    this.#update();
  }

  back() {
    const last = this.ranking.at(-1);
    if (last !== undefined) this.tap(this.sheet.pictures.indexOf(last));
  }

  async send() {
    if (!this.ranking.length || this.sends) return void (said.textContent = this.hint.textContent);
    this.sends = true;
    this.next.disabled = this.undo.disabled = true;
    try {
      await ask("answer", { sheet: this.sheet.sheet, ranking: this.ranking }, true);
    } catch (error) {
      this.sends = false;
      this.wrong.textContent = error instanceof TypeError ? t("not_kept") : /** @type {Error} */ (error).message;
      this.wrong.hidden = false;
      this.#update();
      return this.next.focus();
    }
    this.sheet.done = true;
    goOn(this.test);
  }

  #update() {
    const { length } = this.ranking;
    this.picks.forEach((pick, i) => {
      const place = this.ranking.indexOf(this.sheet.pictures[i]) + 1;
      pick.setAttribute("aria-pressed", String(place > 0));
      pick.setAttribute("aria-label", place ? t("placed", { n: i + 1, place }) : t("no_place", { n: i + 1 }));
      pick.dataset.place = place || "";
      const badge = pick.querySelector(".place");
      badge.hidden = !place;
      badge.textContent = String(place);
    });
    this.hint.textContent = t(!length ? "best" : length < this.picks.length ? "next_best" : "all_ranked");
    this.undo.disabled = this.next.disabled = !length;
  }

  /** @param {number} at */
  #look(at) {
    const image = h("img", { alt: "" });
    const turn = (/** @type {number} */ by) => {
      at = (at + by + this.picks.length) % this.picks.length;
      image.src = address(this.sheet.pictures[at]);
      image.alt = t("closer", { n: at + 1 });
    };
    const close = h("button.button", { type: "button" }, t("close"));
    const dialog = h("dialog", { onclick: () => dialog.close(), onclose: () => { dialog.remove(); this.picks[at].focus(); } }, image, close);
    dialog.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "ArrowRight" || event.key === "ArrowLeft") turn(event.key === "ArrowRight" ? 1 : -1);
    });
    turn(0);
    document.body.append(dialog);
    dialog.showModal();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const at = this.picks.indexOf(/** @type {any} */ (document.activeElement));
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns }[event.key];
    if (step) {
      const to = at < 0 ? 0 : at + step;
      this.picks[to]?.focus();
    } else if (event.repeat) return;
    else if (/^\d$/.test(event.key)) {
      const i = event.key === "0" ? 9 : Number(event.key) - 1;
      if (i >= this.picks.length) return;
      this.title.focus({ preventScroll: true }); // on no picture: Enter goes on
      this.tap(i);
    } else if (event.key === "Backspace") this.back();
    else if (event.key === "Enter") {
      if (at < 0 && document.activeElement instanceof HTMLButtonElement) return; // that button's own
      if (at >= 0 && !this.ranking.includes(this.sheet.pictures[at])) this.tap(at);
      else this.send();
    } else return;
    event.preventDefault();
  }
}

function showThanks() {
  const result = h("div.card", { style: "padding:0;width:100%" });
  const ask_result = h("button.button.main", { type: "button", onclick: async () => {
    try {
      const found = await ask("result", {});
      result.replaceChildren(figure(t("own"), found.own, found.among), ...(found.people > 1 ? [figure(t("everybody", { n: found.people }), found.all, found.among)] : []));
      ask_result.hidden = true;
      result.firstChild.focus();
    } catch (error) {
      result.replaceChildren(h("p.wrong", { role: "alert" }, error instanceof TypeError ? t("not_there") : /** @type {Error} */ (error).message));
    }
  } }, t("show_result"));
  const other = h("button.button", { type: "button", onclick: () => {
    delete me.begun[NAME];
    me.device = number(); // another person without a name is another person
    remember();
    open();
  } }, t("other"));
  const title = h("h1", { tabIndex: -1 }, t("thanks"));
  show(h("div.card", null, title, h("p", null, t("all_kept")), result, h("div.row", null, ask_result, other)));
  title.focus();
}

document.documentElement.lang = language();
document.title = t("title");
addEventListener("resize", () => view?.fit());
document.addEventListener("keydown", (event) => {
  const elsewhere = document.querySelector("dialog") || event.ctrlKey || event.metaKey || event.altKey || event.isComposing;
  if (view && !elsewhere) view.key(event);
});
open();
