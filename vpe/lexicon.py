"""Word lists of the built-in extractor. Loaded by ``words.py`` on the first comment, never at start-up."""

from __future__ import annotations


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _valued(groups: dict[float, str]) -> dict[str, float]:
    return {word: value for value, words in groups.items() for word in words.split()}


# Chat spelling and frequent slips → plain words. Applied to whole words.
SPELLING = dict(pair.split("=") for pair in """
luv=love da=the so-so=meh ths=this lov=love luvv=love dont=do_not cant=can_not cannot=can_not isnt=is_not arent=are_not
wasnt=was_not werent=were_not
doesnt=does_not didnt=did_not wont=will_not couldnt=could_not wouldnt=would_not shouldnt=should_not hadnt=had_not hasnt=has_not
havent=have_not aint=is_not thats=that_is whats=what_is theres=there_is heres=here_is im=i_am ive=i_have theyre=they_are youre=you_are
won't=will_not can't=can_not ain't=is_not let's=let_us u=you ur=your r=are rly=really rlly=really tho=though altho=although cuz=because
cos=because coz=because bc=because bcuz=because w/=with w/o=without wo=without abt=about sooo=so soo=so waaay=way pls=please plz=please
thx=thanks gonna=going_to wanna=want_to gotta=have_to kinda=slightly kindof=slightly sorta=slightly lil=little abit=a_bit alot=lots
ppl=people gr8=great fav=favorite fave=favorite favourite=favorite favourites=favorites favorites=favorite faves=favorite
obsess=obsessed vibey=atmospheric aesthetics=aesthetic lightning-effect=lighting pic=picture pics=pictures img=image bg=background
comp=composition b&w=black_and_white bnw=black_and_white vibez=vibes colours=colors colour=color coloured=colored colouring=coloring
colourful=colorful grey=gray greys=grays greyish=grayish cosy=cosy wayyy=way nd=and n=and esp=especially ew=yuck eww=yuck ugly=ugly
shoulda=should_have coulda=could_have wich=which becuase=because beacuse=because definately=definitely realy=really verry=very
beatiful=beautiful beautifull=beautiful colurs=colors colurful=colorful wierd=weird
""".split())

