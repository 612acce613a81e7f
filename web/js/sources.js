// @ts-check
/** Where pictures come from: the host's folders, uploads, and what the last run showed. */
import { h } from "./dom.js";
import { ask, onPictures, pictureUrl, picturesOfLastRun, upload } from "./host.js";
import { t } from "./words.js";

/** @typedef {import("./host.js").FileRef} FileRef */

/**
 * Buttons and a panel to add pictures with.
 * @param {any} node
 * @param {{add: (files: FileRef[]) => void, has: (file: FileRef) => boolean, complain: (sentence: string) => void}} owner
 * @returns {{buttons: HTMLElement[], panel: HTMLElement, take: (files: File[]) => Promise<void>, close: () => boolean}}
 */
export function pictureSources(node, owner) {
  const panel = h("div.viper-panel", { hidden: true, "data-viper-part": "picker" });
  const file = h("input", { type: "file", accept: "image/*", multiple: true, hidden: true, "data-viper-part": "file" });
  const filter = h("input.viper-input", { type: "search", placeholder: t("filter"), "aria-label": t("filter") });
  const grid = h("div.viper-grid");
  const place = h("select.viper-input", { "aria-label": t("pictures") }, ...["input", "output"].map((p) => h("option", { value: p }, p)));
  const open = h("button.viper-button", { type: "button", title: t("pictures_hint"), "aria-expanded": "false", "data-viper-part": "pictures" }, `+ ${t("pictures")}`);
  const last = h("button.viper-button", { type: "button", title: t("last_run_hint"), "data-viper-part": "last-run" });
  /** @type {FileRef[]} */
  let listed = [];

  async function take(/** @type {File[]} */ files) {
    const done = [];
    for (const one of files) {
      try {
        done.push(await upload(one));
      } catch (error) {
        owner.complain(/** @type {Error} */ (error).message);
      }
    }
    if (!done.length) return;
    close(); // so that they are seen
    owner.add(done);
  }

  function close() {
    if (panel.hidden) return false;
    toggle(false);
    return true;
  }

  function showList() {
    const wanted = filter.value.trim().toLowerCase();
    const found = listed.filter((f) => `${f.subfolder}/${f.filename}`.toLowerCase().includes(wanted)).slice(0, 200);
    grid.replaceChildren(...found.map((f) => {
      const button = h("button.viper-pick", { type: "button", title: [f.subfolder, f.filename].filter(Boolean).join("/"), "aria-pressed": String(owner.has(f)) },
        h("img", { src: pictureUrl(f), alt: f.filename, loading: "lazy", decoding: "async" }));
      button.addEventListener("click", () => {
        if (!owner.has(f)) owner.add([f]);
        button.setAttribute("aria-pressed", "true");
      });
      return button;
    }));
    if (!found.length) grid.append(h("p.viper-note", null, t("no_pictures")));
  }

  async function list() {
    try {
      listed = (await ask(`pictures?place=${place.value}`)).pictures;
    } catch (error) {
      listed = [];
      owner.complain(/** @type {Error} */ (error).message);
    }
    showList();
  }

  function toggle(/** @type {boolean} */ shown) {
    panel.hidden = !shown;
    open.setAttribute("aria-expanded", String(shown));
    if (shown) list();
    else open.focus();
  }

  function showLast() {
    const fresh = picturesOfLastRun().filter((f) => !owner.has(f));
    last.textContent = fresh.length ? `${t("last_run")} (${fresh.length})` : t("last_run");
    last.disabled = !fresh.length;
  }

  open.addEventListener("click", () => toggle(panel.hidden));
  last.addEventListener("click", () => {
    owner.add(picturesOfLastRun().filter((f) => !owner.has(f)));
    showLast();
  });
  file.addEventListener("change", () => {
    take([...file.files]);
    file.value = "";
  });
  filter.addEventListener("input", showList);
  place.addEventListener("change", list);
  panel.append(
    h("div.viper-bar", null, place, filter,
      h("button.viper-button", { type: "button", onclick: () => file.click() }, t("upload")),
      h("button.viper-button", { type: "button", onclick: () => toggle(false) }, t("close")), file),
    grid,
  );
  onPictures(node, showLast);
  showLast();
  return {
    buttons: [open, last], panel, take, close,
  };
}
