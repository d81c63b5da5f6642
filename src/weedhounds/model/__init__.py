"""The domain model: records, units, keys, provenance. Knows nothing of I/O, caches or origins."""
