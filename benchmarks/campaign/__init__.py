"""Attacks on graft: kills, full disks, damaged files, wrong parameters and hostile files.

Each attempt changes one thing in a copy of a finished tiny run, and runs the step of the pipeline
that meets it first. The seed decides every attempt. An attempt has a limit of time and memory, and
opens no connection except to this machine.

An attempt *survives* if the step gives the result of the undamaged run, or if it ends with exit
code 1 and one line on standard error that begins with `error: `. It fails in one of these ways:

- **lost**: an output that the step did not replace has changed, or the next run without the attack
  does not give the result of the undisturbed run.
- **silently wrong**: the step succeeds with another result than that of the undamaged run; or it
  runs code from a file, or opens a file outside the folder of the data.
- **traceback**: any other exit code, a traceback, a crash, or more than one line.
- **hang**: the step did not end within the limit of time.

What counts as another result depends on who can notice it:

- *Checked by graft*: processed domains, splits, models, checkpoints, cached trainings,
  `checks.json`, and raw data with a checksum (gzip, zip, PNG). Every other result is silently
  wrong. Names and padding in a compressed file may change, because they change no result.
- *Raw data without a checksum* (NIfTI, MetaImage, NRRD, DICOM, npy, JPEG, `manifest.csv`,
  `params.yaml`): a flipped voxel is other data, and nothing in the file says otherwise. DVC has its
  hash, and reruns what depends on it. Such an attempt survives if the images are finite and within
  [0, 1]. A binary file that was cut short must be noticed.
- *Checked by DVC*: what one stage wrote as plain tables, documents or pictures for the next one
  (`predictions.csv`, `metrics.json`, plots, maps). `dvc repro` compares it with the MD5 in
  `dvc.lock` and makes it anew. If a stage that is run alone takes it as it is, the attempt counts
  as noticed by DVC only, in a column of its own.
"""
