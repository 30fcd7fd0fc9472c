"""Logins through identity providers: OpenID Connect, authorization code with PKCE."""
