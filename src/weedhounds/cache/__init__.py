"""The cache tiers and what they hold. Knows nothing of origins' wire formats."""
