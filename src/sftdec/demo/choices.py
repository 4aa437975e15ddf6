"""Which models a visitor can choose from, and those that are loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sftdec.builtin import NAME as BUILTIN
from sftdec.runtime import needs_extra

if TYPE_CHECKING:
    from sftdec.deblurrer import Deblurrer
    from sftdec.registry import Version

KEPT = 3  # loaded models; a network of paper size is 25 MB


@dataclass(frozen=True)
class Choice:
    """A model: ``name`` is what ``--model`` takes, ``label`` what a visitor reads."""

    name: str
    label: str


BUILT_IN = Choice(BUILTIN, "Built-in model")


class Choices:
    """The models that ship, were given (``default``, chosen at first), or are registered in the project at ``root``.

    ``load`` makes a ``Deblurrer`` of a name.
    """

    def __init__(self, root: Path, default: Choice, load: "Callable[[str], Deblurrer]") -> None:
        self.default, self._root, self._load = default, root, load
        self._loaded: dict[str, Deblurrer] = {}

    def at_hand(self) -> list[Choice]:
        """Those known without asking the registry, the default first."""
        return list(dict.fromkeys([self.default, BUILT_IN]))

    def registered(self) -> list[Choice]:
        """The registered versions that can serve, newest first, without the default.

        Raises ``ValueError`` where the registry is away; the first call of a process may take seconds.
        """
        from sftdec.tracking import read_settings

        if not read_settings(self._root).exists:  # nor is the extra pipeline needed to know
            return []
        with needs_extra("the registry"):
            from sftdec.registry import versions

        usable = [_of_version(version) for version in versions(self._root) if "broken" not in version.tags]
        return [choice for choice in reversed(usable) if choice.name != self.default.name]

    def find(self, name: str) -> Choice | None:
        """The choice of that name; None where a visitor can't have it: no other file of this machine is loaded."""
        hand = {choice.name: choice for choice in self.at_hand()}
        if name in hand or not name.startswith("models:/"):
            return hand.get(name)
        return next((choice for choice in self.registered() if choice.name == name), None)

    def deblurrer(self, name: str) -> "Deblurrer":
        """The model, loaded once; for one thread at a time.

        Raises ``ValueError`` or ``OSError`` where it can't be loaded.
        """
        if name not in self._loaded:
            while len(self._loaded) >= KEPT:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[name] = self._load(name)
        return self._loaded[name]


def default_choice(model: str | None, root: Path) -> Choice:
    """What ``--model`` means; without it, the version that serves here or the model that ships, the better one.

    Raises ``ValueError`` where there is a registry that can't be asked.
    """
    if model is None:
        from sftdec.registry import default_version

        found, _ = default_version(root)
        return BUILT_IN if found is None else _of_version(found)
    if model == BUILTIN:
        return BUILT_IN
    return Choice(model, model.removeprefix("models:/") if model.startswith("models:/") else Path(model).name)


def _of_version(version: "Version") -> Choice:
    return Choice(version.uri, " · ".join([f"Version {version.number}", *version.aliases]))
