"""Word lists of the built-in extractor. Loaded by ``words.py`` on the first comment, never at start-up."""

from __future__ import annotations


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Chat spelling and frequent slips → plain words. Applied to whole words.
SPELLING = dict(pair.split("=") for pair in """
luv=love lov=love luvv=love dont=do_not cant=can_not cannot=can_not isnt=is_not arent=are_not wasnt=was_not werent=were_not doesnt=does_not
didnt=did_not wont=will_not couldnt=could_not wouldnt=would_not shouldnt=should_not hadnt=had_not hasnt=has_not havent=have_not
aint=is_not thats=that_is whats=what_is theres=there_is heres=here_is im=i_am ive=i_have theyre=they_are youre=you_are
won't=will_not can't=can_not ain't=is_not let's=let_us u=you ur=your r=are rly=really rlly=really tho=though altho=although cuz=because cos=because
coz=because bc=because bcuz=because w/=with w/o=without wo=without abt=about sooo=so soo=so waaay=way pls=please plz=please thx=thanks
gonna=going_to wanna=want_to gotta=have_to kinda=slightly kindof=slightly sorta=slightly lil=little abit=a_bit alot=lots ppl=people
gr8=great fav=favorite fave=favorite favourite=favorite favourites=favorites favorites=favorite faves=favorite obsess=obsessed
vibey=atmospheric aesthetics=aesthetic lightning-effect=lighting pic=picture pics=pictures img=image bg=background comp=composition
b&w=black_and_white bnw=black_and_white vibez=vibes colours=colors colour=color coloured=colored colouring=coloring colourful=colorful
grey=gray greys=grays greyish=grayish cosy=cosy wayyy=way nd=and n=and esp=especially ew=yuck eww=yuck ugly=ugly shoulda=should_have
coulda=could_have wich=which becuase=because beacuse=because definately=definitely realy=really verry=very beatiful=beautiful
beautifull=beautiful colurs=colors colurful=colorful wierd=weird
""".split())

DETERMINERS = _set("the a an this that these those my your his her its our their some any each every all both another such what which")
PRONOUNS = _set("i it they we you he she me him them us someone everybody everyone everything something anything there here "
                "myself itself themselves who whoever one ones people anyone mine yours")
COPULAS = _set("is are was were be been being am feel feels felt look looks looked looking seem seems seemed get gets got become becomes became "
               "stay stays remain remains appear appears sound sounds reads read come comes came turn turns turned went goes go end ends")
