// @ts-check
/** What the widgets keep in the workflow file: versioned JSON in one STRING, to entries and back. No page needed. */

/**
 * @typedef {import("./host.js").FileRef} FileRef
 * @typedef {{text: string, verdict: "like" | "dislike" | null, image: FileRef | {index: number} | null}} Entry
 * @typedef {{entries: Entry[], pairs: [Entry, Entry][]}} Comments
 * @typedef {{pictures: (FileRef | {index: number})[], pairs: [number, number][]}} Ranking
 */

const VERSION = 1;

/** @param {string} text @returns {boolean} is this the JSON form (an opening brace), not plain lines? */
export const isJson = (text) => /^[\ufeff\s]*\{/.test(text);

/** @param {any} image @returns {FileRef | {index: number} | null} */
function reference(image) {
  if (!image || typeof image !== "object") return null;
  if (Number.isInteger(image.index)) return { index: image.index };
  if (typeof image.filename !== "string" || !image.filename) return null;
  return { filename: image.filename, subfolder: String(image.subfolder ?? ""), type: String(image.type ?? "input") };
}

/** @param {any} data @returns {any} throws a sentence for what this version does not read */
function versioned(data) {
  if (!data || typeof data !== "object" || data.version !== VERSION) throw new Error(`This is not version ${VERSION} of the format: update the pack.`);
  return data;
}

/** JSON, or what the route "read" answered for plain lines. @param {any} data @returns {Comments} */
export function commentsFrom(data) {
  const list = Array.isArray(data?.comments) ? data.comments : [];
  const entries = list.map((/** @type {any} */ c) => ({
    text: String(typeof c === "string" ? c : (c?.text ?? "")),
    verdict: c?.verdict === "like" || c?.verdict === "dislike" ? c.verdict : null,
    image: reference(c?.image),
  }));
  const pairs = (Array.isArray(data?.pairs) ? data.pairs : []).map((/** @type {any} */ p) => [entries[p?.[0]], entries[p?.[1]]]);
  return { entries, pairs: pairs.filter((/** @type {any} */ p) => p[0] && p[1]) };
}

/** @param {string} text JSON @returns {Comments} throws a sentence */
export function parseComments(text) {
  return commentsFrom(versioned(JSON.parse(text.replace(/^\ufeff/, ""))));
}

/** @param {Comments} comments @returns {string} "" for none */
export function writeComments({ entries, pairs }) {
  if (!entries.length) return "";
  const known = pairs.map((p) => p.map((e) => entries.indexOf(e))).filter((p) => p[0] >= 0 && p[1] >= 0);
  return JSON.stringify({ version: VERSION, comments: entries, ...(known.length ? { pairs: known } : {}) });
}

/** @param {string} text @returns {Ranking} throws a sentence */
export function parseRanking(text) {
  if (!text.trim()) return { pictures: [], pairs: [] };
  const data = versioned(JSON.parse(text.replace(/^\ufeff/, "")));
  const all = (Array.isArray(data.pictures) ? data.pictures : []).map(reference);
  const pictures = all.filter(Boolean);
  const pairs = (Array.isArray(data.pairs) ? data.pairs : [])
    .map((/** @type {any} */ p) => [pictures.indexOf(all[p?.[0]]), pictures.indexOf(all[p?.[1]])])
    .filter((/** @type {any} */ p) => p[0] >= 0 && p[1] >= 0 && p[0] !== p[1]);
  return { pictures, pairs };
}

/** @param {Ranking} ranking @returns {string} "" for nothing */
export function writeRanking({ pictures, pairs }) {
  return pictures.length ? JSON.stringify({ version: VERSION, pictures, pairs }) : "";
}

/** The ranking without picture `at`. @param {Ranking} ranking @param {number} at @returns {Ranking} */
export function withoutPicture({ pictures, pairs }, at) {
  const moved = (/** @type {number} */ i) => (i > at ? i - 1 : i);
  return {
    pictures: pictures.filter((_, i) => i !== at),
    pairs: pairs.filter((p) => !p.includes(at)).map(([a, b]) => [moved(a), moved(b)]),
  };
}

/** @param {any} a @param {any} b @returns {boolean} do both name one picture? */
export function samePicture(a, b) {
  if (!a || !b) return false;
  if ("index" in a || "index" in b) return a.index === b.index;
  return a.filename === b.filename && (a.subfolder ?? "") === (b.subfolder ?? "") && (a.type ?? "input") === (b.type ?? "input");
}

/** The key under which two wordings are one feature, as on the server. @param {string} name @returns {string} */
export function key(name) {
  return name.normalize("NFKC").toLowerCase().replace(/-/g, " ").replace(/colour/g, "color").replace(/grey/g, "gray").split(/\s+/).filter(Boolean).join(" ");
}

/**
 * Write a correction of one feature into the lines of `overrides`; what was said of it before goes.
 * @param {string} edits @param {string} name @param {{side: "like" | "dislike" | "forget", weight?: number} | null} change null takes it back
 * @returns {string}
 */
export function override(edits, name, change) {
  const about = (/** @type {string} */ line) => {
    const match = /^\s*(?:[+\-~]\s*|x\s+)?(.*?)\s*(?:=\s*[\d.]+\s*)?$/i.exec(line);
    return !line.includes("->") && match !== null && key(match[1]) === key(name);
  };
  const lines = edits.split("\n").filter((line) => line.trim() && !about(line));
  if (change) {
    const sign = { like: "+", dislike: "-", forget: "~" }[change.side];
    const weight = change.side === "forget" || change.weight === undefined ? "" : ` = ${+change.weight.toFixed(2)}`;
    lines.push(`${sign} ${name}${weight}`);
  }
  return lines.join("\n");
}
