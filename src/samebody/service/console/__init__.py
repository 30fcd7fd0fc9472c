"""The reviewer console: pages made on the server, no script, one style sheet."""
