"""Words by which a request's sentences and headings are recognized as constraints or criteria, in several languages.

The patterns are compiled at their first use. A sentence about the state of things ("the cart never shows the total") is
no constraint, so most negations count only at the start of a sentence, a clause or a list item.
"""

_START = r"(?:^|[,;:(–—]\s*|\b(?:and|but|please|also|or|just|then)\s+)(?:please\s+)?"

CONSTRAINT = "|".join((
    rf"{_START}(?:do not|don['’]?t|never(?! mind)|avoid|no (?!problem|thanks|worries|idea|longer))\b",
    r"(?:^|:\s*)(?:please )?(?:only|keep)\b|\bleave .{1,60}\b(?:alone|unchanged|untouched|as (?:it is|they are|is))\b",
    r"\b(?:must|should|may|shall)(?: not|n['’]t)\b",
    r"\b(?:cannot|forbidden|not allowed|not permitted|at most|no more than)\b",
    r"\bwithout (?:\w+ing|a|any|new)\b",
    r"\b(?:darf|dürfen|soll|sollen|muss)\b.{0,60}\b(?:nicht|kein\w*)\b",
    r"^(?:bitte )?(?:nicht|keine?[nrs]?|niemals|ohne|nur)\b",
    r"^(?:bitte )?(?:ändere?|lösche|verwende|benutze|nutze|füge|schreibe?|mache?)\b.{0,80}\b(?:nicht|kein\w*)\b",
    r"^(?:ne |n['’]|sans |jamais|pas d)|\bne (?:doit|doivent|peut) (?:pas|jamais)\b",
    r"^(?:no (?!problem|thanks|worries|idea|longer)|nunca\b|sin\b)|\bno deben?\b",
    r"^(?:não|nunca|sem)\b|\bnão devem?\b|^(?:non|mai|senza)\b|\bnon dev\w+\b",
    r"^(?:geen|nooit|niet)\b|\b(?:mag|mogen) niet\b|^(?:nie|nigdy|bez)\b|\bnie mo(?:że|gą)\b",
    r"\b(?:asla|sakın)\b|\w(?:mayın|meyin|mamalı|memeli)\w*|^(?=.*(?-i:[ğışĞİŞ])).{1,200}\w(?:ma|me)[.!]?$",
    r"^(?:не|никогда|без)\b|\bнельзя\b|\bне долж",
    r"不要|不得|禁止|不能|请勿|しないで|してはいけ|してはなら|하지 ?마|금지|않도록",
))  # fmt: skip
"""A sentence with one of these says what must not happen."""

CRITERION = "|".join((
    r"\b(?:must|has to|needs to|shall|is required|required to|make sure|ensure|should|you (?:have|need) to)\b",
    r"\b(?:muss|müssen|soll|sollen|sollte|sollten|stelle? sicher)\b",
    r"\b(?:doit|doivent|devrait|il faut|assure-toi|assurez-vous)\b",
    r"\b(?:debe|deben|debería|tiene que|hay que|asegúrate|deve|devem|devono|dovrebbe|garanta|assicurati)\b",
    r"\b(?:moet|moeten|zorg dat|musi|muszą|powin\w+|upewnij|gerekir|gerekiyor|zorunlu\w*|\w+m[ae]lı\w*)\b",
    r"\bдолж(?:ен|на|но|ны)\b|\bобязательно\b|\bубедись\b",
    r"必须|应该|应当|确保|必ず|しなければ|べき|ようにして|반드시|해야",
))  # fmt: skip
"""A sentence with one of these says what must be true at the end."""

NOT_A_WISH = (
    r"\?$|\b(?:I|[Ww]e)\b(?: also| really)? (?:need|have|had|must|should|don['’]?t|do not|cannot|can['’]?t|never)\b"
)
"""A question, or a sentence about the user."""

CRITERIA_HEADING = (
    r"accept|criteri|done when|definition of done|success|requirement|verif|akzeptanz|abnahme|anforderung|kriterien"
    r"|critère|exigence|criterio|requisito|验收|要求|要件|условия|критери"
)
CONSTRAINTS_HEADING = (
    r"constraint|restriction|rules?\b|limits?\b|out of scope|non-goal|don['’]?t|do not|must not|avoid"
    r"|einschränkung|regeln|nicht\b|contrainte|restric|vincol|beperking|约束|限制|制約|ограничени"
)
DELIVERABLES_HEADING = (
    r"deliverable|tasks?\b|to-?do|steps?\b|goals?\b|implement|features?\b|aufgaben|schritte|ziele|livrable|tâches"
    r"|entregable|tareas|任务|タスク|задачи"
)
