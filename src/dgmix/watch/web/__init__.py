"""The page and the JSON API: on this computer only, unless a password is set."""
