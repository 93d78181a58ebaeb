"""Words that say whether a machine was healthy, in the languages of factories.

English, German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Danish, Norwegian, Finnish,
Polish, Czech, Russian, Turkish, Japanese, Chinese and Korean; Japanese and Chinese in Latin letters
too. All are as `plain` writes them: small letters without accents.
"""

from __future__ import annotations

import unicodedata
from itertools import product

NORMAL, ANOMALY = "normal", "anomaly"


def plain(word: str) -> str:
    """Return a word in lower case without accents."""
    folded = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in folded if not unicodedata.combining(character))


def _words(text: str) -> frozenset[str]:
    return frozenset(map(plain, text.split()))


def _inflected(stems: str, endings: str) -> frozenset[str]:
    """Return every stem with every ending; `-` is none."""
    return frozenset(
        plain(stem + ending.strip("-")) for stem, ending in product(stems.split(), endings.split())
    )


HEALTHY_WORDS = frozenset().union(
    _words(
        """
        normal normals healthy good ok okay nominal intact undamaged unbroken unfaulted flawless
        faultless passed gut gutteil gutteile normale normaler fehlerfrei einwandfrei
        bon bonne sain saine correct conforme bom boa saudável
        buono buona normali integro goed sprawny sprawna prawidłowy prawidlowy dobry dobra
        норма нормальный нормальная исправен исправна исправный исправная годен годный
        sağlam saglam
        seijou seijo ryouhin ryohin zhengchang lianghao hege
        """
    ),
    _inflected("gesund intakt", "- e er es en"),
    _inflected("buen san correct", "o a os as"),
)
FAULTY_WORDS = frozenset().union(
    _words(
        """
        anomaly anomalies anomalous abnormal abnormals abnormality abnorm anomal broken bad damage
        damaged damages defect defects defective fault faults faulty fail failed failure failures
        failing malfunction malfunctioning unhealthy unnormal reject rejects rejected scrap outlier
        outliers ng nok nogood notgood notok ko nio cracked worn seized chipped leak leaking leakage
        misaligned misalignment unbalanced imbalanced imbalance unbalance
        anomalie anomalien fehler schlechtteil schlechtteile schaden schäden schaeden ausschuss
        störung störungen stoerung stoerungen unwucht ausfall
        défaut défauts défectueux panne pannes anormaux mauvais défaillance défaillances
        anomalia anomalias defecto defectos avería averías falla fallas fallo fallos
        difetto difetti guasto guasti guasta anomali anomale scarto scarti
        defeito defeitos falha falhas ruim avaria avarias
        kapot kapotte defecte fout foute slecht slechte beschadigde
        trasig trasigt felaktig felaktigt skadad skadat fejl feil ødelagt viallinen rikki
        awaria usterka vadný vadná poškozený poškozená porucha závada
        неисправен неисправна неисправный неисправная неисправность дефект дефекты брак поломка
        сломан сломана авария
        arızalı arizali bozuk hatalı hatali rusak
        ijou ijo koshou kosho furyou furyo kekkan guzhang yichang buliang quexian sunhuai buhege
        """
    ),
    _inflected(
        "anormal defekt fehlerhaft kaputt schlecht beschädigt beschaedigt schadhaft mangelhaft "
        "gestört gestoert",
        "- e er es en",
    ),
    _inflected("défectueus cassé endommagé abîmé défaillant mauvais anormal", "- e s es"),
    _inflected("defectuos rot dañad averiad malograd mal", "o a os as"),
    _inflected("difettos rott danneggiat anomal", "o a i e"),
    _inflected("defeituos quebrad danificad avariad", "o a os as"),
    _inflected("wadliw uszkodzon zepsut", "y a e"),
)
COMPOUNDS = tuple(
    map(plain, ["schaden", "schäden", "schaeden", "defekt", "fehler", "störung", "stoerung"])
)
NEGATIONS = _words(
    """
    no not non un nicht kein keine ohne pas sans sin senza sem nao without never
    niet geen ej inte icke ikke ei nie ne не без
    """
)
PREFIXES = ("not", "nicht", "non")  # written together with what they turn
FREE = frozenset(["free", "frei", "less"])  # behind a word: fault free
SUBJECTS = _words(  # behind a word, which then says what is studied, not what was recorded
    """
    detection detections detector detectors diagnosis diagnostics diagnostic analysis inspection
    monitoring prediction recognition classification score scores threshold project study
    erkennung diagnose analyse prognose deteccion detection rilevamento deteccao
    """
)
IN_ORDER = {("i", "o"), ("io",)}  # German: in Ordnung, if it is written like that
DOTTED = {("n", "g"): ANOMALY, ("n", "o", "k"): ANOMALY, ("o", "k"): NORMAL}  # with points between
PHRASES = {
    **dict.fromkeys([("n", "i", "o"), ("n", "io")], ANOMALY),
    **dict.fromkeys([*IN_ORDER, ("in", "ordnung"), ("v", "poradku"), ("in", "orde")], NORMAL),
    **dict.fromkeys([("out", "of", "order"), ("hors", "service"), ("not", "working")], ANOMALY),
    **DOTTED,
}
SCRIPTS = {  # without spaces between words; the longer ones first
    **dict.fromkeys(["異常なし", "無異常", "无异常", "無故障", "无故障", "이상없음"], NORMAL),
    **dict.fromkeys(["不正常", "不合格", "異常", "异常", "故障", "不良", "欠陥", "缺陷"], ANOMALY),
    **dict.fromkeys(["损坏", "損壞", "破損", "破损", "損傷", "损伤", "失效", "次品"], ANOMALY),
    **dict.fromkeys(["異音", "异音", "異響", "异响"], ANOMALY),
    **dict.fromkeys(["불량", "고장", "결함", "비정상"], ANOMALY),
    **dict.fromkeys(["正常", "良品", "良好", "合格", "정상", "양품"], NORMAL),
}
