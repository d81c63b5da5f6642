"""Worlds, replay, baselines and bounds: how lifetimes are judged, without a network and without a clock."""
