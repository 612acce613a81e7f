// @ts-check
/** What the page is made of. Text goes in as text, never as HTML: questions and prompts come out of shared graphs. */
import { t } from "./words.mjs";

/** @param {string} tag "div.class" @param {Record<string, any> | null} [props] @param {...(Node | string | null)} children @returns {any} */
export function h(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props ?? {})) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.includes("-") || key === "role" || key === "style") element.setAttribute(key, String(value));
    else /** @type {any} */ (element)[key] = value;
  }
  element.append(...children.filter((child) => child !== null).map((child) => /** @type {Node} */ (child)));
  return element;
}

/** @param {string} title @param {{rank_1: {rate: number, low: number, high: number, n: number}, mean_rank: number}} found @param {number} among */
export function figure(title, found, among) {
  const { rate, low, high, n } = found.rank_1, percent = (/** @type {number} */ x) => (100 * x).toFixed(1).replace(/\.0$/, "");
  const sentence = t("range", { rate: percent(rate), low: percent(low), high: percent(high), chance: percent(1 / among), rank: found.mean_rank.toFixed(2), among });
  return h("div.figure", { tabIndex: -1, style: "outline:none" },
    h("p", null, title, h("br"), h("b", null, t("share", { k: Math.round(rate * n), n }))),
    h("div.scale", { "aria-hidden": true },
      h("i.range", { style: `left:${100 * low}%;right:${100 - 100 * high}%` }), h("i.chance", { style: `left:${100 / among}%` }), h("i.rate", { style: `left:${100 * rate}%` })),
    h("p.soft", null, sentence));
}
