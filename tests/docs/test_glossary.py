"""The glossary is the naming authority: every term of the field stands in it once, and the code keeps to it."""

from __future__ import annotations

import ast
import re
from collections import Counter

from docpages import ROOT, page, pages

TERMS = """
origin; source; node; peer; tier; backend; read-through; fill; copy-up; promotion;
fresh; stale; expired; age; freshness lifetime; validator; revalidation; stale-while-revalidate; stale-if-error;
negative entry; TTL; single-flight; admission; eviction; hit ratio; stale ratio;
provider record; provide; reprovide; routing table; k-bucket; replication factor; churn; bootstrap peer;
worker; task; deadline; drain; quarantine;
service time; response time; coordinated omission; open model; closed model;
record key; entry; offer; sandbox; share scope; provenance; stale probability; pinned; trade ounce
"""
EMPTY_WORDS = re.compile(r"manager|helper|enhanced|optimi[sz]ed|utils|data2", re.I)
GLOSSARY = page("docs/glossary.md")


def _defined() -> list[str]:
    lines = [line for line in GLOSSARY.prose.splitlines() if line.startswith("- ")]
    return [term for line in lines for term in re.findall(r"\*\*([^*]+)\*\*:", line)]


def test_every_term_of_the_field_is_defined() -> None:
    asked = {" ".join(term.split()) for term in TERMS.split(";")}
    assert sorted(asked - set(_defined())) == []


def test_no_term_is_defined_twice() -> None:
    assert [term for term, count in Counter(_defined()).items() if count > 1] == []


def test_no_name_in_the_code_is_an_empty_word() -> None:
    named = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, named) and EMPTY_WORDS.search(node.name)
    ]
    files = [str(p.relative_to(ROOT)) for p in sorted((ROOT / "src").rglob("*.py")) if EMPTY_WORDS.search(p.name)]
    assert found + files == []


def test_write_back_is_not_said_of_filling_a_cache() -> None:
    users = [each.name for each in pages() if re.search(r"write[- ]back", each.text, re.I)]
    assert users == ["docs/glossary.md"]
