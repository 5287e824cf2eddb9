"""The decimal mark of a locale, from the Unicode CLDR: a comma or a point."""

from __future__ import annotations

import re

from dedup.errors import UsageError

_COMMA = (
    " af ast az ba be bg br bs ca cs cv da de dsb el eo es et eu fi fo fr fy gl hr hsb hu hy ia id is it ka kk kl ku "
    "ky lb lij ln lo lt lv mk nb nl nn no pl pt rm ro ru rw sah sc scn se sk sl sq sr sv tg tk tr tt uk uz vec vi wo "
)
_POINT = (
    " am ar as bn bo cy dz en fa ga gd gu gsw ha haw he hi ig ja km kn ko kok lg mai mi ml mn mr ms mt my ne or pa "
    "sa sd si so sw ta te th ti to ug ur xh yo yue zh zu "
)
_OTHER_MARK = (
    " ar_DZ ar_LB ar_LY ar_MA ar_MR ar_TN de_CH de_LI en_AT en_BE en_CZ en_DE en_DK en_EE en_ES en_FI en_FR en_HU "
    "en_ID en_IT en_LT en_LV en_NL en_NO en_PL en_PT en_RO en_SE en_SI en_SK en_UA en_ZA es_BR es_BZ es_CU es_DO es_GT "
    "es_HN es_MX es_NI es_PA es_PE es_PR es_SV es_US it_CH ms_BN ms_ID sw_CD "
)
"""Where the mark is not that of the language."""
_LOCALE = re.compile(r"([a-z]{2,3})(?:[-_][a-z]{4})?(?:[-_]([a-z]{2}|[0-9]{3}))?(?:\.[\w-]+)?", re.IGNORECASE)


def decimal_mark(locale: str) -> str:
    """Return the decimal mark of a locale such as ``de``, ``de_CH`` or ``pt-BR``.

    Raises ``UsageError``: it is not known.
    """
    if locale.upper() in ("C", "POSIX"):
        return "."
    found = _LOCALE.fullmatch(locale)
    language = f" {found[1].lower()} " if found else ""
    if found is None or language not in _COMMA + _POINT:
        raise UsageError(
            f"The locale {locale!r} is not known; give a language and, where it matters, a country: de, de_CH, en_GB."
        )
    place = f" {found[1].lower()}_{(found[2] or '').upper()} "
    return "," if (language in _COMMA) != (place in _OTHER_MARK) else "."
