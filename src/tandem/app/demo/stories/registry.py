"""The list of stories: each has a name, a sentence, and the settings and rows of the native sync that it is about."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tandem.app.demo.stories.scene import Scene
from tandem.app.demo.stories.watch import Watch

Play = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Story:
    """`settings` is TOML laid over the stage's own; the options are switches of the emulators for this story alone;
    the judge compares `watches` besides people, companies and sales persons."""

    name: str
    sentence: str
    play: Play
    settings: str = ""
    rows: tuple[str, ...] = ()
    crm_options: Mapping[str, Any] = field(default_factory=dict)
    marketing_options: Mapping[str, Any] = field(default_factory=dict)
    watches: tuple[Watch, ...] = ()


_STORIES: Final[dict[str, Story]] = {}


def story(name: str, sentence: str, **more: Any) -> Callable[[Play], Play]:
    """Register the function below as a story; `more` are the other members of ``Story``."""

    def register(play: Play) -> Play:
        assert name not in _STORIES, f"two stories are called {name}"
        _STORIES[name] = Story(name, sentence, play, **more)
        return play

    return register


def registered() -> Mapping[str, Story]:
    return _STORIES
