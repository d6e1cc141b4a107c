"""Check the complete params.yaml before anything runs."""

import functools

from graft.common.files import whole_file
from graft.common.parameters import read_parameter_file
from graft.common.unchanged import Reading, remember
from graft.config.parameters import load_parameters
from graft.console import run
from stages import paths


def main() -> None:
    """Check every key of params.yaml, and the rules that concern several keys.

    The output never changes. Another value therefore reruns only the stages that read it.
    """
    paths.PARAMETERS_CHECKED.unlink(missing_ok=True)
    read = functools.partial(read_parameter_file, paths.PARAMETERS)
    remember(Reading(paths.PARAMETERS, read(), read))
    load_parameters(paths.PARAMETERS)
    with whole_file(paths.PARAMETERS_CHECKED) as path:
        path.write_text("Every key of params.yaml has an allowed value.\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
