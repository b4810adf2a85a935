"""A real small system under real faults: starts it, plays a scenario, cuts the recording into case folders."""
