"""The service: REST API, workers, webhooks. Needs the extra ``samebody[service]``; started by ``samebody serve``."""
