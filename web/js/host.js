// @ts-check
/** Everything of ComfyUI's page that the widgets use, behind a few functions. */
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";

/**
 * A picture on the server, as the host's pages name it.
 * @typedef {{filename: string, subfolder: string, type: string}} FileRef
 */

/** @param {string} href */
export function addStyle(href) {
  if (document.querySelector(`link[href="${href}"]`)) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  document.head.append(link);
}

/** The page's language, two letters. @returns {string} */
export function language() {
  const chosen = app.extensionManager?.setting?.get?.("Comfy.Locale");
  return String(chosen || navigator.language || "en").slice(0, 2);
}

/** Where the browser finds a picture. @param {FileRef} file @returns {string} */
export function pictureUrl(file) {
  const query = new URLSearchParams({ filename: file.filename, subfolder: file.subfolder ?? "", type: file.type ?? "input" });
  return api.apiURL(`/view?${query}`);
}

/** Where the browser opens one of the pack's routes. @param {string} route */
export const routeUrl = (route) => api.apiURL(`/viper/${route}`);

/**
 * Ask one of the pack's routes. Rejects with the server's sentence.
 * @param {string} route such as "read" @param {object} [body] @returns {Promise<any>}
 */
export async function ask(route, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let response;
  try {
    response = await api.fetchApi(`/viper/${route}`, options);
  } catch {
    throw new Error("ComfyUI does not answer: is it still running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `ComfyUI answered ${response.status}.`);
  return answer;
}

/** Put a file of the user's into input/viper. @param {File} file @returns {Promise<FileRef>} */
export async function upload(file) {
  const body = new FormData();
  // A pasted picture is always "image.png": a name of its own keeps the host from asking which one is meant.
  const name = /^image\.\w+$/.test(file.name) ? `pasted-${Date.now()}.${file.name.split(".").pop()}` : file.name;
  body.append("image", file, name);
  body.append("subfolder", "viper");
  body.append("type", "input");
  const response = await api.fetchApi("/upload/image", { method: "POST", body });
  if (!response.ok) throw new Error(`${file.name} could not be uploaded: ComfyUI answered ${response.status}.`);
  const done = await response.json();
  return { filename: done.name, subfolder: done.subfolder ?? "", type: done.type ?? "input" };
}

/** The page's undo takes note of the graph as it is now. */
export function remember() {
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  if (tracker?.captureCanvasState) tracker.captureCanvasState();
  else tracker?.checkState?.();
}

/** The page stores a graph when it takes note of a change, which it does not while one types: words of a tab that is closed stay, too. */
export function rememberAtTheEnd() {
  window.addEventListener("beforeunload", remember);
}

/** @param {any} node */
export function redraw(node) {
  node.graph?.setDirtyCanvas?.(true, true);
}

/**
 * Show `element` on `node`. Both renderers mount it; a `value` makes it the input `name`, without one it is only a view.
 * @param {any} node @param {string} name @param {HTMLElement} element
 * @param {{get?: () => string, set?: (value: string) => void, height: () => number}} options
 */
export function addView(node, name, element, options) {
  const widget = node.addDOMWidget(name, `viper_${name}`, element, {
    hideOnZoom: false,
    getMinHeight: options.height,
    ...(options.get ? { getValue: options.get, setValue: options.set } : { serialize: false, getValue: () => "", setValue: () => {} }),
  });
  if (!options.get) widget.serialize = false;
  element.classList.add("widget-expands"); // Nodes 2.0 gives such rows the free height of the node
  keepEvents(element);
  stayMounted(node, element);
  return widget;
}

/**
 * Give a new node room for its view; a saved one comes with its own size.
 * @param {any} node @param {number} width @param {number} more height beyond the least, in the graph's pixels
 */
export function enlarge(node, width, more) {
  const [least, height] = node.computeSize();
  node.setSize?.([Math.max(node.size[0], least, width), Math.max(node.size[1], height + more)]);
}

/**
 * Undo makes every node anew, but Nodes 2.0 keeps showing the former node's element, which nobody listens to any more.
 * @param {any} node @param {HTMLElement} element
 */
function stayMounted(node, element) {
  const settle = () => {
    element.dataset.viperNode = String(node.id);
    element.dataset.viperGraph = String(node.graph?.id ?? "");
    const { viper, viperNode, viperGraph } = element.dataset;
    const same = `[data-viper="${viper}"][data-viper-node="${CSS.escape(viperNode ?? "")}"][data-viper-graph="${CSS.escape(viperGraph ?? "")}"]`;
    for (const stale of document.querySelectorAll(same)) {
      if (stale === element || !node.graph) continue;
      if (element.isConnected) stale.remove();
      else stale.replaceWith(element);
    }
  };
  const soon = () => {
    settle();
    requestAnimationFrame(settle);
    setTimeout(settle, 120);
  };
  chain(node, "onAdded", soon);
  chain(node, "onConfigure", soon);
  // A click beside the view ends typing in it: the page's own undo is deaf while a text box has the focus.
  const leave = (/** @type {Event} */ event) => {
    const inside = /** @type {HTMLElement | null} */ (document.activeElement);
    if (inside && element.contains(inside) && !element.contains(/** @type {Node} */ (event.target))) inside.blur();
  };
  document.addEventListener("pointerdown", leave, true);
  chain(node, "onRemoved", () => document.removeEventListener("pointerdown", leave, true));
}

/** Typing, scrolling and clicking in a view is not meant for the canvas below it. @param {HTMLElement} element */
function keepEvents(element) {
  for (const kind of ["pointerdown", "pointermove", "pointerup", "mousedown", "dblclick", "contextmenu"]) {
    element.addEventListener(kind, (event) => {
      if (/** @type {PointerEvent} */ (event).button !== 1) event.stopPropagation(); // the middle button pans the canvas
    });
  }
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey) return; // Ctrl+Enter runs, Ctrl+Z undoes, Ctrl+S saves
    event.stopPropagation(); // Delete would delete the node
  });
  element.addEventListener("wheel", (event) => {
    let at = /** @type {HTMLElement | null} */ (event.target);
    while (at && at !== element.parentElement) {
      const room = at.scrollHeight - at.clientHeight;
      const scrolls = room > 1 && /auto|scroll/.test(getComputedStyle(at).overflowY);
      if (scrolls && !event.ctrlKey) return event.stopPropagation();
      at = at.parentElement;
    }
    event.preventDefault();
    event.stopPropagation();
    app.canvas?.processMouseWheel?.(event); // nothing to scroll here: zoom the graph as everywhere else
  }, { passive: false });
  for (const kind of ["copy", "cut"]) element.addEventListener(kind, (event) => event.stopPropagation());
}

