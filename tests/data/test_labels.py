"""Words in names, in several languages and ways to write them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmix.data.label_words import COMPOUNDS, FAULTY_WORDS, HEALTHY_WORDS
from dgmix.data.labels import label_in, label_of, says_only

ANOMALIES = [
    *("NG", "ng_01", "NG_knock", "NOK", "NOK2", "niO", "nIO", "n.i.O.", "n.i.O_001", "KO_3"),
    *("not good", "Not_Good", "NotGood", "nogood", "NO GOOD", "1.abnormal", "engine2_broken"),
    *("abnormal_0", "one_broken_0001_01", "pumpBroken", "FAULTY", "bad", "defects-2", "failed"),
    *("nicht i.O.", "nicht in Ordnung", "defekt", "Pumpe kaputt", "beschädigt", "beschaedigt"),
    *("défaut", "DÉFAUTS", "moteur cassé", "anormale", "pas bon", "non conforme", "en panne"),
    *("defectuoso", "roto", "dañado", "averia", "no normal", "avería 3", "falla_2"),
    *("guasto", "difettoso", "rotto", "anomalo", "danneggiato", "non buono"),
    *("quebrado", "defeito", "não conforme", "avariado", "sem bom"),
    *(
        "ijou",
        "furyou_3",
        "koshou",
        "異常",
        "不良品",
        "故障3",
        "guzhang",
        "yichang2",
        "不正常",
        "不合格",
    ),
    "good or bad",
    "ødelagt",
    *("N.G.", "n.g._2", "n.o.k.", "ＮＧ_3", "notnormal", "NICHTOK", "not_working", "out-of-order"),
    *("Lagerschaden", "getriebeschaeden_2", "Kugelfehler", "Motorstörung", "gestört", "Unwucht"),
    *("kaputte Pumpe", "defektes", "beschädigte_3", "moteur hors service", "défaillante", "abîmé"),
    *("defectuosos", "danneggiata", "rotti", "quebrados", "danificada", "imbalance_6g", "worn"),
    *(
        "kapot",
        "niet ok",
        "niet in orde",
        "ej_ok",
        "ikke OK",
        "trasig",
        "ødelagt",
        "rikki",
        "ei ok",
    ),
    *("uszkodzona", "nie dobry", "vadný", "неисправен", "брак_1", "не годен", "arızalı", "bozuk"),
    *("異音", "破损件", "비정상", "de\u0301faut", "bescha\u0308digt"),  # as macOS writes them
]
HEALTHY = [
    *("normal", "0.normal", "normal_00000012", "ok", "OK", "PumpOK1", "iO", "i.O.", "iO_001"),
    *("healthy_M1_1450rpm_0", "engine1_good", "no fault", "fault-free", "non-defective"),
    *("not broken", "without damage", "in Ordnung", "fehlerfrei", "ohne Schaden", "gut"),
    *("bon", "sans défaut", "sain", "sin defecto", "bueno", "senza difetti", "buono", "bom"),
    *("o.k.", "o.k._3", "nonDefective", "intakte_Pumpe", "in orde", "goed_1", "исправный"),
    "норма",
    *(
        "異常なし",
        "无故障",
        "이상없음",
        "sağlam",
        "dobry_2",
        "buenos",
        "ei rikki",
        "störungsfrei gut",
    ),
    *("sem defeito", "seijou", "正常_01", "良品", "zhengchang", "合格", "no_1_good"),
]
NEITHER = [
    *("", "pump 3", "default", "id_00", "okapi", "goodyear", "section_00", "cw_f8", "audio"),
    *("radio_1", "pump_io_3", "heavyload", "target_12", "M3", "0001", "anomaly_detection"),
    *("goodman", "normalized", "niobium", "nokia", "ngc", "badminton", "okapi", "N.G.C", "N_G_2"),
    *("gång_01", "la\u030ang", "hàng", "Ånge", "rotor_1", "failover", "bypass", "nook", "nonstop"),
    *("fehlerstrom", "schadstoff", "bonus", "malaga", "NO_contact", "normally_open", "koala"),
    *("fault_diagnosis", "defect-inspection", "angle", "engine", "songs", "2026-05-01", "m-n_X"),
]


@pytest.mark.parametrize("name", ANOMALIES)
def test_names_of_anomalies(name: str) -> None:
    label = label_in(name)
    assert label is not None
    assert label.label == "anomaly"
    assert label.word in unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("name", HEALTHY)
def test_names_of_healthy_recordings(name: str) -> None:
    label = label_in(name)
    assert label is not None
    assert label.label == "normal"


@pytest.mark.parametrize("name", NEITHER)
def test_names_that_say_neither(name: str) -> None:
    assert label_in(name) is None


def test_no_word_means_both() -> None:
    assert not HEALTHY_WORDS & FAULTY_WORDS


@pytest.mark.parametrize(
    ("folders", "stem", "label"),
    [
        (("good",), "a", "normal"),
        (("good", "NG"), "a", "anomaly"),
        (("NG", "good"), "a", "normal"),
        (("good",), "broken_1", "anomaly"),
        (("NG",), "good_1", "anomaly"),
        ((), "good_1", "normal"),
    ],
)
def test_the_innermost_name_decides_and_a_file_may_be_worse(
    folders: tuple[str, ...], stem: str, label: str
) -> None:
    chosen = label_of(folders, stem)
    assert chosen is not None
    assert chosen.label == label


@pytest.mark.parametrize(
    ("name", "only"),
    [("broken", True), ("1.abnormal", True), ("not good", True), ("anomaly_data", False)],
)
def test_names_that_are_a_label_and_nothing_else(name: str, only: bool) -> None:
    assert says_only(name, "anomaly") == only
    assert not says_only(name, "normal")


@given(st.text(max_size=40))
def test_any_name_is_read(name: str) -> None:
    label = label_in(name)
    composed = unicodedata.normalize("NFC", name)
    assert label is None or (label.word in composed and len(label.rest) <= len(composed) + 1)


@given(st.sampled_from(sorted(FAULTY_WORDS)), st.sampled_from("_-. "), st.integers(0, 999))
def test_every_word_is_found_beside_others(word: str, between: str, number: int) -> None:
    for name in (word, f"pump{between}{word}{between}{number}", f"{number}{word.upper()}"):
        label = label_in(name)
        assert label is not None
        assert label.label == "anomaly"


@given(st.sampled_from(sorted(HEALTHY_WORDS | FAULTY_WORDS)))
def test_no_word_is_found_within_another(word: str) -> None:
    if word.isascii():
        assert label_in(f"zz{word}zz") is None
        assert (label_in(f"zz{word}") is None) != word.endswith(COMPOUNDS)
