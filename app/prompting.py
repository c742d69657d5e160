"""Alternatives in prompts: `{a|b}`, `{2$$a|b|c}`, `{3::a|b}`, and `__name__` from wildcard files.

Everything else in a prompt passes unchanged: weights, `<lora:…>`, comments, braces without `|`,
pasted JSON. Reading files and parsing take a while: call it in a thread.
"""

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random

from dynamicprompts.enums import SamplingMethod
from dynamicprompts.parser.config import default_parser_config
from dynamicprompts.parser.parse import get_cached_parser, parse
from dynamicprompts.sampling_context import SamplingContext
from dynamicprompts.wildcards import WildcardManager
from pyparsing import ParseBaseException

from app.errors import InvalidRequestError
from app.said import Said
from app.submission import MAX_PROMPT
from app.wildcards import Wildcards

_WILDCARD = re.compile(r"__[~@!]?((?:(?!__)[\w\-./*])+)__")
_HEAD = re.compile(r"\{\s*[~@!]?\s*(?P<bounds>(?:\d{1,4}-\d{0,4}|-?\d{1,4})\$\$(?:[^${}]*\$\$)?)?")
_JSON = re.compile(r'\{\s*"[^"]*"\s*:')
_SPECIAL = "{}|#$%/_"  # what the parser would take for more than text
_PRIVATE = range(0xF0000, 0xFFFFD)  # characters of no meaning; more than a prompt has
_MAX_DEPTH = 12  # braces in braces
_MAX_GROUPS = 200
_MAX_CHOICES = 1000
_MAX_LINES = 100  # of a wildcard that several are chosen of
_MAX_WILDCARDS = 500  # in one prompt, those of wildcards included
_MAX_BROKEN = 50  # pieces of JSON: each is read to where it breaks
_EXCERPT = 30  # characters
_FIELD = "prompt"
_EXAMPLE = "{red|green|blue}"

# The library still builds its parser, once, with names that the parser's library gave up.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    get_cached_parser(default_parser_config)
_parsed = lru_cache(maxsize=256)(parse)


def has_alternatives(prompt: str) -> bool:
    """Whether `expand` does more than repeat the prompt; also where it will find a mistake."""
    if "{" not in prompt and "__" not in prompt:
        return False
    if _WILDCARD.search(prompt) is not None:
        return True
    found, opened = _scan(prompt)
    return bool(found) or any(each.chooses for each in opened)


def expand(prompt: str, *, count: int, seed: int, wildcards: Path) -> list[str]:
    """`count` prompts, each with its own choices; the same seed chooses the same again.

    Raises:
        InvalidRequestError: of the field `prompt`, naming the mistake.
    """
    if "{" not in prompt and "__" not in prompt:
        return [prompt] * count
    library = Wildcards(wildcards)
    return [_Draw(Random(f"{seed}/{index}"), library).of(prompt) for index in range(count)]  # noqa: S311 - reproducible on purpose


def preview(prompt: str, *, limit: int = 8, seed: int = 0, wildcards: Path) -> list[str]:
    """Up to `limit` different prompts that may come out.

    Raises:
        InvalidRequestError: as `expand`.
    """
    drawn = expand(prompt, count=4 * limit, seed=seed, wildcards=wildcards)
    return list(dict.fromkeys(drawn))[:limit]


def wildcard_names(folder: Path) -> list[str]:
    """The wildcards there are, with their folders, in order of the alphabet."""
    return Wildcards(folder).names


@dataclass(slots=True)
class _Group:
    """Braces: alternatives if they hold bars or say how many to choose, else text."""

    start: int
    body: int  # where the choices begin
    bounds: str  # how many, and what is put between them: "2$$ and $$"
    bars: list[int] = field(default_factory=list[int])
    end: int = -1  # exclusive

    @property
    def chooses(self) -> bool:
        """Whether something is chosen here."""
        return bool(self.bars or self.bounds)


@dataclass
class _Draw:
    """One prompt in the making."""

    rand: Random
    library: Wildcards
    _wildcards: int = 0

    def of(self, text: str, path: tuple[str, ...] = ()) -> str:
        """The text with everything chosen; `path` are the wildcards it came out of."""
        parts: list[str] = []
        position = 0
        for family in _families(_groups(text)):
            parts.append(self._resolve(text[position : family[0].start], path))
            parts.append(self._choose(text, family, path))
            position = family[0].end
        parts.append(self._resolve(text[position:], path))
        drawn = "".join(parts)
        if len(drawn) > MAX_PROMPT:
            raise InvalidRequestError(
                _FIELD,
                Said("With its wildcards the prompt has over {n} characters.", n=MAX_PROMPT),
            )
        return drawn

    def _resolve(self, text: str, path: tuple[str, ...]) -> str:
        """Plain text, with a line of its file in the place of each wildcard."""
        return _WILDCARD.sub(lambda found: self._line(found[1], path), text)

    def _line(self, name: str, path: tuple[str, ...]) -> str:
        self._enter(name, path)
        values = self.library.values(name)
        return self.of(next(values.get_weighted_random_generator(self.rand)), (*path, name))

    def _enter(self, name: str, path: tuple[str, ...]) -> None:
        if name in path:
            way = " → ".join((*path[path.index(name) :], name))
            raise InvalidRequestError(
                _FIELD, Said("A wildcard leads back to itself: {way}.", way=way)
            )
        self._wildcards += 1
        if self._wildcards > _MAX_WILDCARDS:
            raise InvalidRequestError(
                _FIELD, Said("The prompt has over {n} wildcards.", n=_MAX_WILDCARDS)
            )

    def _choose(self, text: str, groups: Sequence[_Group], path: tuple[str, ...]) -> str:
        """One of the alternatives of the first group, the others being inside of it."""
        shield = _Shield(text)
        name = self._spliced(text, groups[0])
        lines = self.library.values(name).string_values if name else ()
        lines = self.rand.sample(lines, min(len(lines), _MAX_LINES))
        template = shield.template(text, groups, lines=lines)
        context = SamplingContext(
            default_sampling_method=SamplingMethod.RANDOM,
            wildcard_manager=WildcardManager(),
            rand=self.rand,
        )
        try:
            chosen = str(next(iter(context.generator_from_command(_parsed(template)))))
        except (ParseBaseException, ValueError, LookupError, RuntimeError, StopIteration) as exc:
            excerpt = _excerpt(text, groups[0].start)
            raise InvalidRequestError(
                _FIELD,
                Said("These alternatives cannot be read: {text}", text=excerpt),
                fix=Said("Write alternatives as {example}.", example=_EXAMPLE),
            ) from exc
        chosen = shield.lift(chosen)
        if name:
            self._enter(name, path)
            return self.of(chosen, (*path, name))
        return self._resolve(chosen, path)

    def _spliced(self, text: str, group: _Group) -> str | None:
        """The wildcard whose lines are the alternatives, as in `{2$$__colors__}`."""
        wildcard = _WILDCARD.fullmatch(text[group.body : group.end - 1].strip())
        return wildcard[1] if wildcard and group.bounds else None


