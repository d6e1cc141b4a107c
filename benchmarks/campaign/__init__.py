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
- **hang**: the step computed for longer than its limit, or waited for ten minutes. Other work on
  the machine shortens neither by much.

Another result is *wrong* unless nothing in the file shows that it is damaged. There are two such
exceptions, which `benchmarks.campaign.kinds` lists for each kind of file and way of damage:

- *Raw data.* NIfTI, MetaImage, NRRD, DICOM, npy, JPEG, `manifest.csv` and `params.yaml` have no
  checksum: other bytes are other voxels, rows or parameters. PNG, gzip and zip have one, which is
  right if the file is replaced by another whole one. No list says how many files a folder of
  pictures or a DICOM series has. DVC has the hash of raw data, and reruns what depends on it. The
  attempt survives if the images are finite and within [0, 1]. A binary file that was cut short must
  be noticed.
- *Published weights* from a file, whose publisher gave no SHA-256: another number is another
  network. The card has the SHA-256 of the file that was used.
"""
