"""Domain generalisation and adaptation: networks that care less where a picture comes from.

Each is a wrapper of a recipe's ``domain`` list, and changes the network in place: the names of its weights stay, and in
evaluation mode it answers as if nothing had been done, so that nothing has to be taken off before an export.
"""

from samebody.lab.train.domain.adversary import DomainHead, reverse_gradient, with_gradient_reversal
from samebody.lab.train.domain.mix_style import MixStyle, with_mix_style

__all__ = ["DomainHead", "MixStyle", "reverse_gradient", "with_gradient_reversal", "with_mix_style"]
