"""The text of `$filter` as a tree, refused in the words of the OData library where it cannot be read.

Only the syntax is known here; what a name means and what a literal is compared with is for the reader of the tree.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.errors import ODataError

NESTING_MAX = 100
CRM = "Microsoft.Dynamics.CRM."

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>'(?:[^']|'')*')
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<guid>\{?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\}?)
    |(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)
    |(?P<date>\d{4}-\d\d-\d\d)
    |(?P<number>[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?)[LlMmDdFf]?)
    |(?P<name>@\w+|\$?\w[\w.]*)
    |(?P<mark>[()\[\],:/=])
    )""",
    re.VERBOSE,
)
_KINDS = {"string": "Edm.String", "text": "Edm.String", "guid": "Edm.Guid", "time": "Edm.DateTimeOffset"}
_OPERATORS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_UNSUPPORTED = frozenset({"in", "has", "add", "sub", "mul", "div", "divby", "mod"})


@dataclass(frozen=True, slots=True)
class Path:
    parts: tuple[str, ...]

    def __str__(self) -> str:
        return "/".join(self.parts)


@dataclass(frozen=True, slots=True)
class Literal:
    """`kind` is an Edm type, or `null`; `text` is without quotes."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Logic:
    operator: str
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Negation:
    part: "Node"


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class CrmCall:
    """A query function; `prefix` is the navigation in front of it, `arguments` are its values by parameter."""

    prefix: tuple[str, ...]
    name: str
    arguments: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Lambda:
    """`any` or `all` over a collection; without a body it asks whether there are rows at all."""

    path: Path
    kind: str
    variable: str
    body: "Node | None"


Node = Path | Literal | Comparison | Logic | Negation | Call | CrmCall | Lambda


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    position: int


def parse_filter(text: str, aliases: Mapping[str, str] | None) -> Node:
    """`aliases` are the `@p` of the URL; one that is not there is null. None is where there can be no alias."""
    return _Parser(text, aliases).parse()


class _Parser:
    def __init__(self, text: str, aliases: Mapping[str, str] | None) -> None:
        self._text = text
        self._aliases = aliases
        self._tokens = list(self._iter_tokens())
        self._at = 0
        self._depth = 0

    def _iter_tokens(self) -> Iterator[Token]:
        position = 0
        end = len(self._text.rstrip())
        while position < end:
            found = _TOKEN.match(self._text, position)
            if found is None:
                raise self._bad_letter(position)
            kind = str(found.lastgroup)
            yield Token(kind, found[kind], found.start(kind))
            position = found.end()
        yield Token("end", "", len(self._text))

    def _bad_letter(self, position: int) -> ODataError:
        rest = self._text[position:].lstrip()
        if rest[0] in "'\"":
            return errors.query_error(
                f"There is an unterminated literal at position {len(self._text)} in '{self._text}'."
            )
        where = len(self._text) - len(rest)
        return errors.query_error(
            f"Syntax error: character '{rest[0]}' is not valid at position {where} in '{self._text}'."
        )

    def _expected(self, what: str) -> ODataError:
        return errors.query_error(f"{what} expected at position {self._token.position} in '{self._text}'.")

    def _syntax_error(self) -> ODataError:
        return errors.query_error(f"Syntax error at position {self._token.position} in '{self._text}'.")

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._token
        self._at += 1
        return token

    def _takes(self, text: str) -> bool:
        if self._token.text == text and self._token.kind in ("mark", "name"):
            self._at += 1
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._takes(text):
            raise self._expected(f"'{text}'")

    # Expressions, loosest first.

    def parse(self) -> Node:
        found = self._or()
        if self._token.kind != "end":
            raise self._syntax_error()
        return found

    def _or(self) -> Node:
        return self._chain("or", lambda: self._chain("and", self._not))

    def _chain(self, word: str, part: Callable[[], Node]) -> Node:
        parts = [part()]
        while self._takes(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Logic(word, tuple(parts))

    def _not(self) -> Node:
        if not self._takes("not"):
            return self._comparison()
        return Negation(self._nested(self._not))

    def _nested(self, inner: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise errors.query_error("Recursion depth exceeded allowed limit.")
        found = inner()
        self._depth -= 1
        return found

    def _comparison(self) -> Node:
        left = self._operand()
        word = self._token.text
        if self._token.kind != "name" or word not in _OPERATORS | _UNSUPPORTED:
            return left
        if word in _UNSUPPORTED:
            raise errors.query_error(f"The operator '{word}' is not supported in $filter.")
        self._take()
        return Comparison(word, left, self._operand())

    def _operand(self) -> Node:
        token = self._take()
        if token.kind == "mark" and token.text == "(":
            found = self._nested(self._or)
            if not self._takes(")"):
                raise self._expected("')' or operator")
            return found
        if token.kind == "name":
            return self._named(token)
        if token.kind in ("mark", "end"):
            self._at -= 1
            raise errors.query_error(f"Expression expected at position {token.position} in '{self._text}'.")
        return literal_of(token.kind, token.text)

    def _named(self, token: Token) -> Node:
        if token.text.startswith("@"):
            return self._alias(token.text)
        if token.text in ("null", "true", "false"):
            return Literal("null" if token.text == "null" else "Edm.Boolean", token.text)
        if self._token.kind == "string" and self._token.position == token.position + len(token.text):
            return Literal(token.text, self._take().text[1:-1])
        parts = [token.text]
        while self._takes("/"):
            if self._token.kind != "name":
                raise self._syntax_error()
            parts.append(self._take().text)
        if not self._takes("("):
            return Path(tuple(parts))
        return self._nested(lambda: self._call(parts))

    def _alias(self, name: str) -> Node:
        if self._aliases is None:
            raise errors.query_error(f"The parameter alias '{name}' cannot be used here.")
        value = self._aliases.get(name, "null")
        found = _Parser(value, None).parse()
        if not isinstance(found, Literal | Path):
            raise errors.query_error(f"The value of the parameter alias '{name}' is not valid.")
        return found

    def _call(self, parts: list[str]) -> Node:
        name = parts[-1]
        if name.startswith(CRM):
            return CrmCall(tuple(parts[:-1]), name.removeprefix(CRM), self._named_arguments())
        if name in ("any", "all") and len(parts) > 1:
            return self._lambda(Path(tuple(parts[:-1])), name)
        arguments: list[Node] = []
        while not self._takes(")"):
            if arguments and not self._takes(","):
                raise self._expected("')' or ','")
            arguments.append(self._or())
        return Call("/".join(parts), tuple(arguments))

    def _lambda(self, path: Path, kind: str) -> Node:
        if self._takes(")"):
            return Lambda(path, kind, "", None)
        variable = self._take()
        if variable.kind != "name" or not self._takes(":"):
            self._at -= 1
            raise self._syntax_error()
        body = self._or()
        self._need(")")
        return Lambda(path, kind, variable.text, body)

    def _named_arguments(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        while not self._takes(")"):
            if found:
                self._need(",")
            name = self._take().text
            self._need("=")
            found[name] = self._list() if self._takes("[") else (self._plain_value(),)
        return found

    def _list(self) -> tuple[str, ...]:
        values: list[str] = []
        while not self._takes("]"):
            if values:
                self._need(",")
            values.append(self._plain_value())
        return tuple(values)

    def _plain_value(self) -> str:
        token = self._take()
        if token.kind == "name" and token.text.startswith("@"):
            found = self._alias(token.text)
            return found.text if isinstance(found, Literal) else str(found)
        if token.kind in ("mark", "end"):
            self._at -= 1
            raise self._syntax_error()
        return literal_of(token.kind, token.text).text


def literal_of(kind: str, text: str) -> Literal:
    match kind:
        case "string":
            return Literal("Edm.String", text[1:-1].replace("''", "'"))
        case "text":
            return Literal("Edm.String", re.sub(r"\\(.)", r"\1", text[1:-1]))
        case "date":
            return Literal("Edm.Date", text)
        case "number":
            whole = re.fullmatch(r"[+-]?\d+[Ll]?", text)
            return Literal("Edm.Int32" if whole else "Edm.Double", text.rstrip("LlMmDdFf"))
    return Literal(_KINDS.get(kind, kind), text)
