// @ts-check
/** The pack's one extension of the page. Widgets are views of STRING inputs: what they hold is what the workflow file holds. */
import { app } from "../../scripts/app.js";
import { addBlind } from "./js/blind.js";
import { commentsWidget } from "./js/comments.js";
import { addChips } from "./js/chips.js";
import { addProfile } from "./js/profile.js";
import { rankingWidget } from "./js/ranking.js";
import { addStyle, rememberAtTheEnd, watchRuns } from "./js/host.js";

/** Inputs that get a widget of ours instead of the page's text box: node → input → widget type. */
const OURS = {
  ViPerCommentOnImages: { comments: "VIPER_COMMENTS_VIEW" },
  ViPerRankPictures: { ranking: "VIPER_RANKING_VIEW" },
};

app.registerExtension({
  name: "viper.personalization",

  init() {
    addStyle(new URL("./viper.css", import.meta.url).href);
    watchRuns();
    rememberAtTheEnd();
  },

  getCustomWidgets() {
    return {
      VIPER_COMMENTS_VIEW: (/** @type {any} */ node, /** @type {string} */ name) => commentsWidget(node, name),
      VIPER_RANKING_VIEW: (/** @type {any} */ node, /** @type {string} */ name) => rankingWidget(node, name),
    };
  },

  beforeRegisterNodeDef(/** @type {any} */ _type, /** @type {any} */ data) {
    for (const [input, widget] of Object.entries(OURS[/** @type {keyof typeof OURS} */ (data.name)] ?? {})) {
      // The input stays a STRING for everybody else: links, the API and pages without this extension.
      const spec = data.input?.required?.[input];
      if (spec) spec[1] = { ...spec[1], widgetType: widget };
    }
  },

  nodeCreated(/** @type {any} */ node) {
    if (node.comfyClass === "ViPerCommentsToPreferences") addChips(node);
    if (node.comfyClass === "ViPerLoadPreferences") addProfile(node);
    if (node.comfyClass === "ViPerBlindTest") addBlind(node);
  },
});
