"""Training and evaluation: data, losses, training scripts. Never imported by the node."""
