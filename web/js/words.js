// @ts-check
/** What the widgets say, in the pack's four languages. */
import { language } from "./host.js";

/** By a name, or by the English sentence where the server says it. @type {Record<string, Record<string, string>>} */
const WORDS = {
  pictures: { en: "Pictures", ko: "그림", ja: "画像", zh: "图片" },
  pictures_hint: { en: "Add pictures: from the input or output folder, or upload. Dropping and pasting work too.", ko: "그림 추가: input/output 폴더 또는 업로드. 끌어 놓기와 붙여넣기도 됩니다.", ja: "画像を追加：input/output フォルダーまたはアップロード。ドロップや貼り付けもできます。", zh: "添加图片：来自 input/output 文件夹或上传，也可拖放或粘贴。" },
  last_run: { en: "Last run", ko: "마지막 실행", ja: "直前の実行", zh: "上次运行" },
  last_run_hint: { en: "Comment on what was just generated", ko: "방금 생성한 그림에 의견 쓰기", ja: "生成したばかりの画像にコメントする", zh: "评论刚生成的图片" },
  comment: { en: "Comment", ko: "의견", ja: "コメント", zh: "评论" },
  comment_hint: { en: "Add a comment without a picture", ko: "그림 없는 의견 추가", ja: "画像なしのコメントを追加", zh: "添加无图片的评论" },
  as_text: { en: "Text", ko: "텍스트", ja: "テキスト", zh: "文本" },
  as_text_hint: { en: "Edit as text: one comment a line, + or - in front", ko: "텍스트로 편집: 한 줄에 의견 하나, 앞에 + 또는 -", ja: "テキストとして編集：1行に1コメント、先頭に + か -", zh: "以文本编辑：每行一条评论，前面加 + 或 -" },
  upload: { en: "Upload…", ko: "업로드…", ja: "アップロード…", zh: "上传…" },
  filter: { en: "Find by name", ko: "이름으로 찾기", ja: "名前で探す", zh: "按名称查找" },
  close: { en: "Done", ko: "완료", ja: "完了", zh: "完成" },
  no_pictures: { en: "No pictures here.", ko: "여기에는 그림이 없습니다.", ja: "ここに画像はありません。", zh: "这里没有图片。" },
  like: { en: "Like", ko: "좋아요", ja: "好き", zh: "喜欢" },
  dislike: { en: "Dislike", ko: "싫어요", ja: "嫌い", zh: "不喜欢" },
  neutral: { en: "Let the words decide", ko: "글이 결정", ja: "言葉に任せる", zh: "由文字决定" },
  verdict: { en: "Verdict", ko: "평가", ja: "評価", zh: "评价" },
  remove: { en: "Remove", ko: "삭제", ja: "削除", zh: "移除" },
  earlier: { en: "Move up", ko: "위로", ja: "上へ", zh: "上移" },
  further: { en: "Move down", ko: "아래로", ja: "下へ", zh: "下移" },
  say: { en: "What do you like or dislike here, and why?", ko: "무엇이 좋거나 싫은가요? 왜 그런가요?", ja: "何が好き・嫌いですか。その理由は？", zh: "喜欢或不喜欢什么？为什么？" },
  card: { en: "Comment {n} of {all}", ko: "의견 {n}/{all}", ja: "コメント {n}/{all}", zh: "评论 {n}/{all}" },
  gone: { en: "This picture is gone; the words stay.", ko: "그림이 없어졌지만 글은 남습니다.", ja: "画像は失われましたが、言葉は残ります。", zh: "图片已不存在；文字仍保留。" },
  start: { en: "Drop pictures here, paste them, or add them above. Then say what you like and dislike about them, and why.", ko: "그림을 여기에 놓거나 붙여넣거나 위에서 추가하세요. 그리고 무엇이 왜 좋고 싫은지 쓰세요.", ja: "画像をここにドロップ、貼り付け、または上から追加し、好きな点・嫌いな点とその理由を書いてください。", zh: "把图片拖到这里、粘贴或从上方添加，然后写下喜欢和不喜欢什么以及为什么。" },
  count: { en: "{n} of 8", ko: "{n}/8", ja: "{n}/8", zh: "{n}/8" },
  enough: { en: "{n} comments", ko: "의견 {n}개", ja: "コメント {n} 件", zh: "{n} 条评论" },
  sure: { en: "How sure your taste is known", ko: "취향을 얼마나 확실히 아는지", ja: "好みの確かさ", zh: "对您品味的把握程度" },
  teach: { en: "teaches most", ko: "가장 도움 됨", ja: "最も参考になる", zh: "最有帮助" },
  wired: { en: "The comments come over the wire.", ko: "의견이 연결선으로 들어옵니다.", ja: "コメントは接続から届きます。", zh: "评论由连线传入。" },
  yes: { en: "Your taste", ko: "내 취향", ja: "あなたの好み", zh: "您的品味" },
  nothing: { en: "No visual feature was found yet.", ko: "아직 찾은 특징이 없습니다.", ja: "まだ特徴は見つかっていません。", zh: "尚未找到视觉特征。" },
  after_run: { en: "Run the graph: what was understood appears here, to correct.", ko: "그래프를 실행하면 이해한 내용이 여기에 나타나고 고칠 수 있습니다.", ja: "グラフを実行すると、読み取った内容がここに表示され、修正できます。", zh: "运行后，这里会显示所理解的内容，可以更正。" },
  weight: { en: "Weight", ko: "가중치", ja: "重み", zh: "权重" },
  forget: { en: "Forget", ko: "잊기", ja: "忘れる", zh: "忽略" },
  reset: { en: "As found", ko: "원래대로", ja: "元に戻す", zh: "还原" },
  add_feature: { en: "something it missed", ko: "빠진 특징", ja: "見落とした特徴", zh: "遗漏的特征" },
  corrected: { en: "Corrected: the next run uses it.", ko: "고쳤습니다. 다음 실행부터 쓰입니다.", ja: "修正しました。次の実行から使われます。", zh: "已更正：下次运行生效。" },
  code: { en: "Paste a share code", ko: "공유 코드 붙여넣기", ja: "共有コードを貼り付け", zh: "粘贴分享码" },
  no_profile: { en: "Choose a profile or paste a share code.", ko: "프로필을 고르거나 공유 코드를 붙여넣으세요.", ja: "プロファイルを選ぶか、共有コードを貼り付けてください。", zh: "选择档案或粘贴分享码。" },
  better: { en: "This one", ko: "이쪽", ja: "こちら", zh: "这张" },
  skip: { en: "Skip", ko: "건너뛰기", ja: "スキップ", zh: "跳过" },
  undo: { en: "Back", ko: "되돌리기", ja: "戻る", zh: "返回" },
  ranked: { en: "Pairs ranked: {n}", ko: "{n}쌍 평가함", ja: "{n} 組を評価済み", zh: "已比较 {n} 对" },
  two: { en: "Add at least two pictures, then choose the better one with ← and →.", ko: "그림을 두 장 이상 추가하고 ← →로 더 좋은 쪽을 고르세요.", ja: "画像を2枚以上追加し、← → で好きなほうを選んでください。", zh: "至少添加两张图片，然后用 ← → 选出更好的一张。" },
  all_ranked: { en: "Every pair that would teach something is ranked. Add pictures to go on.", ko: "도움이 되는 쌍은 모두 평가했습니다. 그림을 더 추가하세요.", ja: "参考になる組はすべて評価済みです。画像を追加してください。", zh: "有价值的配对都已比较。添加图片可继续。" },
  open_test: { en: "Open the test", ko: "테스트 열기", ja: "テストを開く", zh: "打开测试" },
  answered: { en: "People: {people}, answers: {n}", ko: "{people}명, 답 {n}개", ja: "{people} 人、回答 {n} 件", zh: "{people} 人，{n} 个回答" },
  no_test: { en: "Run the graph: the link to the test appears here.", ko: "그래프를 실행하면 테스트 링크가 여기에 나타납니다.", ja: "グラフを実行すると、テストへのリンクがここに表示されます。", zh: "运行后，测试的链接会显示在这里。" },
  again: { en: "Try again", ko: "다시 시도", ja: "もう一度", zh: "重试" },
  "Say what you like and what you dislike about a few pictures, or just judge them.": { ko: "그림 몇 장의 좋은 점과 싫은 점을 쓰거나, 평가만 하세요.", ja: "何枚かの画像について好きな点と嫌いな点を書くか、評価だけしてください。", zh: "写下您喜欢和不喜欢几张图片的哪些地方，或者只做评价。" },
  "Nothing visual stands out yet: name what you see, such as colors, light or lines, or judge more pictures.": { ko: "아직 눈에 띄는 특징이 없습니다. 색, 빛, 선처럼 보이는 것을 쓰거나 그림을 더 평가하세요.", ja: "まだ目立つ特徴がありません。色・光・線など見えるものを書くか、もっと画像を評価してください。", zh: "还没有突出的视觉特征：写出您看到的，如颜色、光线或线条，或评价更多图片。" },
  "Now tell what you dislike: it teaches as much as what you like.": { ko: "이제 싫은 점을 쓰세요. 좋은 점만큼 도움이 됩니다.", ja: "次は嫌いな点を書いてください。好きな点と同じくらい参考になります。", zh: "现在写下不喜欢什么：它和喜欢什么一样有帮助。" },
  "Now tell what you like: so far only dislikes are known.": { ko: "이제 좋은 점을 쓰세요. 지금은 싫은 점만 알고 있습니다.", ja: "次は好きな点を書いてください。今は嫌いな点しか分かりません。", zh: "现在写下喜欢什么：目前只知道您不喜欢什么。" },
  "About eight comments, on both sides, are enough to know your taste.": { ko: "좋고 싫은 의견 여덟 개쯤이면 취향을 알 수 있습니다.", ja: "好き・嫌いを合わせて8件ほどのコメントで好みが分かります。", zh: "大约八条评论，好恶兼有，就足以了解您的品味。" },
  "Judge the suggested picture next: it would teach most.": { ko: "다음에는 권하는 그림을 평가하세요. 가장 도움이 됩니다.", ja: "次はおすすめの画像を評価してください。最も参考になります。", zh: "接下来请评价推荐的图片：它最有帮助。" },
  "A few more judgements would make this surer.": { ko: "몇 번 더 평가하면 더 확실해집니다.", ja: "あと少し評価すると、より確かになります。", zh: "再评价几次会更有把握。" },
  "Your taste is well known: make pictures, and judge those.": { ko: "취향을 잘 알게 되었습니다. 그림을 만들고 그것을 평가하세요.", ja: "好みはよく分かりました。画像を作り、それを評価してください。", zh: "您的品味已很清楚：生成图片，再评价它们。" },
};

/** @param {string} name @param {Record<string, string | number>} [values] for {names} in the sentence @returns {string} */
export function t(name, values = {}) {
  const said = WORDS[name]?.[language()] ?? WORDS[name]?.en ?? name;
  return said.replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));
}
