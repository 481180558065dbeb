"""The demo: three sites of Step Forward Luton, one cookie choice, and a stand-in for Google beside them."""