FEELS = _set("feel feels felt look looks looked seem seems seemed appear appears sound sounds reads")
NEGATORS = _set("not never no hardly barely neither nor nothing none nobody scarcely rarely without cannot")
CONTRAST = _set("but though although however while whereas yet except nevertheless still despite nonetheless albeit")
CAUSE = _set("because since as when where so if until unless once")
ADVERBS = _set("""
very really so quite pretty rather too just also even still always ever only almost actually truly totally absolutely completely definitely
utterly super extremely incredibly insanely especially particularly simply honestly frankly literally basically probably maybe perhaps somehow
slightly somewhat fairly highly deeply overly way much more less most least again already now then well together apart away instead
enough far sometimes often usually never mostly mainly generally personally unfortunately sadly surprisingly strangely weirdly perfectly
beautifully wonderfully gorgeously hopelessly superbly nicely badly ridiculously terribly awfully painfully visually overall immediately
instantly right rarely seriously genuinely kind sort bit little lot lots tad touch ton tons bunch somewhat entirely clearly lowkey highkey
tbh ngl imo imho fr lol haha omg okay ok oh ah hey hmm yo idk please thanks sorry yes no nah nope yeah yep alas damn man like-wise likewise
excessively exactly precisely carefully cleverly delicately softly wildly deliciously suddenly indeed certainly finally first second lastly
apparently obviously essentially merely purely forever today nowadays anymore anyway thus therefore further furthermore moreover
""")
STOP = _set("""
and or of in on at to from with by for about into onto over under through across between behind above below against along around among
within beyond near up down out off than as if that whether because since when where why how after before during until upon via per plus versus vs
do does did done doing have has had having will would can could shall should may might must being let lets going
make makes made making give gives gave giving given take takes took taken taking put puts putting keep keeps kept keeping
bring brings brought show shows showed showing shown see sees saw seeing seen look watch watching find finds found think thinks thought
know knows knew known say says said tell tells told call calls called try tries tried trying use uses used using want wanting need needing
remind reminds reminded reminding help helps helped add adds added adding create creates created creating leave leaves left
work works worked working fit fits match matches matching happen happens happening stand stands hold holds
carry carries run runs running set sets sit sits play plays playing talk talks pull pulls draw draws drawn drew catch catches caught
evoke evokes recall recalls remember remembers convey conveys capture captures captured bleed hide hides cover covers fill fills
stare hang hangs hung buy bought paint paints live lives living touch touches touched meet meets shine shines fall falls break breaks
balance-out blend blends blending contrasts pop pops-out jump jumps wrap wraps frame-up guide guides lead leads direct directs
lean leans push pushes render-as handle handled handles finish finished choose chosen chose wish wishes hope hopes guess mean means meant
expect expected supposed seem believe understand imagine imagined wonder care cares bother bothers bothered bothering mind
thing things stuff piece pieces picture pictures image images work works part parts way ways bit bits lot lots kind kinds sort sorts type-of use uses
amount amounts sense taste tastes eye eyes eyeball time times place room wall house home life world day days night-shift year years moment
artist artists person people man woman men women child children kid kids girl boy guy lady everyone mother father grandmother grandfather
mom dad friend friends family side sides top bottom left right middle center corner corners front back rest whole entire overall half
other others same different own certain various several many few lots couple two three four one another next last first second
example examples instance case point points reason reasons question idea ideas concept job effort result choice choices decision fan word words
hint hints pop pops touch touches splash-of dash tad sort combination combo mix mixture use presence lack absence element elements aspect aspects
feature features shade shades play subject subjects scene scenes object objects execution quality level number set series version
new just only sure able hard-to ready due able worth via etc eg ie later earlier ago today tonight tomorrow yesterday
dog dogs cat cats horse horses bird birds face hands hand person eyes hair dress car cars tree trees street streets building buildings
window windows door doors city town sea ocean beach lake river mountain mountains forest field hill flower flowers petals leaf leaves grass sky animal animals fish
boat boats house houses sun moon computer phone camera screen website ad head body mouth nose skin food fruit bread
feeling-of here there everywhere somewhere nowhere anywhere everyday sake end beginning start start-of full filled covered total main major minor
long short next-to close small large big tiny huge giant little great-deal middle-of high low
really-is having-been looks-like already lately recently ago soon seemed seeming got getting
gets hope hoping trying imagine imagining decided started starting stop stops stopped stopping begin begins
drawn-to eyes-hurt remind-me screaming scream yell shout cry smile laugh breathe breathing sleep sleeping walk walking
""")
# Nouns that name what a picture is made of: with a modifier they are a feature, alone they say nothing.
HEADS = _set("""
color colors coloring tone tones hue hues palette palettes shade shades tint tints texture texturing textures pattern patterns lighting light lights shadow shadows
line lines linework outline outlines edge edges stroke strokes brushstroke brushstrokes brushwork brush mark marks detail details detailing
background backgrounds backdrop foreground composition compositions layout framing style styles aesthetic look looks mood vibe vibes feel feeling atmosphere
contrast surface surfaces finish shape shapes form forms geometry perspective angle angles view viewpoint lens focus blur glow effect effects render
renders rendering shading gradient gradients painting paintings drawing drawings illustration illustrations photo photos photography print prints poster posters
type lettering typography art artwork highlights highlight reflections reflection grain noise space spaces frame frames motif motifs ornament ornaments design designs
paper paint wash washes ink splatter splatters silhouette silhouettes curve curves layer layers depth proportions curls swirls stripes dots spots halftone
flare flares halo halos haze mist fog smoke sparkle sparkles glitter sheen shine gloss patina stain stains scratches tears fibers threads
print cuts blocks panels tiles bands strips squiggles scribbles smudges drips sky skies horizon filter filters grading saturation exposure temperature
energy drama movement rhythm symmetry structure structures pose poses crop cropping typeface letters borders border trim folds weave
blue blues red reds green greens yellow yellows pink pinks purple purples brown browns orange oranges gray grays black blacks white whites gold golds
pastels neons neutrals browns golds silvers teals violets beiges creams ochres
""")
FEEL_HEADS = _set("vibe vibes feel feeling feels mood look looks style styles aesthetic atmosphere energy effect")
# Adjectives in -ly, which are no adverbs.
LY = _set("painterly curly bubbly wrinkly scribbly woolly wooly crinkly squiggly frilly pearly crumbly ghostly heavenly homely earthly sparkly bristly "
          "prickly pebbly steely silly jelly cuddly friendly wobbly spindly gangly costly deadly oily holy worldly otherworldly orderly swirly")
