"""Makes material of a dataset alone, as trainer.copies does of folders."""

from trainer.copies import Material, known_groups
from trainer.dataset import Dataset


def alone(dataset: Dataset) -> Material:
    """Return a dataset with its groups, nothing left out."""
    return Material(dataset, known_groups([dataset.descriptions], dataset.names, dataset.folders), {}, ())
