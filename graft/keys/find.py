"""The key of the pseudonyms: given by the user, or made once in a private file of this user."""

import os
import secrets
import stat
from pathlib import Path

from graft.common.files import InputError
from graft.common.vocabulary import PUBLISHED, SYNTHETIC
from graft.console import say
from graft.keys.pseudonyms import PUBLISHED_KEY, fingerprint
from graft.keys.settings import PseudonymKey

PRIVATE_FILE = Path("graft/patient.key")  # below $XDG_CONFIG_HOME or ~/.config
PRIVATE_MODE = 0o600
KEY_BYTES = 32  # of a key that is made here
MAX_BYTES = 4096  # of a file with a key
MIN_CHARACTERS = 16  # shorter keys can be guessed
MIN_DIFFERENT = 5  # characters: not one that is repeated
NO_PROTECTION = "the noise follows from a published key, so it protects nobody"
COMMAND = f"python3 -c 'import secrets; print(secrets.token_hex({KEY_BYTES}))'"


def find_key(settings: PseudonymKey) -> str:
    """The key from the environment, or from the file, or the private key of this user.

    The private key is made if it is missing, which prints where it is. Runs in parallel get the
    same one.

    Raises:
        InputError: if the key can be guessed, or its file lies in the current folder, cannot be
            read or written, or, for the private key, is open to other users.
    """
    given = os.environ.get(settings.key_variable)
    if given:
        return _checked(settings.key_variable, given.strip())
    if settings.key_file is not None:
        file = _expanded(settings.key_file, "privacy.key_file")
        where = f"privacy.key_file: {file}"
        _check_outside(file, where)
        return _checked(where, _read(file, where))
    others = f"or set {settings.key_variable} or privacy.key_file"
    file = private_file()
    where = f"{file}: the private key of the pseudonyms"
    _check_outside(file, where)
    try:
        if not os.path.lexists(file):
            _make(file)
        _check_private(file)
    except OSError as error:
        raise InputError(
            f"{where} cannot be made there ({error.strerror}), expected a folder of your own; "
            f"{others}"
        ) from None
    return _checked(where, _read(file, where))


def find_secret(name: str, made_by: str, settings: PseudonymKey) -> str:
    """The key that made the pseudonyms of a domain, for noise that protects its patients.

    Args:
        name: of the domain.
        made_by: its `patient_key`.
        settings: where the key of this user is found.

    Raises:
        InputError: if the key is not found, is another one, or is published although the patients
            exist.
    """
    if made_by == SYNTHETIC:
        return PUBLISHED_KEY
    if made_by == PUBLISHED:
        raise InputError(
            f"privacy.epsilon: the pseudonyms of {name} have the published key, expected a key of "
            f"your own: {NO_PROTECTION}"
        )
    key = find_key(settings)
    found = fingerprint(key)
    if made_by not in ("", found):
        raise InputError(
            f"privacy.key_file: found the key {found}, expected {made_by}, which made the "
            f"pseudonyms of {name}; docs/privacy.md says where graft looks for it"
        )
    return key


def private_file() -> Path:
    """Where the private key of this user is, by the XDG Base Directory Specification.

    Raises:
        InputError: if this user has no home folder.
    """
    configured = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if configured.is_absolute():
        return configured / PRIVATE_FILE
    return _expanded("~/.config", "the private key of the pseudonyms") / PRIVATE_FILE


def _expanded(path: str, where: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{where}: the home folder in {path} is not known, expected a path without ~ in "
            "privacy.key_file, or XDG_CONFIG_HOME or the key itself in the environment"
        ) from error


def _make(file: Path) -> None:
    """Write a random key, unless another process writes one first."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(KEY_BYTES) + "\n")
            stream.flush()
            os.fsync(descriptor)
        os.link(partial, file)  # which fails if the file exists
    except FileExistsError:
        return
    finally:
        partial.unlink(missing_ok=True)
    say(
        f"The pseudonyms of patients need a secret key, and a random one was made: {file}. "
        "Only the same key gives the same pseudonyms: back it up, and copy it, by a channel that "
        "nobody else reads, to every machine that reads these patients."
    )


def _check_private(file: Path) -> None:
    """Raise InputError unless the file is a file of its own that no other user can read."""
    found = file.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{file}: is a link or no file, expected a file with the private key")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise InputError(
            f"{file}: other users have access to it (mode {mode:o}), expected {PRIVATE_MODE:o}; "
            f"if nobody has read it, type: chmod {PRIVATE_MODE:o} {file}"
        )


def _check_outside(file: Path, where: str) -> None:
    place = Path(os.path.realpath(file))  # unlike `resolve`, it allows circular links
    if place.is_relative_to(os.path.realpath(Path.cwd())):
        raise InputError(
            f"{where} lies in this folder, expected one outside, where git cannot see it"
        )


def _read(file: Path, where: str) -> str:
    try:
        # A pipe must not block.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InputError(f"{where} is no file, expected a file with one line, the key")
            content = stream.read(MAX_BYTES + 1)
        key = content.decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        # The message must not show the content of the file.
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(
            f"{where} cannot be read ({reason}), expected a line with the key"
        ) from None
    if not key:
        raise InputError(f"{where} is empty, expected a line with the key")
    if len(content) > MAX_BYTES:
        raise InputError(f"{where} has more than {MAX_BYTES} bytes, expected a line with the key")
    return key


def _checked(where: str, key: str) -> str:
    """The key, unless it can be guessed; the message must not show it."""
    if len(key) < MIN_CHARACTERS:
        fault = f"has a key of {len(key)} characters"
    elif len(set(key)) < MIN_DIFFERENT:
        fault = f"has a key of only {len(set(key))} different characters"
    else:
        return key
    raise InputError(
        f"{where}: {fault}, which can be guessed, expected {MIN_CHARACTERS} or more at random; "
        f"make one with: {COMMAND}"
    )
