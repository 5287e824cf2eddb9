"""The letters beyond ASCII of languages, and how likely a character is in each."""

from __future__ import annotations

import math
from functools import cache

# Letters in lower case, the most frequent first.
ALPHABETS = {
    "German": "üäöß",
    "French": "éèâêçôîàûïëùœüÿæ",
    "Spanish": "óíáéñúü",
    "Catalan": "òàèéíçóúïü·",
    "Portuguese": "ãçéáóíêúâôõàü",
    "Italian": "àèòùìé",
    "Danish, Norwegian": "øåæéö",
    "Swedish, Finnish": "äöåé",
    "Icelandic": "íáðéóúöýæþ",
    "Czech, Slovak": "íáéčřěšžýůúňťóďľôĺŕä",
    "Polish": "łóśęążńćź",
    "Hungarian": "áéóöíőüúű",
    "Romanian": "ăâîşţșț",
    "Croatian, Slovene": "čšžćđ",
    "Albanian": "ëç",
    "Turkish": "ıişüçğöİâî",
    "Lithuanian": "ėšųžčūįąę",
    "Latvian": "āīšēņūļžģčķ",
    "Estonian": "äõüöšž",
    "Vietnamese": "đôàêáươăảâạếộốễềệấầẩớợờứừữựúùủũụíìĩịỉóòõọỏéèẽẹẻýỳỷỹỵãạằắặẳẵậẫồổỗởỡửể",
    "Maltese": "ħżġċà",
    "Russian": "оеаинтрслвкдмупяыьгзбчйхжшюцщэфъё",
    "Ukrainian": "оанівретскидлупмьязгбчйхжюцщфєшїґ",
    "Belarusian": "аніоерсктлыдмуяпьзвбчгйхжцюшэўфё",
    "Bulgarian": "аеионтрвслдпкмзуябгъчщцйжшхюфь",
    "Serbian": "аоиенрстуједвкпмлзбгчљцћњшжђхфџ",
    "Macedonian": "аоеинтрсвкјлдупмзбгчшцжњфхѓќљџѕ",
    "Greek": "αοιτενσρκπςηυλμδγθχάίόωέήφύβώξζψϊϋΐΰ",
    "Arabic": "المينرتودسبةعفكقحجشصطهخضزأئغذثىظإءؤآپچژگکیـ،",
    "Hebrew": "יוהלראתמבנשכטקחםדספגעזןצךףץ",
    "Thai": "านรกอัม่ยเท้งลีวสดิคบ์ปจตพหชขะณโไใธผฟแุูำถภศืญฐซษึ็ฮฉฆฎฏฬฝ๊๋ฤๆฯ",
}
TYPOGRAPHIC = "’‘“”„«»–—‚‹›…\xa0№•°ºª©®™€£§·&´ⅠⅡⅢ"
"""Signs that texts in any language may have."""
FIT_OF_SIGN = 0.004
FIT_OF_OTHER_LETTER = 0.002
FIT_OF_STRANGER = 0.00002
"""How likely a character is that no alphabet has, such as a part of a box or a sign of mathematics."""


@cache
def costs() -> list[dict[str, float]]:
    """Return, for each language, the logarithm of how likely each character is: its letters by rank (Zipf's law)."""
    letters_of_all = "".join(ALPHABETS.values())
    others = dict.fromkeys(letters_of_all, math.log(FIT_OF_OTHER_LETTER))
    others |= dict.fromkeys(TYPOGRAPHIC, math.log(FIT_OF_SIGN))
    tables = []
    for letters in ALPHABETS.values():
        weights = {letter: 1 / (rank + 5) for rank, letter in enumerate(dict.fromkeys(letters))}
        total = sum(weights.values())
        tables.append(others | {letter: math.log(weight / total) for letter, weight in weights.items()})
    return tables
