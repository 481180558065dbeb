"""The tests of consentgate: one module per room, and journeys in a real browser."""
