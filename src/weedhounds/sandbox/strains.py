"""What is known of strains: terpene profiles, the strain page, and the registry's lab rows.

A strain's terpene profile depends on the seed and the strain alone; pages, registry rows and lots
agree with it. A change refreshes a page's numbers by a few percent; it never turns the profile
over.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from weedhounds.sandbox import vocabulary as words
from weedhounds.sandbox.catalogue import STRAINS, Strain
from weedhounds.sandbox.changes import Event
from weedhounds.sandbox.draws import lognormal_mean_1, rng, uniforms

Profile = tuple[tuple[str, float], ...]
"""(canonical terpene, share of all terpenes), descending; the shares sum to 1."""

REGISTRY_FORMS = (
    ("Flower", "Raw material (flower)", 1.0),
    ("Pre-Roll", "Cigarettes (pre-rolled cones)", 0.95),
    ("Vape Cartridge .5g", "Vape Cartridge", 3.7),
    ("Live Resin", "Extracts, sprays, tinctures or oils", 3.4),
)


class StrainPage(msgspec.Struct, frozen=True):
    """The changing part of a strain's page.

    Args:
        rating: 1..5; ``reviews`` how many ratings.
        effects: (name, score), the strongest first.
        scores: (canonical terpene, score), the strongest first.
        revision: text that changes with the page.
    """

    rating: float
    reviews: int
    effects: tuple[tuple[str, float], ...]
    scores: tuple[tuple[str, float], ...]
    revision: str


class RegistryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A registered product: constant; its values follow from :func:`registry_values`."""

    number: int
    strain: Strain
    brand_name: str
    form: str
    dosage_form: str
    strength: float
    producer: str
    market: str
    approved: str

    @property
    def registration(self) -> str:
        """Return the registration number."""
        return f"MMBR.{self.number:07d}"


class RegistryValues(msgspec.Struct, frozen=True):
    """The analysis of a registered product, percent; ``report`` is the analysis's number."""

    thc: float
    thca: float
    cbd: float
    cbda: float
    terpenes: tuple[tuple[str, float], ...]
    report: int


def make_profile(seed: int, strain: Strain) -> Profile:
    """Return the strain's terpene profile."""
    u = rng(seed, "profile", strain.slug)
    weights = {t: lognormal_mean_1(u.random(), 0.6) for t in words.TERPENES}
    weights[strain.leading] = max(weights.values()) * (1.2 + 0.4 * u.random())
    total = sum(weights.values())
    return tuple(sorted(((t, w / total) for t, w in weights.items()), key=lambda pair: (-pair[1], pair[0])))


def make_page(seed: int, strain: Strain, profile: Profile, *, page: Event, terpenes: Event) -> StrainPage:
    """Return the page after the events that last changed its text and its terpenes."""
    u = uniforms(seed, "page", strain.slug, page.id)
    w = uniforms(seed, "scores", strain.slug, terpenes.id)
    order = rng(seed, "effects", strain.slug).sample(words.EFFECTS, 5)
    effects = tuple((name, round(1.5 - 0.2 * i + 0.1 * u[i], 4)) for i, name in enumerate(order))
    scores = tuple((t, round(share * (1 + 0.02 * (w[i % 8] - 0.5)), 5)) for i, (t, share) in enumerate(profile))
    return StrainPage(round(3.9 + u[6], 4), int(50 + 9000 * u[7]), effects, scores, f"r{page.id + 1:x}")


def make_registry(seed: int) -> tuple[RegistryRow, ...]:
    """Return the registry's rows: 2 to 8 for each strain, more for the popular ones."""
    generator = rng(seed, "registry")
    rows: list[RegistryRow] = []
    for strain in STRAINS:
        for _ in range(generator.randint(2, 4) + (4 if strain.rank < 12 else 0)):
            form, dosage, strength = generator.choice(REGISTRY_FORMS)
            kind = {"indica": "(I)", "sativa": "(S)", "hybrid": "(H)", "cbd": "(CBD)"}[strain.kind]
            approved = datetime(2019, 1, 7, tzinfo=UTC) + timedelta(days=generator.randint(0, 1500))
            rows.append(
                RegistryRow(
                    number=10_000 + len(rows) * 3 + generator.randint(0, 2),
                    strain=strain,
                    brand_name=generator.choice(
                        (f"{strain.name} {kind} {form}", f"{form} {strain.name.upper()} {kind}")
                    ),
                    form=form,
                    dosage_form=dosage,
                    strength=strength,
                    producer=generator.choice(words.PRODUCERS),
                    market=generator.choice(
                        ("Both Medical Marijuana and Adult-Use Cannabis", "Medical Marijuana Only")
                    ),
                    approved=f"{approved:%Y-%m-%d}T00:00:00.000",
                )
            )
    return tuple(rows)


def registry_values(seed: int, row: RegistryRow, profile: Profile, event: Event) -> RegistryValues:
    """Return the row's analysis after the event that last changed it."""
    u = uniforms(seed, "analysis", row.number, event.id)
    total = min(row.strain.thc * row.strength * lognormal_mean_1(u[0], 0.08), 93.0)
    acid = 0.93 if row.strength < 1.5 else 0.02
    cbd = min(total * (1.5 + u[1]), 94.0 - total) if row.strain.kind == "cbd" else 0.05 + 0.4 * u[1]
    terpenes = (2.0 if row.strength < 1.5 else 4.5) * lognormal_mean_1(u[2], 0.2)
    return RegistryValues(
        thc=round(total * (1 - acid), 3),
        thca=round(total * acid, 3),
        cbd=round(cbd * 0.2, 3),
        cbda=round(cbd * 0.8, 3),
        terpenes=tuple((t, round(terpenes * share, 3)) for t, share in profile),
        report=6_000_000 + int(u[3] * 900_000),
    )