class _Shield:
    """Puts characters that the parser would take for its own out of its sight, and back."""

    def __init__(self, text: str) -> None:
        taken = set(text)
        free = (chr(each) for each in _PRIVATE if chr(each) not in taken)
        hidden = {special: next(free) for special in _SPECIAL}
        self._hide = str.maketrans(hidden)
        self._back = str.maketrans({replaced: special for special, replaced in hidden.items()})

    def template(self, text: str, groups: Sequence[_Group], *, lines: Sequence[str]) -> str:
        """The first group, with nothing in the parser's sight but its alternatives.

        Lines, if there are any, take the place of what is in it.
        """
        first = groups[0]
        if lines:
            return "{" + first.bounds + "|".join(each.translate(self._hide) for each in lines) + "}"
        letters = {at: text[at].translate(self._hide) for at in range(first.start, first.end)}
        for group in groups:
            for at in range(group.start, group.body):
                letters[at] = ""  # how to choose is not for the prompt to say
            letters[group.start] = "{" + group.bounds
            letters[group.end - 1] = "}"
            letters.update(dict.fromkeys(group.bars, "|"))
        return "".join(letters.values())

    def lift(self, text: str) -> str:
        """The text as it was."""
        return text.translate(self._back)


def _groups(text: str) -> list[_Group]:
    """Every `{…}` of alternatives, in any depth, by where it begins; other braces are text.

    Raises:
        InvalidRequestError: alternatives that are not closed, or too many.
    """
    found, opened = _scan(text)
    _require_sound(text, found, opened)
    return found


def _scan(text: str) -> tuple[list[_Group], list[_Group]]:
    """The alternatives, and the braces that nothing closes."""
    found: list[_Group] = []
    opened: list[_Group] = []
    data_until = broken = 0
    for mark in re.finditer(r"[{|}]", text):
        at = mark.start()
        if at < data_until:
            continue
        if mark[0] == "{" and broken < _MAX_BROKEN and _JSON.match(text, at):
            if data_until := _data_until(text, at):
                continue
            broken += 1
        if mark[0] == "{":
            head = _HEAD.match(text, at)
            bounds = (head and head["bounds"]) or ""
            opened.append(_Group(at, head.end() if head else at + 1, bounds))
        elif mark[0] == "|" and opened and at >= opened[-1].body:
            opened[-1].bars.append(at)
        elif mark[0] == "}" and opened:
            group = opened.pop()
            group.end = at + 1
            if group.chooses and text[max(0, group.start - 1)] not in "$%":
                found.append(group)
    return sorted(found, key=lambda each: each.start), opened


def _families(groups: Sequence[_Group]) -> Iterator[list[_Group]]:
    """The outermost groups, each followed by those inside of it."""
    family: list[_Group] = []
    for group in groups:
        if family and group.start >= family[0].end:
            yield family
            family = []
        family.append(group)
    if family:
        yield family


def _require_sound(text: str, found: Sequence[_Group], opened: Sequence[_Group]) -> None:
    unclosed = next((each for each in opened if each.chooses), None)
    if unclosed is not None:
        raise InvalidRequestError(
            _FIELD,
            Said("This brace is not closed: {text}", text=_excerpt(text, unclosed.start)),
            fix=Said("Write alternatives as {example}.", example=_EXAMPLE),
        )
    ends: list[int] = []
    choices = sum(len(each.bars) for each in found)
    for group in found:
        ends = [end for end in ends if end > group.start] + [group.end]
        if max(len(ends) - _MAX_DEPTH, len(found) - _MAX_GROUPS, choices - _MAX_CHOICES) > 0:
            raise InvalidRequestError(
                _FIELD,
                Said(
                    "There are too many alternatives, or too many inside of each other: {text}",
                    text=_excerpt(text, group.start),
                ),
            )


def _data_until(text: str, start: int) -> int:
    """Where JSON ends that was pasted there; 0 if it is broken."""
    try:
        return json.JSONDecoder().raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return 0


def _excerpt(text: str, start: int) -> str:
    return text[start : start + _EXCERPT] + ("…" if len(text) > start + _EXCERPT else "")
