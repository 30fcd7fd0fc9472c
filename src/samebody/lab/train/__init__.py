"""Training: recipes, networks, losses, samplers, augmentation, the loop. The only room that imports torch."""
