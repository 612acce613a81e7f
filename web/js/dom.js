// @ts-check
/** Small helpers to make elements. Text goes in as text, never as HTML: comments come out of shared files. */

/**
 * @param {string} tag "div.class.other"
 * @param {Record<string, any> | null} [props] properties, "on…" listeners, "data-…" and "aria-…" attributes
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {any}
 */
export function h(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.includes("-") || key === "role") element.setAttribute(key, String(value));
    else /** @type {any} */ (element)[key] = value;
  }
  element.append(...children.filter((c) => c !== null && c !== undefined && c !== false).map((c) => /** @type {any} */ (c)));
  return element;
}

/** @param {() => void} action @param {number} ms @returns {() => void} */
export function later(action, ms) {
  /** @type {any} */
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, ms);
  };
}

/**
 * A feature as a chip: sign, name, weight where it says something.
 * @param {{text: string, weight: number, source?: string}} feature @param {boolean} liked @param {string} [tag] "span", or "button" to press
 */
export function chip(feature, liked, tag = "span") {
  const weight = Math.abs(feature.weight - 1) < 0.05 ? "" : feature.weight.toFixed(1);
  const element = h(
    `${tag}.viper-chip.${liked ? "viper-liked" : "viper-disliked"}`,
    { title: feature.source || undefined, "data-viper-part": "chip", "data-feature": feature.text, "data-side": liked ? "liked" : "disliked" },
    h("b", null, liked ? "+" : "\u2212"), ` ${feature.text}`, weight && h("small", null, ` ${weight}`),
  );
  if (tag === "button") element.type = "button";
  return element;
}

/** How sure the profile is, as a bar. @param {number} sure 0..1 @param {string} label */
export function meter(sure, label) {
  const share = Math.round(100 * Math.min(1, Math.max(0, sure)));
  return h("div.viper-meter", { role: "meter", "aria-valuenow": share, "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": label, title: `${label}: ${share} %` },
    h("i", { style: `width:${share}%` }));
}
