"""Write the synthetic cohort of one organ: `python -m stages.phantom lung`."""

import os
import time
from pathlib import Path

from graft.config import load
from graft.console import one_of, run, say
from graft.phantom.cohort import SCANNERS, size_auroc, write_cohort


def main(organ: str) -> None:
    """Write `data/phantom/<organ>`, and say how many lesions there are and how well size alone tells them apart."""
    one_of("stages.phantom", organ, SCANNERS)
    seed, patients = load.read("seed", f"phantom.{organ}.patients")
    began = time.perf_counter()
    manifest = write_cohort(
        Path("data/phantom") / organ, organ, patients, seed, workers=os.cpu_count() or 1
    )
    say(
        f"{organ}: {patients} synthetic patients, {len(manifest)} lesions, {time.perf_counter() - began:.0f} s"
    )
    for (site, label), lesions in manifest.groupby(["site", "label"]):
        say(f"  {site} {label}: {len(lesions)} lesions of {lesions.patient.nunique()} patients")
    say(f"  size alone scores AUROC {size_auroc(manifest):.3f}")


if __name__ == "__main__":
    run(main)
