"""Gathers the photos of a run again, and divides them as its training did."""

from pathlib import Path

from trainer.copies import Material, gather
from trainer.finders import named_finder
from trainer.networks import NETWORKS
from trainer.runs import Plan, RunError
from trainer.split import Split, calibration_photos, split_photos


def gather_again(plan: Plan) -> tuple[Material, Split]:
    """Return what a run was trained on, and how it was divided. Raises RunError if that isn't there any more."""
    finder = named_finder(plan.finder, plan.yunet)
    if finder.sha256 != plan.finder_sha256:
        raise RunError(
            f"{plan.name}: was trained on faces cut by the finder {plan.finder!r}, whose file has changed since: run "
            "`make train`"
        )
    folders, apart = [Path(plan.data), *map(Path, plan.extra)], [Path(path) for path in plan.apart]
    if gone := [folder for folder in (*folders, *apart) if not folder.is_dir()]:
        raise RunError(
            f"{gone[0]}: no such folder, expected the photos that {plan.name} was trained with: run `make train DATA=` "
            "as then, but with the folder where they are now: nothing is trained again"
        )
    material = gather(folders, plan.size, apart, finder)
    dataset = material.dataset
    if (dataset.sha256, dataset.sampling_sha256) != (plan.dataset_sha256, plan.sampling_sha256):
        raise RunError(f"{plan.data}: has changed since the training, expected the same photos: run `make train`")
    split = split_photos(material, plan.split, plan.seed, NETWORKS[plan.network].validation_parts)
    if sorted(dataset.names[i] for i in calibration_photos(split, plan.seed)) != sorted(plan.calibration):
        raise RunError(
            f"{plan.name}: its photos are divided differently than in the training, so it would be measured with "
            "some that it learned from: a folder of APART or the code has changed: run `make train`"
        )
    return material, split