/**
 * Files dropped on the node or pasted while it is selected, and on its view.
 * @param {any} node @param {HTMLElement} element @param {(files: File[]) => void} take
 */
export function takeFiles(node, element, take) {
  node.previewMediaType = "image"; // else the page makes a Load Image of what is pasted on the selected node
  const pictures = (/** @type {any} */ list) => [...(list ?? [])].filter((f) => f.type?.startsWith("image/"));
  const offered = (/** @type {any} */ event) => [...(event.dataTransfer?.items ?? [])].some((i) => i.kind === "file");
  node.onDragOver = offered;
  node.onDragDrop = (/** @type {DragEvent} */ event) => {
    const files = pictures(event.dataTransfer?.files);
    if (files.length) take(files);
    return files.length > 0;
  };
  node.pasteFiles = (/** @type {File[]} */ files) => {
    const some = pictures(files);
    if (some.length) take(some);
    return some.length > 0;
  };
  element.addEventListener("dragover", (event) => {
    if (!offered(event)) return;
    event.preventDefault();
    event.stopPropagation();
    element.classList.add("viper-drop");
  });
  element.addEventListener("dragleave", () => element.classList.remove("viper-drop"));
  element.addEventListener("drop", (event) => {
    element.classList.remove("viper-drop");
    const files = pictures(event.dataTransfer?.files);
    if (!files.length) return;
    event.preventDefault();
    event.stopPropagation();
    take(files);
  });
  element.addEventListener("paste", (event) => {
    event.stopPropagation(); // else the page pastes nodes
    const files = pictures(event.clipboardData?.files);
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
}

/** The file that a Load Image node wired to input `name` shows, before anything ran. @param {any} node @param {string} name @returns {FileRef | null} */
export function wiredFile(node, name) {
  if (!node.graph) return null; // a copy that is not placed yet
  const slot = node.inputs?.findIndex((/** @type {any} */ i) => i.name === name) ?? -1;
  const origin = slot < 0 ? null : node.getInputNode?.(slot);
  const value = origin?.widgets?.find((/** @type {any} */ w) => w.name === "image")?.value;
  if (typeof value !== "string" || !/\.(png|jpe?g|webp|gif|bmp|avif|tiff?)( \[\w+\])?$/i.test(value)) return null;
  const [, path, type] = /^(.*?)(?: \[(\w+)\])?$/.exec(value) ?? [];
  const parts = path.split("/");
  return { filename: parts.pop() ?? "", subfolder: parts.join("/"), type: type ?? "input" };
}

/** Is input `name` fed by a link? @param {any} node @param {string} name @returns {boolean} */
export function isLinked(node, name) {
  const input = node.inputs?.find((/** @type {any} */ i) => (i.widget?.name ?? i.name) === name);
  return input?.link != null && !isShownOutside(node, name, input.link);
}

/** Is the link from the subgraph's own input, and our very element on its node outside, as 1.32.9 has it? Newer pages show none there. */
function isShownOutside(/** @type {any} */ node, /** @type {string} */ name, /** @type {any} */ id) {
  const root = app.rootGraph ?? app.graph;
  const element = widgetOf(node, name)?.element;
  const link = node.graph?.links?.get?.(id) ?? node.graph?.links?.[id];
  if (!element || link?.origin_id !== -10) return false; // the host's id for a subgraph's inputs
  return [root, ...(root?.subgraphs?.values?.() ?? [])].some((graph) => graph._nodes.some((/** @type {any} */ n) => n.subgraph === node.graph
    && n.widgets?.some((/** @type {any} */ w) => w.element === element && !isLinked(n, w.name))));
}

/** @type {{id: string, pictures: FileRef[]}} */
let lastRun = { id: "", pictures: [] };
/** @type {Set<() => void>} */
const watchers = new Set();

/** Collect what runs show, from any node. */
export function watchRuns() {
  api.addEventListener("executed", (/** @type {any} */ event) => {
    const { output, prompt_id: id } = event.detail ?? {};
    const pictures = (output?.images ?? []).filter((/** @type {any} */ f) => f?.filename && /\.(png|jpe?g|webp|avif)$/i.test(f.filename));
    if (!pictures.length) return;
    if (lastRun.id !== id) lastRun = { id, pictures: [] };
    lastRun.pictures.push(...pictures.map((/** @type {any} */ f) => ({ filename: f.filename, subfolder: f.subfolder ?? "", type: f.type ?? "output" })));
    for (const tell of watchers) tell();
  });
}

/** Pictures of the last run of this page, any graph. @returns {FileRef[]} */
export const picturesOfLastRun = () => lastRun.pictures;

/** @param {any} node @param {() => void} tell called when a run has shown pictures, until the node is gone */
export function onPictures(node, tell) {
  watchers.add(tell);
  chain(node, "onRemoved", () => watchers.delete(tell));
}

/** Do `more` after the node's own `method`. @param {any} node @param {string} method @param {(...args: any[]) => void} more */
export function chain(node, method, more) {
  const before = node[method];
  node[method] = function (/** @type {any[]} */ ...args) {
    const result = before?.apply(this, args);
    more.apply(this, args);
    return result;
  };
}

/**
 * Hear of what each run told `node`, and again after an undo has made it anew: the page keeps the outputs, the node does not.
 * @param {any} node @param {(output: any) => void} tell
 */
export function onOutput(node, tell) {
  let told = false;
  chain(node, "onExecuted", (output) => {
    told = true;
    tell(output ?? {});
  });
  const recall = () => {
    if (told || !node.graph) return;
    const root = app.rootGraph ?? app.graph;
    const inside = node.graph !== root && node.graph.id !== root?.id;
    const kept = app.nodeOutputs?.[inside ? `${node.graph.id}:${node.id}` : String(node.id)];
    if (!kept) return;
    told = true;
    tell(kept);
  };
  chain(node, "onConfigure", () => {
    setTimeout(recall, 50); // the page puts its outputs back after the nodes
    setTimeout(recall, 400);
  });
}

/** @param {any} node @param {string} name @returns {any} */
export const widgetOf = (node, name) => node.widgets?.find((/** @type {any} */ w) => w.name === name);
