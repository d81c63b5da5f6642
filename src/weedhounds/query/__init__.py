"""Questions over cached records: places, matching, identity, the hunt."""
