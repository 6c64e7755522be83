"""Question frames: the many ways to begin or to turn the same question, brought into one.

Each line of the table is `pattern => replacement`, tried in this order on lower-case text without contractions
(`wording.py`); a line that begins with four blanks continues the one before, `<name>` stands for a part listed in
`_PARTS`. A rule belongs here only if both sides have the same answers, whatever stands in the gaps. What a rule moves,
it moves as a whole, and it leaves what it does not name: names, numbers, negations and directions stay what they are.
"""

from __future__ import annotations

import re
from typing import Final

_PARTS: Final = {
    "anybody": r"(?:i|we|one|someone|somebody|people)",
    "fine": r"(?:okay|ok|fine|allowed|permitted|acceptable|alright)",
    "way": r"(?:ways?|methods?|process|procedure|steps?|instructions?)",
    "best": r"(?:best|right|correct|proper|recommended)",
    "needed": r"(?:needed|required|necessary|mandatory|compulsory|obligatory)",
    "judged": r"(?:safe|unsafe|dangerous|harmful|healthy|unhealthy|good|bad|legal|illegal|rude)",
    "owned": r"(?:the|my|our|your|a|an|this|these|those)",
    "nobody": r"(?!(?:i|you|he|she|we|they|it|this|that|these|those|there|anyone|anybody)\b)",
    "end": r"[ ?.!]*$",
    "everyday": (
        r"(?:boil|cook|bake|fry|roast|make|spell|fix|change|tie|peel|cut|chop|clean|wash|iron|fold|draw|grow|plant|"
        r"prune|water|play|write|pronounce|say|calculate|convert|count|solve|install|remove|open|close|get|treat|sharpen|"
        r"reset|store|freeze|thaw|reheat|poach|grill|whip|brew|knit|sew|paint|hang|measure|declare|sort|reverse|delete|rename|"
        r"undo|create|merge|split|take|turn|screenshot|unclog|descale|jump|start|learn)"
    ),
    "small": r"(?:in|on|at|of|for|to|by|about|its|their|his|her|best|good|there|any)\b",
    "noun": r"(?:during|morning|evening|nothing|something|anything|everything|king|ring|string|spring|wedding|building|"
    r"ceiling|being|having|shipping|parking|boiling|freezing|melting|bring|thing)",
    "gap": r" *[,.;!:-]+ *",
    "tool": (
        r"(?:python|java|javascript|typescript|git|github|docker|kubernetes|sql|mysql|postgres|postgresql|excel|"
        r"powerpoint|outlook|gmail|chrome|firefox|css|html|linux|ubuntu|bash|android|ios|react|django|pandas|numpy|"
        r"latex|rust|ruby|php|kotlin|vim|photoshop|whatsapp)"
    ),
    "done": (
        r"(?:\w+ed|spoken|written|sold|paid|sent|found|made|built|taken|given|bought|broken|forgotten|chosen|grown|won|"
        r"lost|seen|begun|run|worn|drawn|known|told|said|held|led|met|spent|taught|caught|kept|cut|set|put|read|eaten|"
        r"driven|stolen|thrown|sung|fed|hidden)"
    ),
    "irregular": (
        r"(?:spoken|spoke|written|wrote|sold|paid|sent|found|made|built|taken|took|given|gave|bought|broke|forgotten|"
        r"forgot|chosen|chose|grown|grew|won|lost|went|gone|saw|seen|came|began|begun|ran|wore|worn|drew|drawn|knew|known|"
        r"told|said|held|led|met|spent|taught|caught|fell|fallen)"
    ),
}

