"""Specimen documents of a state that does not exist, photographed and forged: seeded, with the ground truth."""
