"""The connections of the server to the sites: ask all of them at once."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from graft.common.files import InputError
from graft.federated.messages import ERROR, Message

Connection = Callable[[Message], Message]  # asks one site; raises InputError if it is lost


class Connections:
    """The connections to all sites.

    Args:
        unnamed: the connections, before the sites said their names.
        at_once: how many sites are asked at the same time.
    """

    def __init__(self, unnamed: Sequence[Connection], at_once: int) -> None:
        self._at_once = at_once
        self._by_name = {f"number {k + 1}": one for k, one in enumerate(unnamed)}

    @property
    def names(self) -> list[str]:
        """The names of the sites, in the order in which their numbers are added."""
        return sorted(self._by_name)

    def rename(self, names: Mapping[str, str]) -> None:
        """Give sites their names.

        Raises:
            InputError: if two sites have one name.
        """
        renamed = {names[old]: connection for old, connection in self._by_name.items()}
        if len(renamed) < len(self._by_name):
            given = list(names.values())
            twice = next(name for name in given if given.count(name) > 1)
            raise InputError(f"site {twice}: two sites have this name, expected --name of its own")
        self._by_name = renamed

    def ask(self, question: Message) -> dict[str, Message]:
        """Ask all sites the same, and return their answers by name."""
        return self.ask_each(dict.fromkeys(self.names, question))

    def ask_each(self, questions: Mapping[str, Message]) -> dict[str, Message]:
        """Ask each site its question, and return the answers by name.

        Raises:
            InputError: if a site cannot answer, or is lost. It names the site.
        """
        if self._at_once == 1:
            return {name: self._ask_one(name, question) for name, question in questions.items()}
        with ThreadPoolExecutor(self._at_once) as pool:
            answers = pool.map(self._ask_one, questions, questions.values())
            return dict(zip(questions, answers, strict=True))

    def end(self, message: Message) -> None:
        """Tell all sites that can be reached that training ends, so that none waits."""
        for connection in self._by_name.values():
            try:
                connection(message)
            except InputError:  # this one is lost, or has ended by itself
                continue

    def _ask_one(self, name: str, question: Message) -> Message:
        try:
            answer = self._by_name[name](question)
        except InputError as error:
            raise InputError(f"site {name}: {error}") from error
        if answer.kind == ERROR:
            raise InputError(f"site {name}: {answer.content.get('reason', 'cannot go on')}")
        if answer.kind != question.kind:
            raise InputError(
                f"site {name}: answers {answer.kind!r} to {question.kind!r}, expected a site of "
                "this version of graft"
            )
        return answer
