"""Distillation: a small network learns the features of a teacher, and how they stand to each other."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, triu_indices
from torch.nn import functional

from samebody import stage
from samebody.lab.train.losses.base import PartLoss
from samebody.lab.train.task import Batch, Output, losses


@losses.register("distil-features")
class DistilFeatures(PartLoss):
    """``cosine`` * (1 - cos) + ``distance`` * |s/|s| - t/|t|| of student s and teacher t, float [n, d] each.

    The squared distance of unit vectors is 2 (1 - cos), so the second term is the root of the first: it keeps pulling
    where the student is near already, which is where verification is decided.
    (Romero et al.: FitNets, ICLR 2015; normalised as in Duong et al.: ShrinkTeaNet, 2019.)
    """

    class Parameters(stage.Parameters):
        """Names and weights."""

        output: str = Field(default="embedding", description="name of the network's answer")
        target: str = Field(default="teacher", description="name of the teacher's features in the batch")
        cosine: float = Field(default=1.0, ge=0, description="weight of 1 - cos")
        distance: float = Field(default=0.0, ge=0, description="weight of the distance of the unit vectors")

    def each(self, output: Output, batch: Batch) -> Tensor:
        """The loss of each sample, float [n]."""
        student = functional.normalize(self.output(output, self.options.output), dim=1)
        teacher = functional.normalize(self.target(batch, self.options.target).to(student.dtype), dim=1)
        cosine = 1 - (student * teacher).sum(1)
        distance = ((student - teacher).square().sum(1) + 1e-8).sqrt()
        return self.options.cosine * cosine + self.options.distance * distance


@losses.register("distil-logits")
class DistilLogits(PartLoss):
    """temperature^2 * KL(teacher || student) of the softened classes.

    Hinton, Vinyals, Dean: Distilling the knowledge in a neural network (2015), section 2.
    """

    class Parameters(stage.Parameters):
        """Names and temperature."""

        output: str = Field(default="logits", description="name of the network's answer")
        target: str = Field(default="teacher_logits", description="name of the teacher's logits in the batch")
        temperature: float = Field(default=2.0, gt=0, le=100)

    def each(self, output: Output, batch: Batch) -> Tensor:
        """The loss of each sample, float [n]."""
        heat = self.options.temperature
        student = functional.log_softmax(self.output(output, self.options.output) / heat, dim=1)
        teacher = functional.log_softmax(self.target(batch, self.options.target).to(student.dtype) / heat, dim=1)
        return heat * heat * (teacher.exp() * (teacher - student)).sum(1)


@losses.register("distil-relations")
class DistilRelations(PartLoss):
    """Relations within the batch are those of the teacher: distances, angles, similarities.

    ``distance`` and ``angle``: Huber loss (delta 1) of pair distances divided by their mean, and of the cosines at the
    corner of all triplets: Park, Kim, Lu, Cho: Relational knowledge distillation (CVPR 2019), equations 5 to 9.
    ``similarity``: mean square difference of the row-normalised Gram matrices: Tung, Mori: Similarity-preserving
    knowledge distillation (ICCV 2019), equations 2 to 4.
    Angles cost n^3 d: ``angle_samples`` bounds the n of the batch that they are taken of.
    """

    class Parameters(stage.Parameters):
        """Names and weights."""

        output: str = Field(default="embedding", description="name of the network's answer")
        target: str = Field(default="teacher", description="name of the teacher's features in the batch")
        distance: float = Field(default=1.0, ge=0, description="weight of the distances")
        angle: float = Field(default=2.0, ge=0, description="weight of the angles")
        similarity: float = Field(default=0.0, ge=0, description="weight of the Gram matrices")
        unit: bool = Field(default=True, description="relations of unit vectors, as a matcher by cosine sees them")
        angle_samples: int = Field(default=64, ge=3, le=512, description="angles are taken of the first so many")

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """One number of the whole batch."""
        student = self.output(output, self.options.output)
        teacher = self.target(batch, self.options.target).to(student.dtype)
        if self.options.unit:
            student, teacher = functional.normalize(student, dim=1), functional.normalize(teacher, dim=1)
        total = student.sum() * 0.0
        if self.options.distance > 0 and len(student) > 1:
            total = total + self.options.distance * distance_relation(student, teacher)
        if self.options.angle > 0 and len(student) > 2:
            count = self.options.angle_samples
            total = total + self.options.angle * angle_relation(student[:count], teacher[:count])
        if self.options.similarity > 0:
            total = total + self.options.similarity * similarity_relation(student, teacher)
        return total


def _relative_distances(x: Tensor) -> Tensor:
    rows, columns = triu_indices(len(x), len(x), 1, device=x.device)
    distances = ((x[rows] - x[columns]).square().sum(1) + 1e-12).sqrt()
    return distances / distances.mean().clamp_min(1e-12)


def distance_relation(student: Tensor, teacher: Tensor) -> Tensor:
    """Huber loss of the pair distances of [n, d] and [n, e], each divided by its mean over the pairs."""
    return functional.smooth_l1_loss(_relative_distances(student), _relative_distances(teacher))


def _corner_cosines(x: Tensor) -> Tensor:
    edges = functional.normalize(x[None, :, :] - x[:, None, :], dim=2)
    return edges @ edges.transpose(1, 2)


def angle_relation(student: Tensor, teacher: Tensor) -> Tensor:
    """Huber loss of the cosines at corner i between the edges to j and to k, mean over all ordered (i, j, k)."""
    return functional.smooth_l1_loss(_corner_cosines(student), _corner_cosines(teacher))


def similarity_relation(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean square difference of the Gram matrices [n, n] whose rows have unit length."""
    ours, theirs = (functional.normalize(x @ x.T, dim=1) for x in (student, teacher))
    return functional.mse_loss(ours, theirs)