DETERMINERS = _set("""
the a an this that these those my your his her its our their some any each every all both another such what which
""")
PRONOUNS = _set("""
i it they we you he she me him them us someone everybody everyone everything something anything there here myself itself themselves who
whoever one ones people anyone mine yours
""")
COPULAS = _set("""
is are was were be been being am feel feels felt look looks looked looking seem seems seemed get gets got become becomes became stay
stays remain remains appear appears sound sounds reads read come comes came turn turns turned went goes go end ends
""")
FEELS = _set("""
feel feels felt look looks looked seem seems seemed appear appears sound sounds reads
""")
NEGATORS = _set("""
zero not never no hardly barely neither nor nothing none nobody scarcely rarely without cannot
""")
CONTRAST = _set("""
but though although however while whereas yet except nevertheless still despite nonetheless albeit
""")
CAUSE = _set("""
because since as when where so if until unless once
""")
ADVERBS = _set("""
very really so quite pretty rather too just also even still always ever only almost actually truly totally absolutely completely
definitely utterly super extremely incredibly insanely especially particularly simply honestly frankly literally basically probably
maybe perhaps somehow slightly somewhat fairly highly deeply overly way much more less most least again already now then well together
apart away instead enough far sometimes often usually never mostly mainly generally personally unfortunately sadly surprisingly
strangely weirdly perfectly beautifully wonderfully gorgeously hopelessly superbly nicely badly ridiculously terribly awfully painfully
visually overall immediately instantly right rarely seriously genuinely kind sort bit little lot lots tad touch ton tons bunch somewhat
entirely clearly lowkey highkey tbh ngl imo imho fr lol haha omg okay ok oh ah hey hmm yo idk please thanks sorry yes no nah nope yeah
yep alas damn man like-wise likewise excessively otherwise exactly precisely carefully cleverly delicately softly wildly
deliciously suddenly
indeed certainly finally first second lastly apparently obviously essentially merely purely forever today nowadays anymore anyway thus
therefore further furthermore moreover
""")
STOP = _set("""
spider spiders snake snakes clown clowns insect insects puppy puppies kitten kittens dragon dragons robot robots zombie zombies
soldier soldiers
wolf wolves fox foxes lion lions tiger tigers bear bears rabbit rabbits bunny cow cows sheep goat pig chicken duck owl butterfly
butterflies bee bees
elephant monkey dinosaur unicorn mermaid princess queen king knight wizard witch fairy angel angels demon alien aliens baby
babies girls boys model
portrait portraits landscape landscapes selfie village castle church temple bridge road roads train trains plane ship ships bicycle bike
table chair chairs lamp book books cup cake coffee wine apple shoes hat shirt jacket glasses smile legs arm arms feet hairstyle
garden island cave waterfall planet planets moons rocket spaceship tower skyscraper skyscrapers roof staircase stairs kitchen bedroom
character characters figure figures hero villain story plot wedding childhood holiday holidays trip music song movie game games
and or of in on at to from with by for about into onto over under through across between behind above below against along around among
within beyond near up down out off than as if that whether because since when where why how after before during until upon via per plus
versus vs do does did done doing have has had having will would can could shall should may might must being let lets going make makes
made making give gives gave giving given take takes took taken taking put puts putting keep keeps kept keeping bring brings brought show
shows showed showing shown see sees saw seeing seen look watch watching find finds found think thinks thought know knows knew known say
says said tell tells told call calls called try tries tried trying use uses used using want wanting need needing remind reminds reminded
reminding help helps helped add adds added adding create creates created creating leave leaves left work works worked working fit fits
match matches matching happen happens happening stand stands hold holds carry carries run runs running set sets sit sits play plays
playing talk talks pull pulls draw draws drawn drew catch catches caught evoke evokes recall recalls remember remembers convey conveys
capture captures captured bleed hide hides cover covers fill fills stare hang hangs hung buy bought paint paints live lives living touch
touches touched meet meets shine shines fall falls break breaks balance-out blend blends blending contrasts pop pops-out jump jumps wrap
wraps frame-up guide guides lead leads direct directs lean leans push pushes render-as handle handled handles finish finished choose
chosen chose wish wishes hope hopes guess mean means meant expect expected supposed seem believe understand imagine imagined wonder care
cares bother bothers bothered bothering mind thing things stuff piece pieces picture pictures image images work works part parts way
ways bit bits lot lots kind kinds sort sorts type-of use uses amount amounts sense taste tastes eye eyes eyeball time times place room
wall house home life world day days night-shift year years moment artist artists person people man woman men women child children kid
kids girl boy guy lady everyone mother father grandmother grandfather mom dad friend friends family side sides top bottom left right
middle center corner corners front back rest whole entire overall half other others same different own certain various several many few
lots couple two three four one another next last first second example examples instance case point points reason reasons question idea
ideas concept job effort result choice choices decision fan word words hint hints pop pops touch touches splash-of dash tad sort
combination combo mix mixture use presence lack absence element elements aspect aspects feature features shade shades play subject
subjects scene scenes object objects execution quality level number set series version new just only sure able hard-to ready due able
worth via toward towards amid amidst beneath underneath alongside etc past eg ie later earlier ago today tonight tomorrow
yesterday dog dogs cat cats horse horses bird birds face hands
hand person
eyes hair dress car cars tree trees street streets building buildings window windows door doors city town sea ocean beach lake river
mountain mountains forest field hill flower flowers petals leaf leaves grass sky animal animals fish boat boats house houses sun moon
computer phone camera screen website ad head body mouth nose skin food fruit bread feeling-of here there everywhere somewhere nowhere
anywhere everyday sake end beginning start start-of full filled covered total main major minor little next-to close great-deal middle-of
really-is having-been looks-like already lately recently ago soon seemed seeming got getting gets hope hoping trying imagine imagining
decided started starting stop stops stopped stopping begin begins drawn-to eyes-hurt remind-me screaming scream yell shout cry smile
laugh breathe breathing sleep sleeping walk walking
""")
# Nouns that name what a picture is made of: with a modifier they are a feature, alone they say nothing.
HEADS = _set("""
undertone undertones overtones color colors coloring tone tones hue hues palette palettes shade shades tint tints texture
texturing textures pattern patterns lighting
light lights shadow shadows line lines linework outline outlines edge edges stroke strokes accent accents brushstroke brushstrokes
brushwork brush mark marks detail details detailing background backgrounds backdrop foreground composition compositions layout framing
style styles aesthetic look looks mood vibe vibes feel feeling atmosphere contrast surface surfaces finish shape shapes form forms
geometry perspective angle angles view viewpoint lens focus blur glow effect effects render renders rendering shading gradient gradients
painting paintings drawing drawings illustration illustrations photo photos photography print prints poster posters type lettering
typography art artwork highlights highlight reflections reflection grain noise space spaces frame frames motif motifs ornament ornaments
design designs paper paint wash washes ink splatter splatters silhouette silhouettes curve curves layer layers depth proportions curls
swirls stripes dots spots halftone flare flares halo halos haze mist fog smoke sparkle sparkles glitter sheen shine gloss patina stain
stains scratches tears fibers threads print cuts blocks panels tiles bands strips squiggles scribbles smudges drips sky skies horizon
filter filters grading saturation exposure temperature energy drama movement rhythm symmetry structure structures pose poses crop
cropping typeface letters borders border trim folds weave blue blues red reds green greens yellow yellows pink pinks purple purples
brown browns orange oranges gray grays black blacks white whites gold golds pastels neons neutrals browns golds silvers teals violets
beiges creams ochres
""")
FEEL_HEADS = _set("""
vibe vibes feel feeling feels mood look looks style styles aesthetic atmosphere energy effect
""")
# What "more texture" or "color palette" is made of: two of these together still name nothing.
PLAIN = _set("""
color colors tone tones texture textures pattern patterns lighting light lights style styles line lines detail details background
backgrounds composition compositions look looks effect effects brush stroke strokes brushwork surface surfaces mood palette palettes
view shape shapes shading coloring layout design designs work framing quality hue hues shade shades form forms space frame rendering
technique
""")
# Everyday words one letter from a word of ours: no slips.
SPARED = _set("""
decoded tainted sender exiting locking dropping additive stepping titled cooked trials thorough heated blinding farther summary loading
outside overlay neural gating slashes computes isolate confuse
thread produce column obscure refine ground stable bottle master matter better letter
pattern winter writer dinner shower tunnel flower sister silver leader border forest desert sheets sights fights lights nights
rights tights
""")
# Plain adjectives of looks: features only of a visual head, "hard shadows", "the colors are strong".
LOOKS = _set("deep hard strong light heavy pale faint long short big small tiny huge large wide narrow tight full round square loud quiet "
             "uneven weak poor sharp even visible obvious fine thick intense low high flat odd harsh double single random")
