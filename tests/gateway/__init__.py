"""`consentgate serve` in front of sites that are not Python, over real sockets."""
