"""Was what the camera saw a living person, or an attack on it? One finding each; every check may abstain."""

from samebody.attacks.crops import Window, views, window
from samebody.attacks.pad import PadScore, PassivePad, tight_box

__all__ = ["PadScore", "PassivePad", "Window", "tight_box", "views", "window"]
