"""Geometry of searches: from H3 cells to the circle that a shop search must cover."""

from __future__ import annotations

import math
from collections.abc import Iterable

import h3

EARTH_RADIUS_KM = 6371.0088


def distance_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Return the great-circle distance between two points, kilometres (haversine)."""
    p1, p2 = math.radians(lat1), math.radians(lat2)
    half_lat, half_lon = (p2 - p1) / 2, math.radians(lon2 - lon1) / 2
    a = math.sin(half_lat) ** 2 + math.cos(p1) * math.cos(p2) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(a)))


def covering_circle(cells: Iterable[str]) -> tuple[float, float, float]:
    """Return ``(lat, lon, radius_km)`` of a circle that holds every one of the H3 ``cells`` whole."""
    corners = [corner for cell in cells for corner in h3.cell_to_boundary(cell)]
    lat = (min(c[0] for c in corners) + max(c[0] for c in corners)) / 2
    lon = (min(c[1] for c in corners) + max(c[1] for c in corners)) / 2
    radius_km = max(distance_km(lat, lon, *corner) for corner in corners)
    return round(lat, 5), round(lon, 5), math.ceil(radius_km * 10 + 1) / 10
