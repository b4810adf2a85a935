"""What each pillar says about which service is the origin, for `kit.localize`."""
