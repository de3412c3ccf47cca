"""The commented ``tandem.toml`` that ``tandem init`` writes: every setting, its meaning and its default."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Final

from tandem.config.model import Config
from tandem.config.reference import Setting, iter_settings, render_toml
from tandem.config.secrets import SECRET_NAMES, variable_of

_HEAD: Final = f"""\
# Settings of one Tandem sync: one Dynamics 365 organisation and one Marketo Engage subscription.
# Lines that begin with "#" and hold a setting show its default. Secrets never stand here: give them in
# {", ".join(variable_of(name) for name in SECRET_NAMES)},
# in files named by these with _FILE appended, or in the system's keyring (keyring set tandem {SECRET_NAMES[0]}).
"""


def render_template(values: Mapping[str, object] | None = None) -> str:
    """The file, with `values` by dotted path (``crm.url``) filled in; None leaves a setting as it is. Without the
    required ones it has blanks, which loading names one after the other."""
    given = {name: value for name, value in (values or {}).items() if value is not None}
    settings = list(iter_settings(Config))
    unknown = given.keys() - {setting.dotted for setting in settings}
    assert not unknown, f"the template has no setting {unknown}"
    lists = {setting.names for setting in settings if setting.in_list}
    lines = [_HEAD.rstrip()]
    for setting in settings:
        in_list = setting.names[:-1] in lists
        lines += _table(setting) if setting.is_table else _line(setting, given, in_list=in_list)
    return "\n".join(lines) + "\n"


def _table(setting: Setting) -> Iterator[str]:
    if setting.names == ("entities",):  # holds tables only
        return
    yield ""
    if _is_repeated(setting.names):
        yield f"# {setting.description} What can be set is shown under entities.lead.fields."
    else:
        yield from _comment(setting.description)
    yield f"#[[{setting.dotted}]]" if setting.in_list else f"[{setting.dotted}]"


def _line(setting: Setting, given: Mapping[str, object], *, in_list: bool) -> Iterator[str]:
    name = setting.names[-1]
    if _is_repeated(setting.names[:-1]):
        return
    yield from _comment(setting.description)
    if setting.dotted in given:
        yield f"{name} = {render_toml(given[setting.dotted])}"
    elif setting.is_required and not in_list:
        yield f'{name} = ""'
    elif setting.default is None:
        yield f"#{name} ="
    else:
        yield f"#{name} = {render_toml(setting.default)}"


_EXAMPLE: Final = ("entities", "lead", "fields")


def _is_repeated(table: tuple[str, ...]) -> bool:
    """A table whose settings stand in the file already: the pairs of fields look alike under each entity."""
    return table[:1] == _EXAMPLE[:1] and table[-1:] == _EXAMPLE[-1:] and table != _EXAMPLE


def _comment(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, width=110, initial_indent="# ", subsequent_indent="# ")


CONFIG_TEMPLATE: Final = render_template()