_TABLE: Final = r"""
\b(what|how|where|who|when)s\b => \1 is
\b(do|does|did|ca|is|are|was|has|have|wo|could|should|would)nt\b => \1 not
\bca not\b => can not
\bwo not\b => will not
\bim (?=not\b|\w+ing\b|self\b) => i am
\bu\b => you
\b(?:pls|plz)\b => please
\bwhom\b => who
\b(order|invoice|ticket|flight|account|case|room),? (?:number|no\.?|nr\.?) (?=\w*\d) => \1
\berror (\d+)\b => \1 error
\btwice\b => two times
\bregarding\b|\bconcerning\b => about
\b(in|until|since|next|last|this) may\b => \1 maymonth
\bduring (?=\w*month|january|february|march|april|june|july|august|september|october|november|december) => in
^have (you|we|i) got\b => do \1 have
\b(have|has) got\b => \1
\b(should|do|can|to|must) phone\b => \1 call
\bget (.+?) out of\b => remove \1 from
\b(my \w+(?: \w+)?) will not\b => \1 does not
^one (?=\w+ (?:is|has|equals?|makes?) how (?:many|much)) => a
\b(csv|pdf|json|xml|zip|excel|png|jpeg) (?:files?|documents?|format)\b => \1
\bhttp status\b => http
\b(table for \w+) people\b => \1
\bon earth\b => in the world
\bhuman body\b => human
\bhow frequently\b => how often
\bin what year\b => what year
\b(?:how late|until when|until what time) are you open\b => when do you close
\bwhat are some (?:good )?(?=\w) => what are
\b(tomorrow|today|tonight|yesterday|this week|this weekend) ((?:in|on|at) [a-z]+)<end> => \2 \1
\b(?:i|we) (?:am|are) having (?:trouble|problems|difficulty|difficulties)(?: with)? (?=\w+ing\b) => i can not
^((?:explain|describe) .+?) to me<end> => \1
^(<tool>) (?:command|code|formula|shortcut) (?:to|for) (.+?)<end> => how \2 in \1
\b(?:what|how much) do you charge for\b => price of
\bprice for\b => price of
\bcosts? (?:of|for) (?=an?\b) => price of
(\d) ?am\b => \1 morningtime
\b(the|a|my|our|your|any) (train|build|meet|hear|draw|paint|land)ing\b => \1 \2ingnoun
\bwhy (will|does|is|do|are|can|did|has|was) not ((?:my|the|your|our) \w+|it|i)\b => why \2 \1 not
\bhow soon (?=will\b|can\b|do\b|does\b) => when
\bmy money back\b => a refund
\b(?:your|the) (?:store|shop|business)(?:'s)? hours\b => the opening hours
\b(how many \w+) (?:make up|make|equal) (?=an?\b) => \1 are in
^(?:can you )?(?:give|show|send) me (?:a|the) list of (?:all )?(?=\w) => list
^(?:i|we) (?:want|need|would like) to ([^,.?!]+?)[,.;] *what (?:is the process|are the steps|do i (?:need|
    have) to do)<end> => how \1
^(?:hi|hello|hey)(?: there| all| team)?\b[ ,.!]* =>
^(?:sorry|excuse me|quick question|question|ok|okay|so|just wondering|one question)\b[ ,.:!]+ =>
^(?:i|we) (?:do not know|can not (?:figure out|find(?: out)?|work out)|am (?:not|un)sure|have no idea|(?:am|
    are) (?:trying to (?:find out|figure out|understand)|curious)|would love to know)(?: about)? (?=how|what|wh) =>
^i (?:can not|could not) (?:find|locate)\b => where is
^(?:can|could|would|will) (?:someone|somebody|anyone|anybody) (?:please )?(?:tell|show|explain(?: to)?) me\b =>
^(?:i (?:was|am) wondering|i wonder|(?:do you|would you) (?:happen to )?know|(?:can|
    could) you (?:please )?tell me) (?:if|whether) (i|we|you|they|it|there|<owned> \w+|\w+s) (can|could|may|should|
    must|will|is|are|am|do|does|has|have)\b => \2 \1
^(?:i (?:was|am) wondering|i wonder|(?:do you|would you) (?:happen to )?know|(?:can|
    could) you (?:please )?tell me) (?:if|whether) you (?!\w+ed\b|\w+ing\b) => do you
^(?:can|could|may|might) i (?:ask|know)\b(?! for\b) =>
^could (i|we)\b => can \1
^(?:would|can|could) you kindly\b =>
^((?:(?:can|could|will|would) you )?(?:explain|define|summari[sz]e|list|show|check|find|
    calculate)\b.+) for me<end> => \1
\bhow-to\b => how
\b(i|we) (?:am|are) (?:unable|not able) to\b => \1 can not
^(?:please )?(?:show|tell|teach|explain to|explain)(?: me| us)? (?=how\b|what\b|where\b|when\b|why\b|who\b) =>
^(?:the |a )?(?:command|code|formula|trick|shortcut) (?:to|for) (?=show|list|get|find|make|delete|print|count|
    \w+ing\b) => how
^what is the (?:command|code|formula|trick|shortcut) (?:to|for) (?=\w+ing\b|show|list|get|find|make|delete|print|
    count) => how
^(?:which|what) is the (?:right|correct|proper|best|easiest) way of\b => how
^(?:do you (?:happen to )?know|any chance you know|remind me|tell me again)\b =>
^(?:i|we) (?:want|need|would like|wish|am looking|are looking|am trying|plan|
    hope) to ([^,.?!]+?)[,.;!?-]+ *(?:and )?(?:so )?how(?: (?:do|can|should|would) (?:i|we)(?: (?:do|
    go about) (?:that|it|this))?)?<end> => how \1
^([^,.?!]+?)(?:[,.;:]| -) *(?:and )?how(?:(?: (?:do|can|should) (?:i|we)| to) do (?:that|it|this)| does (?:it|
    that) work)?<end> => how \1
^there (?:is|are) ([^,.?!]+?)<gap>how (?:do|can|should) (?:i|we) (get rid of|remove|fix|clean|stop|kill) (?:it|
    them|that)<end> => how \2 \1
^(?!.*\b(?:i|my|is|are|not)\b.*<gap>)([^,.?!]+?)(?:[,;:]| -) *how (?:do i|can i|to|do you) (\w+)(?: (?:it|them|
    one))?<end> => how \2 \1
^((?:my|our|the) [^,.?!]+?)[,.;] *(?:and )?why(?: is (?:that|this))?<end> => why \1
^(.+?)[,.;!?]+ *(?:so |and )?what (?:now|(?:do|should|can|must|shall) (?:i|
    we) do(?: now)?)<end> => what should i do if \1
\bwhat (?:do|can|must|shall|to) (?:i |we )?do (if|when|about)\b => what should i do \1
\bwhat do (?:i|we) do after\b => what should i do after
\b(if i) have (?=forgot|lost|missed\b) => \1
\bwhat should i do (?:when|in case|about)\b => what should i do if
\ba (few|little)\b => a\1
\bwhat exactly (?=is|are|do|does)\b => what
\bthank you (note|card|letter|email|message|speech|gift)s?\b => thankyou \1
\b(?:please|kindly|thank you|thanks|actually|considered|really)\b =>
\b(?:are|is|yet|still|remain|remains) to be (?=<done>) => tobe
\b(?:are|is|have|has)? ?(?:yet|still) to (?=\w) => tobe
^ *can you (?=(?:ship|deliver|accept)\b) => do you
\bbookings?\b => reservation
(?<!the )(?<!my )(?<!your )(?<!this )\bbook (?:me )?(?=an?\b|the\b|my\b|flights?\b|tickets?\b|
    hotels?\b|online\b) => reserve
\bthe current (?=time\b|weather\b|population\b|exchange\b|president\b) => the
\bwhat (?:does|do) (?!the\b|an?\b|my\b|your\b|you\b|it\b|this\b|that\b|he\b|she\b|they\b|
    i\b)([a-z][a-z ]*?) mean<end> => what is \1
\bon (?:my|our) account\b =>
^(?:can|could|would|will) you +(?:help me(?: to| with)?|explain(?: to (?:me|us))?|(?:tell|show|teach|give) (?:me|
    us)|let (?:me|us) know)(?: about)?\b =>
^help (?:me|us)(?: to)? (?=write|draft|create|choose|find|plan|pick|translate|summari) =>
^help (?:me|us)(?: to)? (?=\w) => how
^((?:in|on|with) [\w ]+?), *((?:how|what|which|why|where|when|who)\b.+?)<end> => \2 \1
^(?:if|in case) ([^,]+), *(?:then )?((?:how|what|which|why|where|when|who|can|could|may|will|would|do|does|is|are|
    am|should|must)\b.+?)<end> => \2 if \1
^((?:i am|i have|i live|i work|we are|we have|my) [^,.;?!:]+?)(?:[,.;]| -) *((?:can|could|may|should|must|will|do|
    does|is|are|am|which|what|where|when|who)\b[^,.;?]+?)<end> => \2 if \1
^(<owned> [\w ]+?), (is|are|was|were|does|do|can|will) (?:it|they)\b => \2 \1
^(?:i|we) (?:want|need|would like|wish) to (?:know|find out|understand|learn)(?: about)?\b =>
^(?:i am wondering|i was wondering|i wonder|do you know|any idea|let me know|help me understand)\b =>
^(?:i|we) (?:have )?(?:forgot|forgotten|lost) ((?:my|our) \w+)[ ,.]+(?:and )?(how .*reset) it\b => \2 \1
^(?:can|could|would|will) you (?=check|calculate|compute|list|write|translate|summari|find|look up|define|
    describe|recommend|suggest|name|compare|draft|convert) =>
^(<tool>)[ :,-]+(?:how (?:to )?|(?:do|can) i )?(?!(?:is|are|has|have|was|does|do|can|and|or|vs|versus|
    to)\b)(?!.*\b<tool>\b)(\w+ .+?)<end> => \2 in \1
(?:^ *|\b)(?:(?:what|which) (?:is|are)|tell me|show me|give me|explain|describe)? *(?:the |a |an |
    some )?(?:(?:<best>|good|easy|simple) )?<way> (?:to|for|of|involved in)\b =>  how
^ *is there (?:(?:a|any|some) )?how\b => how
\bwhat (?:do|does|should|must|can|could) <anybody> (?:need |have )?(?:to )?do (?:in order )?to\b => how
^ *(?:(?:some |any |good )?(?:tips|advice|guide|tutorial|instructions|help|guidance|ideas?)) (?:for|on|about|with|
    to) (?=\w+ing\b) => how
\b(?:(?:some |any |good )?(?:tips|advice|guide|tutorial|instructions|help|guidance)) (?:for|on|about|with|
    to) (?=\w+ing\b) => how
^ *(?:give|show) me how\b => how
^ *(?:can you |could you )?(?:give|show|send|tell) me (?:a|the|your) (?:good |simple |
    easy )?([\w ]+?) recipe<end> => how make \1
^ *(?:what is )?(?:a|the|your)? *(?:good |simple |easy )?recipe for\b => how make
\bhow (do|can|should) (i|we|you) best\b => how \1 \2
^(?!.*\b(?:i|me|my|we|us|our|your)\b)(.*?\bhow) (?:do|can|could|would|should) you(?= <everyday>\b)(?!.*\byou\b.*
    \byou\b) => \1
\bhow (?:do|does|can|could|would|should|might) <anybody>\b(?: go about)? => how
^( *how .+?) (?:properly|correctly|the right way)<end> => \1
^ *how (?:can|could|should) <nobody>(.+?) be (<done>)\b => how \2 \1
^ *how (?:is|are) <nobody>(.+?) (?!paid\b)(<done>)\b(?! by\b) => how \2 \1
^ *(?:i|we) (?:want|would like|wish) to (speak|talk) (to|with)\b => can i \1 \2
^ *(?:i|we) (?:want|need|would like|wish|am trying|are trying|am looking) to\b => how
^ *(?:i|we) (?:need|want) (?:some )?help(?: to| with| in)?\b => how
\bhow to\b => how
\b(what (?:\w+ ){0,2}?)(?:do|does|would) (?:i|you|we|one) need (?:in order )?to (?!do\b) => \1is needed to
\b(?:what|which) ((?:\w+ ){0,2}?)(?:is|are) <needed> (?:to|for (?=\w+ing\b)|in order to)\b => what \1is needed to
\b(?:have|has|need|needs) to\b => must
\b(?:am|is|are) (?:required|obliged|obligated) to\b => must
\b(?:update|edit) (?=(?:my|our|the) (?:\w+ )?(?:address|email|info\w*|details|name|number)\b) => change
^ *(?:can you )?summari[sz]e\b => summary of
\b(\d+|two|three|four|five|ten) (sentence|paragraph|word) summary of (.+?)<end> => summary of \3 in \1 \2s
^ *(?:do|does) (\w+|(?:the|my|your) \w+) must\b => must \1
^ *is it (?:required|necessary|mandatory|compulsory|obligatory|needed)(?: for (?:me|us|people))? to\b => must i
^ *is it (?:required|necessary|mandatory|compulsory|obligatory|needed) for (.+?) to\b => must \1
^ *(?:is|are) (\w+ing\b.*?) <needed>\b => must i \1
^ *must <nobody>(.+?) be (<done>)\b(?! by\b) => must i \2 \1
\b(?:get|gets|got|getting) (?=\w+ed\b|stuck\b|lost\b|paid\b) => be
\busing\b => with
\b(turn|switch) (?!on |off )((?:\w+ ){1,3}?)(on|off)\b => \1 \3 \2
^ *can (?:i|you|we|one) safely\b => is it safe to
^ *(can|may) (i|we) (?:have|get) (?=an?\b|some\b|my\b|the\b) => \1 \2 get
^ *can you (?=freeze|eat|drink|reuse|recycle|microwave|reheat|swim|park) => can i
^ *is (parking|shipping|delivery|wifi|breakfast|entry|admission|entrance) free\b => is there free \1
^ *is (?:entry|admission|entrance) to (.+?) free\b => is \1 free
^ *does <nobody>(.+?) have free (?:entry|admission|entrance)\b => is \1 free
^ *(?:is|are) (this|these|.+?) available (in|at|for) => is there \1 \2
\bhow (many|much) ((?:\w+ ){1,2}?)(?:is|are) <needed> to\b => how \1 \2must i
^ *is it possible(?: for (?:me|us|people))? to\b|^ *(?:am i|are we) able to\b => possible i
^ *is it <fine>(?: for (?:me|us|people))? to\b|^ *(?:am i|are we) (?:allowed|permitted) to\b => may i
^ *is it <fine> for (.+?) to\b => can \1
^ *(?:is|are) (\w+ing\b.*?) possible\b => possible i \1
^ *(?:is|are) (\w+ing\b.*?) (?:okay|ok|allowed|permitted|acceptable|alright)\b => may i \1
^ *is (\w+ing\b.*?) (<judged>)(?: for (?:you|me|people))?<end> => is it \2 to \1
^ *(?:is|are) <nobody>(.+?) (?:allowed|permitted|able|eligible|entitled) to\b => can \1
\b(who|what|which (?:\w+ )?\w+) (?:is|are) (?:allowed|permitted|able|eligible|entitled) to\b => \1 can
^ *does <nobody>(.+?) (?:allow|permit) (\w+)<end> => are \2 allowed in \1
^ *is shipping (to .+?) available<end> => do you ship \1
^ *(?:can|may|could) <nobody>(.+?) be (<done>) by (.+?)<end> => can \3 \2 \1
^ *(?:can|may|could) <nobody>(.+?) be (<done>)\b(?! by\b) => can i \2 \1
^ *(?:is|are) <nobody>(.+?) (<done>|covered) by (?!\d|(?:now|then|mistake|default|law|
    \w+day)\b)(.+?)<end> => does \3 \2 \1
\b(?:at |in |on )?(?:what|which) time (?=does\b|do\b|did\b|will\b|can\b|should\b|is (?!it\b)|are\b|
    was (?!it\b)) => whentime
\b(?:on )?(?:what|which) (?:day|date) (?=is (?!it\b)|are\b|was (?!it\b)|does\b|do\b|did\b|will\b) => whenday
\b(?:in )?(?:what|which) year (?=did\b|was\b|were\b|will\b|is (?!it\b)) => whenyear
\b(?:what is the deadline (?:for|to)|by when (?:do )?(?:i|we|you)? *must(?: i| we| you)?|by when (?:can|
    should) (?:i|we)) (?=\w+ing\b|\w+ [a-z]) => deadline must i
^ *by when must <nobody>(.+?) be (<done>)\b => deadline must i \2 \1
\b(?:when|whentime|whenday) (is|was) (?=the best time) => what \1
\bwhen should <anybody> (?=visit|plant|travel|book|prune|harvest|sow) => what is the best time to
\b(?:when|whentime) (?:are you open|do you open and close)\b => the opening hours
\b(?:what|which) is the reason(?: that| why| for)?\b|\bhow come\b|\bfor what reason\b => why
\bwhat is making\b => why
\bwhat makes ((?:my|our|your) [\w ]+?) (?:so|this|that) (\w+)<end> => why is \1 so \2
^ *why do (?:we|you|people|i) get\b => what causes
^ *why (?:do|does) (.+?) (?:happen|occur|take place)<end> => what causes \1
^ *what (?:is|are) the causes? (?:of|behind|for)\b => what causes
\bwhere (?:can|could|do|would|should) <anybody> (?:find|locate|(?:see|view) (?=my (?!doctor|dentist))) => where is
\bwhat is the location of\b => where is
\b(where (?:is|are) .+?) (?:located|situated)\b => \1
^ *(?:do|does) (?:i|we|one) need (.+?)(?= for\b| to\b|<end>) => is \1 needed
^ *(?:is|are) (.+?) (?:required|necessary|mandatory|compulsory|obligatory)\b => is \1 needed
^ *(?:is|are) (.+) included (?:in|with) (.+?)<end> => does \2 include \1
\bwhat is included (?:in|with) (.+?)<end> => what does \1 include
^ *(?:is|are) (.+?) (<judged>) to (eat|drink|use|buy|touch)<end> => is it \2 to \3 \1
^ *(?:is|are) (.+?) (?:okay|ok|fine) for (.+?) to (eat|drink|use|touch)<end> => can \2 \3 \1
^(.+?) (?:was|were) (\w+) by who<end> => who \2 \1
^ *by who (?:was|were) (.+?) (<done>)<end> => who \2 \1
^ *by who (?:is|are) (.+?) (<done>)<end> => who do \2 \1
^ *which (?:team|person|author) (?=won\b|wrote\b|invented\b|discovered\b|founded\b) => who
\bhow (?:do|does|is|are) (.+?) (?:differ|different) from\b => what is the difference between \1 and
\bhow (?:do|are) (.+?) (?:differ|different)\b => what is the difference between \1
\bhow far (?:away )?(?:is|are) (.+?) (?:from|to)\b => what is the distance between \1 and
\bdistance from (.+?) to\b => distance between \1 and
\bhow is the (?=weather) => what is the
\bweather like\b => weather
\bwho is the (?:author|writer) of\b => who wrote
\bhow expensive is it to\b|\bhow much (?:does|do|would|will) it cost to\b => price of
\bhow much (?:do|does) (.+?) costs?\b => price of \1
\bwhat (?:do|does) (.+?) costs?\b => price of \1
\bhow expensive (?:is|are)\b|\bhow much (?:is|are)(?= the | a | an | my ) => price of
\bhow many people (?:live|are living|are there) in\b => population of
\bhow many inhabitants (?:does|do) (.+?) have\b => population of \1
\bhow many inhabitants (?:are in|live in|are there in)\b => population of
\bwhat is the (?:total )?number of (?!the\b|an?\b|my\b|your\b|our\b|this\b)(?=\w+s\b|people|
    children)|\bhow many\b => how many
\bwhat (?:is the )?amount of\b|\bhow much\b => how much
^(?:what is )?(?:the )?(?:(calorie|carb|page|word) count|(calorie) content) (?:of|in|for)\b => how many \1\2s are in
^([\w ]+?) (?:has|have|is|are|contains?|equals?|makes?) how (many|much) ([\w ]+?)<end> => how \2 \3 are in \1
\b(how many \w+) (?:do|does) ([^,;:]+) have<end> => \1 are in \2
^ *(how many .+?) (?:do|does) (?!i\b|we\b|you\b)([^,;:]+) (?:get|receive)<end> => \1 for \2
\bhow often (?:do|does) (.+?) need (?:to be )?(\w+ing|<done>)\b => how often \2 \1
\bhow often (?:should|must|do|can|does) <nobody>(.+?) (?:must )?be (<done>)\b => how often \2 \1
\bwhat is the (shipping|delivery|processing) time (for|to|of) (.+?)<end> => how long \1 \2 \3 take
\bwhat is the (shipping|delivery|processing) time<end> => how long \1 take
\bwhat is the (cook|bak|boil|roast)ing time (?:for|of) => how long must i \1ing
\b(?:how many|how much) ([a-z]+) (?:is|are|are in|in|equals?|make) (\d[\d.,]*) ([a-z]+)<end> => convert \2 \3 to \1
^(?:what is |how much is |calculate )?(\d[\d.,]*) ([a-z]{2,}) (?:in|into|to) ([a-z]+)<end> => convert \1 \2 to \3
^((?:what|who|where|when|which \w+) (?:is|are|was|were) |)(?:the )?(\w+(?: \w+)?)'s (\w+)<end> => \1\3 of \2
\bon (?=(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b) =>
^ *(?:which|what) ((?:\w+ )*?\w+?)( (?:in|on|of) (?:the )?\w+(?: \w+)?)? (?:is|are) (?:the )?((?:most|least) \w+|
    \w+est)( (?:in|on|of|to) .*?)?<end> => what \3 \1\2\4
^ *(?:which|what) city is (?=.*\bcapital\b) => what is
^ *(what|which) (\w+) do (?:people|they|you) (speak|use|eat|drink|celebrate) in\b => \1 \2 is passive \3 in
^ *(what|which) (\w+(?: \w+)?) do you (accept|support|offer)<end> => \1 \2 is passive \3
^( *what is .+?) again<end> => \1
^ *(?:can you )?(?:suggest|recommend|name) (?=\d|two|three|four|five|six|seven|eight|nine|ten|some) =>
^ *(?:what|which) (currency|language|time zone|voltage|calendar) (?:does|do) (.+?) (?:use|have|
    speak)<end> => what is the \1 of \2
\bwhat (?:is|are) (.+?) used for<end> => what are the uses of \1
^ *(?:which|what) ([\w ]+?) (?:does|do) ([\w ]+?) have<end> => what \1 of \2
\b(policy|rules?|information|discounts?|question|limit|law|fee) (?:on|for|about) (?:the )?(\w+) => \2 \1
^ *who (?:was|is|were) the (invent|found|creat|direct|paint|compos|discover)[eo]r of\b => who \1ed
^ *who (?:was|is|were) the (winner|owner) of\b => who \1 of
\bhow (?:do|does) (?:i|we|you|one) get (from|to)\b|^ *(?:what is )?(?:the )?way (from|to)\b => route \1\2
\bwhat (?:can|could|should) (?:i|we|you) use (?:instead of|in place of)\b => substitute for
\b(?:a |any )?(?:good |best )?(?:substitute|replacement|alternative)s? (?:for|to)\b => substitute for
\bhow much (?:is|are) (?=\d) =>
\bhow (?:high|large|big) (?:is|are) (?=(?:[\w' ]+ )?(?:gdp|population|budget|debt|minimum|maximum|average|
    interest|rent|price|cost|fee|tax|rate|fine)) => what is
\bhow tall (?:is|are)\b|\bhow high is (?=mount\b|mont\b) => height of
\bhow deep (?:is|are)\b => depth of
\bhow wide (?:is|are)\b => width of
\bhow heavy (?:is|are)\b|\bhow much (?:do|does) (?=.+ weigh\b) => weight of
(weight of .+) weigh\b => \1
\bhow fast (?:do|does|can|is|are) (.+?)(?: travel| go| move)?<end> => speed of \1
\bhow old (?:do|must|should) (?:you|i|we|one) (?:must )?be to\b|\bat (?:what|which) age (?:can|may) (?:you|i|we|
    one|people)\b => minimum age to
\bwhat is the (?:legal |minimum )?(\w+ing) age\b => minimum age to \1
\b(?:at )?what temperature (in \w+ )?(?:do|does) (.+?) (boil|freeze|melt)\b => what is the \3ing point of \2 \1
\bwhat is the (?:length|duration) of (.+) => how long is \1
\bwhat is (.+?) (boiling|freezing|melting) point\b => what is the \2 point of \1
\bwhat makes (the \w+) (\w+)<end> => why is \1 \2
\b(?:when|whenday) was (.+) born\b => birth date of \1
^ *can (?:i|we) (?:pay|use|make a payment) (?:with|by|via) (.+?)<end> => do you accept \1
^ *do you charge (?:a fee )?for\b => is there a fee for
^ *(?:do|does) <nobody>(.+?) have (?!been|to\b)(?:a |an |any )?([^,]+?)<end> => there is \2 having \1
^ *(?:is|are) there (?:a |an |any )?([\w ]+?) of (?:taking |using )?(\w+)<end> => there is \1 having \2
^ *(?:do you (?:have|offer|sell|provide|carry|stock)|is there|are there)\b => there is
^ *(?:show|list|display|give|print|get|fetch)(?: me)?(?: a list of| all of)? (?=my|the|all|our) =>
^ *(?:do|does|did) (\w+|(?:the|my|a) \w+) (?:get|receive) (?:a |an |any )?(discount\w*|refund\w*) => there is \1 \2
\bhow old (?:is|are)\b => age of
\bhow (?:big|large) (?:is|are)\b => size of
\bhow (?:long|many days|much time) (?:do|does) it take (?:for )?(.+?) to\b => how long \1 take to
\bhow (?:long|many days|much time) (?:do|does|will|would) (.+?) take\b => how long \1 take
^ *for how long\b => how long
\bwhat (?:does|do) (.+?) (?:stand for|mean)\b => mean \1
\b(?:what is )?the (?:meaning|definition|full form) of\b|^ *(?:meaning|definition) of\b => mean
\bhow (?:do (?:you|i) )?say (.+) in\b => translate \1 in
\bwhat is QUOTE in\b|^ *QUOTE in\b => translate QUOTE in
\btranslate (.+) (?:to|into)\b => translate \1 in
\b((?:in|at|on) (?:the )?[a-z]+) (in \d{4})<end> => \2 \1
\bthe (\d{4}) (\w+(?: \w+)?)<end> => the \2 in \1
\b(?:did not|have not|has not|never) (?:yet )?(receive|get|arrive|come)(?:d|ed)?\b(?: yet)? => did not \1
\b(?:have|has) not (?:yet )?(?:got|gotten)\b(?: yet)? => did not get
\bnever (?:got|came)\b => did not get
\b(?:has |have )?stopped (?=\w+ing\b) => no longer
\bwhat (?:becomes|will become) of\b => what happens to
\bwhat (?:are|is) the consequences? of (?=\w+ing\b) => what happens if i
\b(?:your|the) (?=(?:\w+ ){0,1}(?:policy|policies|opening hours|newsletter|menu|website)\b) => the
^ *name (?=the\b) =>
^ *([\w ]+?) recipe<end> => how make \1
^ *how (?:find|locate) (?=my\b|our\b) => where is
\bhow much (?:is|are) (?=(?:shipping|delivery|parking|tuition|admission|entry|rent|membership|tickets|
    breakfast)\b) => price of
^ *(?:tell me about|tell me|give me|recommend me|provide me with|provide|explain to me|explain|define|
    check (?=the status)|(?:calculate|compute)(?=.* \d))\b =>
^ *([^\W\d_]+) ?: *(.+?)<end> => \2 in \1
\b(what|who) (do|does|did|can|could|should|would)\b => \1 thing \2
\b(has|have|had) ((?:not |<owned> \w+ |\w+ )?)(been|<done>)\b => perfect \2\3
\b(is|are|was|were|be|been|being) ((?:\w+ ){0,3}?)(?!(?:needed|required|speed|seed|feed|weed|need|
    hundred|shed|bed|red)\b)(\w+ed|
    <irregular>)\b => \1 \2passive \3
\b(is|are|am|was|were|be|been) (not )?(?!<noun>\b)(\w{2,}ing)\b => \1 \2progressive \3
(?<!what )\b(is|are|am|was|were|be|been) (<owned> \w+ |(?!<owned>\b|<small>)\w+ )(?!<noun>\b)(
    \w{2,}ing)\b => \1 \2progressive \3
\bhow lower(?:ing)?\b => how decrease
\braise (?=(?:the|my) rent\b|prices\b|taxes\b) => increase
\breach (?=(?:customer |technical |your )?(?:support|service)\b) => contact
\bremove (?=(?:my|an|the) account\b|an? (?:\w+ )?(?:git )?branch\b) => delete
"""


def _rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    found = []
    for line in _TABLE.strip("\n").replace("\n    ", "").splitlines():
        pattern, _, replacement = line.partition(" =>")
        for name, part in _PARTS.items():
            pattern = pattern.replace(f"<{name}>", part)
        found.append((re.compile(pattern), f" {replacement.strip()} "))
    return tuple(found)


RULES: Final = _rules()
