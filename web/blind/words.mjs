// @ts-check
/** What the page of the blind test says, in the browser's language. */

/** @type {Record<string, Record<string, string>>} */
export const WORDS = {
  title: { en: "Blind test", ko: "블라인드 테스트", ja: "ブラインドテスト", zh: "盲测" },
  question: { en: "Which of these pictures do you like best? Rank them from best to worst.", ko: "어느 그림이 가장 마음에 드나요? 좋은 것부터 차례로 골라 주세요.", ja: "どの絵がいちばん好きですか。好きな順に選んでください。", zh: "您最喜欢哪张图？请从最喜欢的开始依次排序。" },
  intro: { en: "{n} × {k} pictures. Tap them from best to worst; the best alone is enough. There is no right or wrong.", ko: "그림 {k}장씩 {n}번입니다. 좋은 것부터 차례로 누르세요. 가장 좋은 하나만 골라도 됩니다. 정답은 없습니다.", ja: "{k} 枚の絵を {n} 回お見せします。好きな順にタップしてください。いちばん好きな 1 枚だけでもかまいません。正解はありません。", zh: "共 {n} 组，每组 {k} 张图。请从最喜欢的开始依次点选，只选最喜欢的一张也可以。答案没有对错。" },
  who: { en: "Your name or nickname (optional)", ko: "이름이나 별명 (선택)", ja: "お名前かニックネーム（任意）", zh: "姓名或昵称（可选）" },
  who_hint: { en: "With a name you can go on later on any device; without one, on this device.", ko: "이름을 쓰면 나중에 어느 기기에서나 이어 할 수 있고, 쓰지 않으면 이 기기에서만 이어집니다.", ja: "お名前があれば、あとでどの端末からでも続けられます。なければこの端末でのみ続けられます。", zh: "填写后可在任何设备上继续；不填则只能在本设备上继续。" },
  start: { en: "Start", ko: "시작", ja: "はじめる", zh: "开始" },
  welcome_back: { en: "Welcome back: {done} of {n} are done already.", ko: "다시 오셨군요. {n}개 가운데 {done}개를 마쳤습니다.", ja: "おかえりなさい。{n} 組のうち {done} 組が済んでいます。", zh: "欢迎回来：{n} 组中已完成 {done} 组。" },
  way: { en: "{at} of {n}", ko: "{at} / {n}", ja: "{at} / {n}", zh: "{at} / {n}" },
  best: { en: "Tap the picture you like best.", ko: "가장 마음에 드는 그림을 누르세요.", ja: "いちばん好きな絵をタップしてください。", zh: "请点选最喜欢的图。" },
  next_best: { en: "Which one comes next? Or go on.", ko: "다음으로 좋은 그림은요? 여기서 넘어가도 됩니다.", ja: "次に好きな絵は？ このまま進んでもかまいません。", zh: "接下来是哪一张？也可以直接继续。" },
  all_ranked: { en: "All are ranked.", ko: "순위를 다 매겼습니다.", ja: "すべて順位がつきました。", zh: "全部排好了。" },
  keys: { en: "Keys: {digits} or arrows and Enter; Backspace takes back, Enter goes on.", ko: "키보드: {digits} 또는 화살표와 Enter, Backspace로 되돌리고 Enter로 넘어갑니다.", ja: "キー操作：{digits} または矢印と Enter、Backspace で取り消し、Enter で次へ。", zh: "键盘：{digits} 或方向键加 Enter；Backspace 撤回，Enter 继续。" },
  undo: { en: "Undo", ko: "되돌리기", ja: "取り消す", zh: "撤回" },
  next: { en: "Next", ko: "다음", ja: "次へ", zh: "下一组" },
  finish: { en: "Finish", ko: "마치기", ja: "完了", zh: "完成" },
  placed: { en: "Picture {n}: place {place}", ko: "{n}번 그림: {place}위", ja: "{n} 番の絵：{place} 位", zh: "第 {n} 张图：第 {place} 名" },
  no_place: { en: "Picture {n}: no place yet", ko: "{n}번 그림: 아직 순위 없음", ja: "{n} 番の絵：まだ順位なし", zh: "第 {n} 张图：尚无名次" },
  taken_back: { en: "Picture {n} has no place any more", ko: "{n}번 그림의 순위를 지웠습니다", ja: "{n} 番の絵の順位を取り消しました", zh: "已撤回第 {n} 张图的名次" },
  closer: { en: "Look closer at picture {n}", ko: "{n}번 그림 크게 보기", ja: "{n} 番の絵を拡大", zh: "放大第 {n} 张图" },
  close: { en: "Close", ko: "닫기", ja: "閉じる", zh: "关闭" },
  not_kept: { en: "Not kept yet. Check the connection and try again.", ko: "아직 저장되지 않았습니다. 연결을 확인하고 다시 시도하세요.", ja: "まだ保存されていません。接続を確認して、もう一度お試しください。", zh: "尚未保存。请检查连接后重试。" },
  not_there: { en: "The test cannot be opened.", ko: "테스트를 열 수 없습니다.", ja: "テストを開けません。", zh: "无法打开测试。" },
  again: { en: "Try again", ko: "다시 시도", ja: "もう一度", zh: "重试" },
  thanks: { en: "Thank you!", ko: "고맙습니다!", ja: "ありがとうございました！", zh: "谢谢！" },
  all_kept: { en: "All your answers are kept.", ko: "답이 모두 저장되었습니다.", ja: "回答はすべて保存されました。", zh: "您的回答已全部保存。" },
  show_result: { en: "Show result", ko: "결과 보기", ja: "結果を見る", zh: "查看结果" },
  other: { en: "Somebody else answers", ko: "다른 사람이 답하기", ja: "ほかの人が答える", zh: "换一个人回答" },
  own: { en: "You put the personalised picture first", ko: "개인화된 그림을 1위로 고른 횟수", ja: "パーソナライズされた絵を 1 位に選んだ回数", zh: "您把个性化图排在第一的次数" },
  everybody: { en: "Everybody so far: {n}", ko: "지금까지 답한 사람: {n}명", ja: "これまでの回答者：{n} 人", zh: "至今的全部参与者：{n} 人" },
  share: { en: "{k} of {n}", ko: "{n}번 중 {k}번", ja: "{n} 回中 {k} 回", zh: "{n} 次中 {k} 次" },
  range: { en: "{rate} % (95 % interval: {low} to {high} %); by chance {chance} %. Mean place: {rank} of {among}.", ko: "{rate} % (95 % 구간: {low}~{high} %), 우연이라면 {chance} %. 평균 순위: {among}장 중 {rank}위.", ja: "{rate} %（95 % 区間：{low}～{high} %）。偶然なら {chance} %。平均順位：{among} 枚中 {rank} 位。", zh: "{rate} %（95 % 区间：{low} 至 {high} %）；随机为 {chance} %。平均名次：{among} 张中第 {rank}。" },
};

export const LANGUAGES = ["en", "ko", "ja", "zh"];

/** @returns {string} the first language of the browser that the page speaks */
export function language() {
  const wanted = (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2).toLowerCase());
  return wanted.find((tag) => LANGUAGES.includes(tag)) ?? "en";
}

/** @param {string} name @param {Record<string, string | number>} [values] for {names} in the sentence @returns {string} */
export function t(name, values = {}) {
  return (WORDS[name][language()] ?? WORDS[name].en).replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));
}
