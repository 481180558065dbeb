"""`consentgate serve`: the middleware in front of any web site, whatever it is written in."""