GENERIC = _set("painting paintings drawing drawings photo photos photograph photographs picture pictures image images art artwork illustration illustrations "
               "print prints poster posters render renders rendering design designs frame frames paint photography sky skies horizon pose poses letters type "
               "focus crop angle view lens structure rhythm tears space spaces filter shine text border borders")
# Opinions: how much a person likes something, never what it looks like. value: sign × strength.
VERBS = {w: s for s, ws in ((1.3, "love loves loved loving adore adores adored adoring crave craving worship cherish"),
                            (1.0, "like likes liked enjoy enjoys enjoyed enjoying appreciate appreciates admire admires dig digs digging prefer prefers "
                                  "preferred favor treasure value values want wants relish savor welcome praise need needs "),
                            (-1.0, "dislike dislikes disliked mislike regret regrets resent avoid"),
                            (-1.3, "hate hates hated hating detest detests loathe loathes despise despises abhor")) for w in ws.split()}
VALUES = {w: s for s, ws in ((1.2, """
beautiful gorgeous stunning amazing awesome perfect perfection wonderful fantastic excellent brilliant superb exquisite fabulous incredible magnificent
breathtaking marvelous marvellous sublime divine masterful masterpiece phenomenal outstanding terrific glorious bliss heaven delicious chef's
delightful obsessed love-it yum superbly wonderfully beautifully gorgeously brilliant exceptional flawless stellar spectacular mesmerizing
mesmerising captivating irresistible fire yay hooray wow fab impeccable exquisitely obsessed addicted
"""), (0.9, """
nice lovely good great cool pretty pleasing pleasant attractive appealing charming clever interesting fascinating intriguing satisfying fun neat
sweet fine solid impressive enjoyable adorable welcome refreshing engaging favorite best better exciting inspiring effective skillful skilful skilled
convincing rewarding compelling joy pleasure treat win winner gem works superior addictive fitting worthwhile remarkable delight
tasty sings sing pops dances breathes elevates elevate lifts enhances enhance complements harmonize harmonizes delights enchants pleases charms
excites inspires soothes invites grounds enriches rewards sparkles-up eloquent ravishing luscious accomplished yummy dope lit rad slick-looking comforts
tasty memorable unique original creative imaginative inventive happy pleased glad evocative alluring handsome comforting well-done spot-on
special thoughtful admirable successful
"""), (-0.9, """
bad boring wrong off ugly odd annoying distracting irritating unpleasant unattractive unappealing disappointing lacking lame meh mediocre weak poor tiresome
tiring exhausting pointless gimmick gimmicky silly-looking dumb stupid unnecessary excessive problem problems issue issues ruined ruin ruins ruining spoil spoils spoiled spoiling
kills kill worse uninteresting unconvincing unoriginal tired overrated overkill shame pity sickly off-putting offputting jarring eyesore bothersome
unfortunate clumsy amateurish unskilled sloppy awkward uncomfortable grating lazy basic forgettable pretentious bores bore bugs bug annoys annoy distracts
distract irritates puzzling confusing confused unpleasantly mess-up fails fail failed failing headache cringe cringey cringy slop mistake unbearable shout shouts scream screams clash clashes fight fights fighting
compete competes overpower overpowers overpowering overwhelm overwhelms drown drowns smother smothers swallows cheapen cheapens flattens weaken weakens
dominates hurts hurt bothers disturbs disturb annoyingly unpleasing undermines undermine detracts detract clutters muddies obscures hides tacked-on pasted-on

"""), (-1.2, """
awful terrible horrible hideous disgusting dreadful atrocious gross vile ghastly repulsive horrid horrendous abysmal revolting insufferable worst yuck ugh
trash garbage rubbish yikes nauseating sickening nasty
""")) for w in ws.split()}
# Features that carry a judgement of their own; used only where the comment does not say otherwise.
GOOD_FEATURES = _set("""
elegant striking peaceful calm calming serene tranquil soothing cozy cosy cheerful dreamy harmonious harmony graceful delicate crisp whimsical playful magical enchanting
inviting timeless majestic luminous radiant intricate airy fresh lively vibrant-looking rich lush tasteful balanced refined expressive luxurious evocative
ethereal atmospheric cinematic peace uplifting comforting restful meditative sleek warm depth nostalgic majestic epic hypnotic poetic soulful
velvety silky tender romantic relaxing joyful handmade handcrafted
""")
BAD_FEATURES = _set("""
busy cluttered clutter muddy mushy garish gaudy lurid artificial fake plastic plasticky sterile lifeless soulless bland drab dull generic tacky cheesy kitschy kitsch kitch
overwhelming cramped crammed crowded harsh messy mess chaotic noisy blurry oversaturated overexposed blown-out overdone overworked overprocessed over-processed
washed-out clashing unmatched mismatched dirty grimy dingy depressing dreary oppressive claustrophobic flat stiff static hollow cold contrived cliche cliched
corporate stock monotonous insipid uninspired unnatural saccharine creepy scary disturbing disjointed pixelated underexposed hectic frantic overedited oversharpened
overblown murky sad plain loud childish crude derivative formulaic impersonal synthetic cheap fussy stocky gloomy grating sickly unbalanced lopsided empty-looking unfinished
cartoonish amateur-looking dated robotic clinical garishly over-sharpened over-edited overproduced lackluster soapy greasy waxy rubbery
""")
# Of those, what many people seek on purpose: the tone of the whole comment decides before the word does.
AMBIVALENT = _set("""
gloomy creepy scary disturbing chaotic messy mess harsh dirty grimy crude childish cartoonish pixelated flat unfinished cold dreary depressing dark
oppressive claustrophobic noisy blurry hollow kitsch kitschy cheesy busy crowded saccharine dated robotic clinical synthetic static oversaturated
murky muddy disjointed frantic hectic greasy waxy sad plain loud pointy
""")
# Adjectives that look like features after "is" or "so" but are not.
NO_FEATURE = _set("""
conflicted impressed surprised tired bored moved interested excited annoyed disappointed satisfied torn-between sold done drawn hooked convinced confused lost
kind ready happy any many every only early friendly likely lonely-me necessary important possible impossible easy difficult hard obvious clear similar related
used supposed based called named made going doing saying needed wanted loved liked hated already body money story study history memory
city country family party baby lady everybody anybody nobody somebody daddy mommy why company army enemy body copy key day way play say stay may
professional technical personal visual emotional artistic original special general final real total usual actual normal typical specific
basic public fantastic terrific logic topic music magic-of public critic classic-me music
expensive famous serious obvious various previous curious conscious jealous nervous ridiculous
extensive positive negative creative active massive attractive effective expressive-me
worthless useless needless meaningless regardless unless nevertheless less nonetheless speechless
painted printed rendered done drawn placed used mixed combined applied executed handled composed arranged chosen forced needed lit
art-wise style-wise tempted inclined supposed intended red-eyed attached allowed involved concerned
""")
# Idioms → markers, tried in order on the normalised sentence. LOVE/LIKE/HATE/DISLIKE govern what follows, or the
# clause when nothing does; GREAT/GOOD/BAD/AWFUL judge the clause; PLUS and MINUS fix the next feature.
IDIOMS = [(pattern.strip(), marker.strip()) for pattern, _, marker in (line.rpartition("=>") for line in r"""
not only=>
(?:was )?(?:ready|prepared|expecting|expected|about|determined|going|thought i would|thought i was going)(?: to)? (?:hate|dislike|loathe|not like)=> GREAT
(?:want|wanted|tried|try|trying|would have liked|expected|was ready|was hoping) to (?:like|love|enjoy)=> BAD
(?:think|thought) i (?:would|was going to) (?:like|love)=> BAD
where (?:is|are|did)(?= (?:the|all|my|any))=> PLUS
(?:far|nowhere near|a long way) from(?: (?:being|feeling|looking))?=> MINUS
anything but=> MINUS
(?:is|are) (?:just |so |definitely |really )?not it(?=\s*(?:[.,!?;]|$))=> AWFUL
(?:unconvinced|unimpressed|unmoved|put off|annoyed|bored|disappointed|repelled|distracted|bothered|irritated|turned off|disturbed|overwhelmed) (?:by|with)=> HATE
(?:impressed|charmed|moved|delighted|enchanted|seduced|soothed|fascinated|intrigued|won over|hypnotized|touched|inspired|captured|thrilled|amazed|comforted) (?:by|with)=> LOVE
(?:would )?(?:really )?(?:benefit|profit|gain) from=> LIKE
(?:look|looks|looked|feel|feels|felt|read|reads|seem|seems|come across|comes across|comes off)(?: \w+)? (?:like|as)(?: it came from| something from| something out of)? (?:an? |some |the )?(?:\w+ )?(?:ad|advert|advertisement|commercial|screensaver|toy|pancake|joke|hospital|powerpoint|brochure|template|mistake|accident|scam|trash|garbage|mess|mud|vomit|soup|computer|chore|afterthought|toothpaste ad|car commercial|bank|dentist(?:'s)? office|waiting room)\b=> BAD
ends? up (?:like|as|looking|feeling|being)=> BAD
(?:rarely|seldom|never) (?:see|sees|seen|saw|do i see|does one see) (?:such|so)=> LOVE
why (?:is|are) (?:it|this|that|they|everything|every \w+|the \w+|all of it) (?:always |all )?so=> BAD so
why (?:is|are) (?:it|this|that|they|everything|every) always=> BAD
(?:what|who) is not to love=> GREAT
what is there not to (?:love|like)=> GREAT
(?:there is )?nothing (?:wrong|bad) (?:with|about)=> LIKE
(?:i )?(?:have |got )?no (?:complaints?|issues?|problems?|objections?) (?:with|about|to)=> LIKE
(?:could|can) (?:look at|stare at|live in|get lost in|drown in|watch|hang)=> LOVE
(?:can|could) (?:not|never) (?:get|have) enough (?:of)?=> LOVE
(?:can|could) (?:not|never) (?:look away|stop (?:looking|staring))(?: (?:from|at))?=> LOVE
(?:can|could) (?:not|never) go wrong with=> LOVE
(?:can|could) (?:not|never) be too=> PLUS
(?:can|could) (?:not|never) (?:really )?(?:stand|bear|stomach|abide|deal with|tolerate|take|handle|get (?:into|past|over|behind|used to)|warm (?:up )?to|connect (?:with|to)|unsee)=> HATE
(?:could|would|can) (?:happily |gladly |easily |really )?(?:do|live|be better|be happier) without=> DISLIKE
(?:could|can) (?:really )?(?:use|do with|have used)(?: a (?:bit|little|touch))?(?: of)?=> LIKE
(?:never|does not|do not|will not) (?:get|gets|go|goes) (?:old|out of style|wrong|boring)=> GREAT
(?:never|does not|do not|will not) (?:tire|get tired|grow tired|get bored|get sick) of=> LOVE
(?:always|forever|will always) have my heart=> GREAT
(?:has|have|had|stole|steals|won|melts) my heart=> GREAT
(?:make|makes|made) my (?:day|heart (?:sing|melt|skip|happy))=> GREAT
(?:has|have|had|got|need|needs) to go\b=> AWFUL
(?:make|makes|made|making) me (?:want|wanna|need) to (?:leave|cry|vomit|puke|barf|scream|look away|close my eyes|gag|run)=> AWFUL
(?:make|makes|made|making) me want(?: too?)?=> GOOD
(?:make|makes|made|making) me (?:feel )?(?:very |really |so |a bit )?(?:sick|ill|uneasy|anxious|nauseous|dizzy|uncomfortable|nervous|sad|tired|cringe|queasy|wince|yawn|cold)=> AWFUL
(?:make|makes|made|making) me (?:feel )?(?:very |really |so )?(?:happy|smile|good|warm inside|at home|alive)=> GREAT
(?:hurt|hurts|hurting|burn|burns|strain|strains|assault|assaults|attack|attacks) (?:my|the|your) eyes?=> AWFUL
(?:give|gives|giving|gave) me (?:a |an )?(?:headache|migraine|the creeps|the ick|anxiety|vertigo)=> AWFUL
(?:give|gives|giving|gave) me (?:chills|goosebumps|life|joy|butterflies)=> GREAT
(?:turn|turns|turned|put|puts) me (?:right )?off=> AWFUL
(?:leave|leaves|left) me (?:completely |totally |rather |a bit )?(?:cold|unmoved|indifferent|empty)=> AWFUL
(?:rub|rubs) me the wrong way=> AWFUL
(?:get|gets|getting|got|grate|grates|grating) on my nerves=> AWFUL
(?:drive|drives|drove) me (?:crazy|mad|nuts|up the wall)=> AWFUL
(?:draw|draws|drew|pull|pulls|pulled|suck|sucks|sucked) me (?:right |straight )?in\b=> GREAT
(?:am|was|be|been) (?:really |so |always |very |strongly |instantly )?(?:drawn|attracted) (?:to|by)=> LOVE
(?:am|was|be|been) (?:really |so |completely |totally |absolutely |very )?(?:sold|here for it|in love|a sucker|hooked|all for it)\b(?: (?:on|with|for|by))?=> LOVE
(?:am )?(?:all|here|so here|totally here) for (?:the|this|these|it|that|all)=> LOVE
\b(?:sucker|soft spot|weakness|huge fan|big fan|massive fan|fan|lover|weak spot) (?:for|of)=> LOVE
(?:am )?(?:in love|obsessed|smitten|besotted|blown away|mesmerized|mesmerised|enchanted|captivated) (?:with|by)=> LOVE
(?:am |really |so |very |not (?:really |so |very |at all |particularly )?|never (?:been |really )?(?:been )?)(?:into|keen on|crazy about|wild about|big on|mad about|sold on|fond of|convinced by|bothered by)=> KEEN
(?:am )?(?:so )?(?:sick|tired|fed up|weary|bored) (?:of|with)=> HATE
(?:had|have had|seen|had more than|seen quite) enough (?:of|with)?=> HATE
enough (?:with|of) (?:the|this|these|all)=> HATE
enough already=> AWFUL
(?:have )?(?:little|no|zero|not much|not any) (?:patience|time|love|interest|use|appetite|need|desire|tolerance) (?:for|in|of)=> HATE
(?:not|never|nor) (?:really |quite |exactly |at all |just |so much |entirely |particularly |necessarily |totally |usually |much )*(?:my|me) (?:thing|cup of tea|style|taste|jam|vibe|bag|speed|scene|kind of thing|kind of art|favorite|idea of (?:fun|beauty|nice))=> AWFUL
(?:not|never) (?:really |quite |exactly |at all |just |particularly |something )*(?:for me|to my (?:taste|liking)|me)\b=> AWFUL
(?:is|are) (?:so |totally |very |exactly |right |just |definitely )*(?:my (?:thing|cup of tea|style|taste|jam|vibe|kind of thing|kind of art|favorite)|right up my alley|up my alley|up my street|for me|to my (?:taste|liking)|me)\b=> GREAT
(?:exactly|just|precisely) (?:what|how) i (?:look for|want|like|love|needed|wanted|need|was looking for)=> GREAT
(?:do|does|did) not (?:quite |really |at all |just |exactly |fully )*(?:work|land|click|sit (?:right|well)|speak|resonate|appeal|fit|help|match|come together|convince|move|touch|grab|excite|blend)(?: (?:for|with|to))?(?: me| at all| here)*=> BAD
(?:is|are|was) not (?:quite |really |at all |just |exactly )*(?:working|clicking|landing|helping|doing it|resonating)(?: (?:for|with|to))?(?: me| here)*=> BAD
(?:speak|speaks|appeal|appeals|resonate|resonates|call|calls|sing|sings) (?:so much |really |deeply )?(?:to|with) (?:me|my soul)=> GREAT
(?:work|works|worked) (?:really |so |very |quite |surprisingly |perfectly |beautifully )?(?:well|nicely|perfectly|beautifully|wonderfully|for me|great)=> GOOD
(?:is|are) (?:really )?working for me=> GOOD
(?:do|does|did) it for me=> GREAT
(?:do|does) nothing for me=> AWFUL
(?:do|does|did|could|would) not (?:really |much |particularly |at all )*(?:care|go) (?:much )?for=> DISLIKE
(?:do|does|did) not (?:really |quite |fully |ever )?(?:get|understand|see the (?:point|appeal)|need|want|see why|see the need for)\b(?: (?:of|in|why))?=> DISLIKE
(?:would|could) not (?:hang|want|buy|choose|pick)\b=> DISLIKE
(?:do|does) not (?:bother|mind|hate|dislike)(?: me)?=> LIKE
(?:would|i'd) (?:much |far )?(?:rather|sooner) (?:have|see|look at|take|get|it (?:be|was|were|had))=> LIKE
(?:would|i'd) (?:love|like|prefer|enjoy)(?: to (?:see|have|get))?(?: it)?=> LIKE
(?:want|wanting|wanted|like|love|need|needs|hoping) to see=> LIKE
(?:bring|brings|take|takes) (?:me )?(?:so much |such |great )?(?:joy|pleasure|delight|happiness)=> GREAT
yes please=> GREAT
(?:instant|big|huge|hard|easy|always|definite|resounding|massive) yes(?: (?:to|for|from me))?=> LOVE
yes to=> LOVE
(?:instant|big|huge|hard|easy|definite|resounding|massive) (?:no|pass|nope)\b(?: (?:to|on|for|from me))?=> AWFUL
(?:no|nah|nope) thanks?(?: you)?=> AWFUL
no thank you=> AWFUL
not for me=> AWFUL
(?:i will |i'll |i |would )pass on=> DISLIKE
(?:please )?(?:more|give me|gimme|bring on|bring back|keep|show me|hand me) (?:of |more |all |on )?(?:this|that|these|it|those)(?: please)?(?=\s*(?:[.,!?;]|$))=> GREAT
(?:give me|gimme|bring on|bring back|long live|hooray for|three cheers for|kudos for|props for|thumbs up for|points for|bonus points for|bravo for|hats off to|all hail)=> LOVE
(?:shame|pity|too bad) (?:about|that)(?: the)?=> DISLIKE
(?:down with|death to|spare me|save me from|please stop with|stop with|go easy on|easy on|tone down|dial down|dial back|lay off|get rid of|lose|ditch|drop|kill|remove|cut|take away|thumbs down for|enough of|away with)(?= (?:the|all|this|that|these|those))=> HATE
(?:turn|tone|dial|bring|crank|push|pump) up=> LIKE
(?:if i see (?:one more|another)|not another|yet another|please no more|no more|oh no[, ]+(?:more|another))=> HATE
(?:i )?(?:will|would|going to|gonna) (?:scream|puke|cry)=> BAD
(?:chef's kiss|chefs kiss|mwah|spot on|on point|top notch|second to none|out of this world|to die for|eye candy|a feast for the eyes|feast for the eyes|pure joy|sheer joy|a dream come true|goes hard|go hard|hits hard|hits different|hits the spot|is sick|are sick|actually sick|so sick|is fire|is a vibe|is a mood|slaps|rocks|rules|nails it|nailed it|so good|blows me away|blew me away|takes my breath away|is everything|are everything|sings to me|won me over|wins me over|is the best part|are the best part|is what sells it|sells it|makes it (?:special|work|for me|sing)|makes the (?:picture|image|piece|painting)|saves it|steals the show|tickles me|cheers me up|lifts my mood|carries (?:it|the piece))=> GREAT
(?:ruins it|ruin it|kills it|kill it|spoils it|spoil it|ruined it|kills the mood|ruins the mood|lets it down|let it down|lets it all down|drags it down|takes me out of it|throws me off|falls flat|fall flat|miss the mark|misses the mark|a letdown|let-down|fell flat|sore thumb|an eyesore|a turn off|turn off|turn-off|turnoff|deal breaker|dealbreaker|hard to look at|hard to read|difficult to look at|painful to look at|tough on the eyes|a no from me|a no for me|over it|so over)=> AWFUL
(?:less so|not so much|not really|not at all|not as much|not so great|less convincing|less successful)(?=\s*(?:[.,!?;)]|$|for))=> BAD
(?:rather than|instead of|as opposed to|in place of|unlike|without being|without feeling|without looking|without going|without getting|without becoming)=> MINUS
(?:is|are|was|feels|feel|looks|look) missing=> GOOD
(?:is|are|feel|feels|seem|seems)? ?(?:lacking|missing|lacks|lack|misses)(?! in)(?: (?:any|some|all|a bit of|the))?=> PLUS
(?:short on|starved of|begging for|crying out for|screams for|calls for|deserves|cries out for)=> PLUS
(?:not|never) (?:nearly |quite |really )?enough(?: of)?=> PLUS
(?:way |far )*(?:too|overly) (?:much|many)(?: of)?(?! (?:like|of this))=> TOOMUCH
(?:would|could|should) (?:be|have been|look|feel|work) (?:so |way |even |much |far |a lot |a bit |slightly |little )*(?:better|nicer|stronger|improved|perfect)(?: with| if it (?:had|was|were))(?: (?:less|fewer))=> MINUS
(?:would|could|should) (?:be|have been|look|feel|work) (?:so |way |even |much |far |a lot |a bit |slightly |little )*(?:better|nicer|stronger|improved|perfect|great|awesome)(?: with| if it (?:had|was|were))=> LIKE
(?:would|could|should) (?:be|have been|look|feel|work) (?:so |way |even |much |far |a lot |a bit |slightly |little )*(?:better|nicer|stronger|improved|perfect|great|awesome)(?: without| if (?:it|they|there) (?:was not|were not|did not have))=> MINUS
(?:better|nicer|perfect|great|stronger|lovely) (?:off )?without=> MINUS
(?:could|should|might|must|needs to|need to|ought to) (?:be|have been|look|feel)(?= \w)=> WISH
if only (?:it|they|there|the \w+) (?:was|were|had|could be)=> WISH
(?:a bit|a tad|a touch|a little too|a little bit|a bit too|bit too|kind of|sort of|a trifle)=> MILD
""".strip().splitlines())]
SARCASM = [r"^(?:oh |ah |well |wow |yay )*,?\s*(?:great|wow|good|nice|lovely|wonderful|fantastic|brilliant|perfect|joy|oh joy|yay|cool|super|awesome|amazing|fabulous|terrific|sure|yeah|groundbreaking|excellent|marvelous|splendid)[,.!\u2026 ]+(?:just )?(?:another|yet another|more|even more|one more|again)\b(?! (?:of )?(?:this|these|please))",
           r"\b(?:how|so|very|real|really|super) (?:original|creative|innovative|groundbreaking|fresh and new|imaginative|daring|subtle of them|unique)\b(?=\s*(?:[.!\u2026]|$))",
           r"\b(?:have |has )?(?:never|not) (?:seen|done|heard) (?:that|this|it|one|those|any of (?:that|those)|that one) before",
           r"\bjust what (?:i|we|the world|everyone|this \w+|it) (?:needed|wanted|asked for|need|was missing|always wanted)",
           r"\bbecause (?:we|the world|everyone|i|nothing|who|apparently)\b.{0,40}\b(?:need(?:ed|s)?|enough|says|want(?:ed|s)?)\b",
           r"\bsaid no ?one ever", r"\bwho (?:does not|would not|could possibly)\b.{0,30}\b(?:eyestrain|migraine|headache)",
           r"\bas if (?:we|i|there) (?:needed|did not|had not|were not)", r"\bwhat a (?:surprise|shocker)\b", r"\bcolor me (?:shocked|surprised)",
           r"\bi (?:so |really )?(?:love|adore|enjoy) (?:it when|being|going blind|having my (?:eyes|retinas)|when my eyes)",
           r"\b(?:thanks|thank you|cheers),? i hate it", r"\b(?:slow clap|yawn|eye ?roll|/s)\b", r"\bnothing says \w+ (?:quite )?like"]
