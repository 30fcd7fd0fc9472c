"""One-to-many search: is this person among those enrolled? Engines, the durable gallery, identification, shards."""