# Adjectives in -ly, which are no adverbs.
LY = _set("""
painterly curly bubbly wrinkly scribbly woolly wooly crinkly squiggly frilly pearly crumbly ghostly heavenly homely earthly sparkly
bristly prickly pebbly steely silly jelly cuddly friendly wobbly spindly gangly costly deadly oily holy worldly otherworldly orderly
swirly
""")
GENERIC = _set("""
painting paintings drawing drawings photo photos photograph photographs picture pictures image images art artwork illustration
illustrations print prints poster posters render renders rendering design designs frame frames paint photography sky skies horizon pose
poses letters type focus crop angle view lens structure rhythm tears space spaces filter shine
""")
# Opinions: how much a person likes something, never what it looks like. value: sign × strength.
VERBS = _valued({
    1.3: """
love loves loved loving adore adores adored adoring crave craving worship cherish
""",
    1.0: """
like likes liked enjoy enjoys enjoyed enjoying appreciate appreciates admire admires dig digs digging prefer prefers preferred favor
treasure value values want wants relish savor welcome praise need needs
""",
    -1.0: """
dislike dislikes disliked mislike regret regrets resent avoid
""",
    -1.3: """
hate hates hated hating detest detests loathe loathes despise despises abhor
""",
})
VALUES = _valued({
    1.2: """
beautiful gorgeous stunning amazing awesome perfect perfection wonderful fantastic excellent brilliant superb exquisite fabulous
incredible magnificent breathtaking marvelous marvellous sublime divine masterful masterpiece phenomenal outstanding terrific glorious
bliss heaven delicious beauty chef's delightful obsessed love-it yum superbly wonderfully beautifully gorgeously exceptional
flawless stellar
spectacular mesmerizing mesmerising captivating irresistible fire yay hooray wow fab impeccable exquisitely addicted
""",
    0.9: """
nice lovely good great cool pretty pleasing pleasant attractive appealing charming clever interesting fascinating intriguing satisfying
fun neat sweet fine solid impressive enjoyable adorable welcome refreshing engaging favorite best better exciting inspiring effective
skillful skilful skilled convincing rewarding compelling joy pleasure treat win winner gem works superior addictive fitting worthwhile
remarkable delight tasty juicy killer moving sings sing pops dances breathes elevates elevate lifts enhances enhance complements
harmonize harmonizes
delights enchants pleases charms excites inspires soothes invites grounds enriches rewards sparkles-up eloquent ravishing luscious
accomplished yummy dope lit rad slick-looking comforts memorable unique original creative imaginative inventive happy pleased glad
evocative alluring handsome comforting well-done spot-on special thoughtful admirable successful
""",
    -0.9: """
bad boring wrong off ugly odd annoying distracting irritating unpleasant unattractive unappealing disappointing lacking lame meh
mediocre weak poor tiresome tiring exhausting pointless gimmick gimmicky silly-looking dumb stupid unnecessary excessive problem
problems issue issues ruined ruin ruins ruining spoil spoils spoiled spoiling kills kill worse uninteresting unconvincing unoriginal
tired overrated overkill shame pity sickly off-putting offputting jarring eyesore bothersome unfortunate clumsy amateurish unskilled
sloppy awkward uncomfortable grating lazy basic forgettable pretentious bores bore bugs bug annoys annoy distracts distract irritates
puzzling confusing confused unpleasantly mess-up fails fail failed failing headache cringe cringey cringy slop mistake unbearable shout
shouts scream screams clash clashes fight fights fighting compete competes overpower overpowers overpowering overwhelm overwhelms drown
drowns smother smothers swallows cheapen cheapens flattens weaken weakens dominates hurts hurt bothers disturbs disturb annoyingly
unpleasing undermines undermine detracts detract clutters muddies obscures hides tacked-on pasted-on
""",
    -1.2: """
awful terrible horrible hideous disgusting dreadful atrocious gross vile ghastly repulsive horrid horrendous abysmal revolting
insufferable worst yuck ugh sigh groan yawn bleh blah nope trash garbage rubbish yikes nauseating sickening nasty
""",
})
# Features that carry a judgement of their own; used only where the comment does not say otherwise.
GOOD_FEATURES = _set("""
elegant striking peaceful calm calming serene tranquil soothing cozy cosy cheerful dreamy harmonious harmony graceful delicate crisp
whimsical playful magical enchanting inviting timeless majestic luminous radiant intricate airy fresh lively vibrant-looking rich lush
tasteful balanced refined expressive luxurious evocative ethereal atmospheric cinematic peace uplifting comforting restful meditative
sleek warm depth nostalgic majestic epic hypnotic poetic soulful velvety silky tender romantic relaxing joyful handmade handcrafted
""")
BAD_FEATURES = _set("""
rushed busy cluttered clutter muddy mushy garish gaudy lurid artificial fake plastic plasticky sterile lifeless soulless bland drab dull
generic tacky cheesy kitschy kitsch kitch overwhelming cramped crammed crowded harsh messy mess chaotic noisy blurry oversaturated
overexposed blown-out overdone overworked overprocessed over-processed washed-out clashing unmatched mismatched dirty grimy dingy
depressing dreary oppressive claustrophobic flat stiff static hollow cold contrived cliche cliched corporate monotonous insipid
uninspired unnatural saccharine creepy scary disturbing disjointed pixelated underexposed hectic frantic overedited oversharpened
overblown murky sad plain loud childish crude derivative formulaic impersonal synthetic cheap fussy stocky gloomy grating sickly
unbalanced lopsided empty-looking unfinished cartoonish amateur-looking dated robotic clinical garishly over-sharpened over-edited
overproduced lackluster soapy greasy waxy rubbery
""")
BAD_FEATURES |= {
    "stock photo", "stock photos", "stock photography", "clip art", "clipart", "watermark", "watermarks", "ai look", "bad anatomy",
    "ai-generated", "jpeg artifacts", "compression artifacts", "extra fingers", "mangled hands", "sickly sweet", "plastic skin",
}
# Of those, what many people seek on purpose: the tone of the whole comment decides before the word does.
AMBIVALENT = _set("""
gloomy creepy scary disturbing chaotic messy mess harsh dirty grimy crude childish cartoonish pixelated flat unfinished cold dreary
depressing dark oppressive claustrophobic noisy blurry hollow kitsch kitschy cheesy busy crowded saccharine dated robotic clinical
synthetic static oversaturated murky muddy disjointed frantic hectic greasy waxy sad plain loud pointy
""")
# Adjectives that look like features after "is" or "so" but are not.
NO_FEATURE = _set("""
potential wasted effort skill skills talent attempt attempts technique execution faulted conflicted impressed surprised tired
bored moved interested excited annoyed disappointed satisfied torn-between sold done
drawn hooked
convinced confused lost kind ready happy any many every only early friendly likely lonely-me necessary important possible impossible
easy difficult hard obvious clear similar related used supposed based called named made going doing saying needed wanted loved liked
hated already body money story study history memory city country family party baby lady everybody anybody nobody somebody daddy mommy
why company army enemy body copy key day way play say stay may professional technical personal visual emotional artistic original
special general final real total usual actual normal typical specific basic public fantastic terrific logic topic music magic-of public
critic classic-me music expensive famous serious obvious various previous curious conscious jealous nervous ridiculous extensive
positive negative creative active massive attractive effective expressive-me worthless useless needless meaningless regardless unless
nevertheless less nonetheless speechless painted printed rendered done drawn placed used mixed combined applied executed handled
composed arranged chosen forced needed lit art-wise style-wise tempted inclined supposed intended red-eyed attached allowed involved
concerned
""")
