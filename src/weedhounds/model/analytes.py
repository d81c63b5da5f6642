"""One canonical name per analyte, and the spellings that origins use for it.

Canonical names are lower case with underscores (``b_myrcene`` is ``myrcene``: the beta form is
what menus mean). Isomers that laboratories report side by side (alpha and beta pinene, cis and
trans nerolidol) keep names of their own, so that two values are never one analyte's. Unknown
analytes keep their own normalised spelling; nothing is guessed.
"""

from __future__ import annotations

from functools import lru_cache

from weedhounds.model.names import tokens

CANNABINOIDS: dict[str, tuple[str, ...]] = {
    "thc": ("tetrahydrocannabinol", "tetrahydrocannabinol thc", "delta 9 thc", "d9 thc", "delta9 thc", "thc d9", "delta 9 tetrahydrocannabinol",
            "9 thc", "thc delta 9"),
    "thca": ("tetrahydrocannabinol acid thca", "tetrahydrocannabinolic acid", "thc a", "thc acid", "thca a"),
    "total_thc": ("thc total", "max thc", "total potential thc"),
    "thc_d8": ("delta 8 thc", "d8 thc", "delta8 thc", "delta 8 tetrahydrocannabinol", "8 thc"),
    "thcv": ("tetrahydrocannabivarin", "thc v", "tetrahydrocannabivarin thcv"),
    "thcva": ("tetrahydrocannabivarinic acid", "thcv a"),
    "cbd": ("cannabidiol", "cannabidiols cbd", "cannabidiols", "cannabidiol cbd"),
    "cbda": ("cannabidiolic acid", "cannabidiol acid cbda", "cbd a", "cbd acid"),
    "total_cbd": ("cbd total", "max cbd"),
    "cbdv": ("cannabidivarin", "cbd v", "cannabidivarin cbdv", "cannabavarin cbdv", "cannabavarin"),
    "cbdva": ("cannabidivarinic acid",),
    "cbg": ("cannabigerol", "cannabigerol cbg"),
    "cbga": ("cannabigerolic acid", "cbg a", "cbg acid", "cannabigerolic acid cbga"),
    "cbc": ("cannabichromene", "cannabichromene cbc"),
    "cbca": ("cannabichromenic acid", "cbc a"),
    "cbn": ("cannabinol", "cannbinol cbn", "cannabinol cbn"),
    "cbl": ("cannabicyclol", "cannabicyclol cbl"),
    "cbt": ("cannabitriol", "cannabicitran"),
    "tac": ("total active cannabinoids", "total cannabinoids", "total cannabinoid"),
}  # fmt: skip

TERPENES: dict[str, tuple[str, ...]] = {
    "myrcene": ("b myrcene", "beta myrcene"),
    "limonene": ("d limonene", "delta limonene", "limonene d", "r limonene"),
    "caryophyllene": ("b caryophyllene", "beta caryophyllene", "trans caryophyllene", "e caryophyllene", "bcaryophyllene"),
    "caryophyllene_oxide": ("b caryophyllene oxide", "beta caryophyllene oxide"),
    "pinene_alpha": ("a pinene", "alpha pinene", "apinene"),
    "pinene_beta": ("b pinene", "beta pinene", "bpinene"),
    "pinene": (),
    "linalool": ("linalool lin", "lin", "l linalool"),
    "humulene": ("humulene hum", "hum", "a humulene", "alpha humulene"),
    "terpinolene": ("terpinolene terp", "a terpinolene", "alpha terpinolene"),
    "ocimene": ("b ocimene", "beta ocimene", "cis ocimene", "trans ocimene", "ocimene 1", "ocimene 2"),
    "bisabolol": ("a bisabolol", "alpha bisabolol", "bisabolol alpha", "l a bisabolol"),
    "nerolidol": ("nerolidol 1", "nerolidol 2"),
    "nerolidol_cis": ("cis nerolidol", "z nerolidol", "nerolidol cis"),
    "nerolidol_trans": ("trans nerolidol", "e nerolidol", "nerolidol trans"),
    "terpineol": ("a terpineol", "alpha terpineol"),
    "terpinene_alpha": ("a terpinene", "alpha terpinene", "terpinene alpha"),
    "terpinene_beta": ("b terpinene", "beta terpinene", "terpinene beta"),
    "terpinene_gamma": ("g terpinene", "gamma terpinene", "y terpinene", "terpinene gamma"),
    "camphene": (),
    "camphor": (),
    "borneol": ("endo borneol",),
    "isoborneol": (),
    "eucalyptol": ("1 8 cineole", "cineole", "eucalyptol 1 8 cineole"),
    "fenchol": ("fenchyl alcohol", "endo fenchyl alcohol"),
    "fenchone": (),
    "fenchone_l": ("l fenchone",),
    "geraniol": (),
    "geranyl_acetate": (),
    "guaiol": (),
    "isopulegol": (),
    "menthol": (),
    "pulegol": (),
    "pulegone": (),
    "phellandrene": ("a phellandrene", "alpha phellandrene", "phellandrene alpha"),
    "carene": ("3 carene", "delta 3 carene", "d 3 carene", "carene delta 3"),
    "cymene": ("p cymene", "para cymene"),
    "eudesmol_beta": ("b eudesmol", "beta eudesmol", "eudesmol beta"),
    "farnesene": (),
    "farnesene_alpha": ("a farnesene", "alpha farnesene", "farnesene alpha"),
    "farnesene_beta": ("b farnesene", "beta farnesene", "farnesene beta"),
    "farnesene_beta_trans": ("trans b farnesene", "trans beta farnesene"),
    "valencene": (),
    "cedrol": (),
    "cedrene": ("a cedrene", "alpha cedrene"),
    "sabinene": (),
    "sabinene_hydrate": (),
    "nerol": (),
    "phytol": (),
    "citronellol": (),
    "total_terpenes": ("terpenes total", "total", "total terpene"),
}  # fmt: skip

_GREEK = str.maketrans({"α": "alpha ", "β": "beta ", "γ": "gamma ", "δ": "delta ", "Δ": "delta ", "∆": "delta "})


def _words(name: str) -> str:
    return " ".join(tokens(name.translate(_GREEK).replace("_", " ")))


_CANONICAL = {
    spelling: canonical
    for table in (CANNABINOIDS, TERPENES)
    for canonical, synonyms in table.items()
    for spelling in (canonical.replace("_", " "), *synonyms)
}


@lru_cache(maxsize=4096)
def canonical_analyte(name: str) -> str:
    """Return the canonical name of an analyte; unknown ones come back normalised.

    Example:
        >>> canonical_analyte("β-Caryophyllene")
        'caryophyllene'
        >>> canonical_analyte("tetrahydrocannabinol_acid_thca")
        'thca'
    """
    words = _words(name)
    return _CANONICAL.get(words) or _CANONICAL.get(words.replace(" ", "")) or words.replace(" ", "_")


def is_terpene(canonical: str) -> bool:
    """Tell whether a canonical analyte name is a terpene's."""
    return canonical in TERPENES


def is_cannabinoid(canonical: str) -> bool:
    """Tell whether a canonical analyte name is a cannabinoid's."""
    return canonical in CANNABINOIDS
