"""Check the complete params.yaml before anything runs."""

from graft.common.files import whole_file
from graft.config.parameters import load_parameters
from graft.console import run
from stages import paths


def main() -> None:
    """Check every key of params.yaml, and the rules that concern several keys.

    The output never changes. Another value therefore reruns only the stages that read it.
    """
    paths.PARAMETERS_CHECKED.unlink(missing_ok=True)
    load_parameters(paths.PARAMETERS)
    with whole_file(paths.PARAMETERS_CHECKED) as path:
        path.write_text("Every key of params.yaml has an allowed value.\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
