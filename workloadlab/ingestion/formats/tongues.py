"""Names of columns in German, French, Spanish, Portuguese, Chinese and Japanese.

A pattern is held against the plain name of a column: small letters without accents, `_` between words.
"""

from __future__ import annotations

import re

__all__ = ["spoken"]

_TOKENS = r"(tokens?|jetons?|fichas?|令牌|トークン)"
_SIZE = r"(_?(anzahl|zahl|nombre|numero|数|數|数量|數量|总数|使用量))?"
_COUNT = r"((anzahl|nombre|numero|cantidad|quantidade)_(de_|der_)?)?"
_OF = r"(_|_de_|_du_|_d_|_en_|_em_|_da_|_do_|_la_|_de_la_)"

_NAMES: dict[str, tuple[str, ...]] = {
    "arrival_ns": (
        r"zeitpunkt|zeitstempel|zeit|uhrzeit|datum|datum_uhrzeit|start_?zeit|(anfrage_?)?(beginn|eingang)",
        r"horodatage|heure|date_(et_)?heure|(heure|date)_de_(debut|requete)|debut",
        r"fecha|hora|fecha_(y_)?hora|marca_(de_)?tiempo|(hora_de_)?inicio|fecha_de_(inicio|solicitud)",
        r"data|data_(e_)?hora|carimbo_(de_)?(data_hora|tempo)|(hora|data)_de_inicio",
        r"(请求|請求|開始|开始|创建|调用|发送|接收|到达)?(时间|時間|时间戳|日期)",
        r"日時|時刻|(リクエスト|受信|開始|送信|受付)(日時|時刻|時間)|タイムスタンプ",
    ),
    "input_tokens": (
        rf"{_COUNT}(eingabe|anfrage|prompt)_?{_TOKENS}{_SIZE}",
        rf"{_COUNT}{_TOKENS}{_OF}(entree|entrada|invite|prompt|peticion|solicitacao)",
        rf"(输入|輸入|提示|提示词|请求|入力|プロンプト|prompt)_?{_TOKENS}{_SIZE}",
    ),
    "output_tokens": (
        rf"{_COUNT}(ausgabe|antwort)_?{_TOKENS}{_SIZE}",
        rf"{_COUNT}{_TOKENS}{_OF}(sortie|salida|saida|reponse|respuesta|resposta)",
        rf"(输出|輸出|生成|补全|回答|响应|出力|応答|completion)_?{_TOKENS}{_SIZE}",
    ),
    "cached_tokens": (
        rf"(缓存|命中缓存|キャッシュ)_?{_TOKENS}{_SIZE}",
        rf"(zwischengespeicherte|gecachte)_{_TOKENS}",
    ),
    "ttft_ns": (
        r"(zeit|dauer)_bis_(zum_)?(erste[ns]?|1)_token|erstes_token",
        r"(temps|delai|latence)_(jusqu_au|du|avant_le|au)_premier_(jeton|token)|premier_(jeton|token)",
        r"(tiempo|latencia)_(hasta_el|del|al)_primer_token|primer_token",
        r"(tempo|latencia)_(ate_o|do|ao)_primeiro_token|primeiro_token",
        r"首(个|次)?_?(token|字|包|令牌)(耗时|延迟|时间|响应时间|时延|返回时间)",
        r"(初回|最初の|最初|先頭)_?(トークン|token)(まで)?(の)?(時間|レイテンシ|応答時間|遅延)",
    ),
    "e2e_ns": (
        r"(gesamt_?)?(dauer|latenz|laufzeit)|gesamt_?zeit|antwort_?zeit|bearbeitungs_?zeit|anfrage_?dauer",
        r"(duree|latence)(_totale)?|temps_(total|de_reponse)",
        r"(duracion|latencia)(_total)?|tiempo_(total|de_respuesta)",
        r"(duracao|latencia)(_total)?|tempo_(total|de_resposta)",
        r"[总總]?(耗时|耗時|延遲|时长|用时|延迟|时延)|(请求|响应|总|处理)(耗时|时长|延迟)|(响应|总|处理)时间",
        r"(合計)?(所要|処理|応答|経過|実行|合計|総)時間|(総)?レイテンシー?",
    ),
    "model": (r"modell(_?name)?|modele|modelo|nombre_del_modelo|模型(名称|名)?|モデル名?",),
    "outcome": (
        r"zustand|ergebnis|statut|estado|resultado|situacao",
        r"(请求|调用)?(状态|结果)|状態|結果|ステータス",
    ),
    "request_id": (r"anfrage_?(id|nummer)|(请求|调用)_?(id|编号)|リクエスト_?(id|番号)",),
}  # fmt: skip
_PATTERNS = {
    target: re.compile("|".join(f"({each})" for each in names)) for target, names in _NAMES.items()
}


def spoken(target: str, names: set[str]) -> bool:
    """Say whether one of a key's plain names says a trace column in one of these languages.

    Example:
        >>> spoken("e2e_ns", {"gesamtdauer"}), spoken("input_tokens", {"jetons_d_entree"})
        (True, True)
        >>> spoken("output_tokens", {"输出token数"}), spoken("e2e_ns", {"dauerauftrag"})
        (True, False)
    """
    pattern = _PATTERNS.get(target)
    return pattern is not None and any(pattern.fullmatch(name) for name in names)
