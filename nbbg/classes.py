"""What nbbg needs of `dataclasses`, at a fiftieth of its price when a program starts.

Python's own module imports `inspect`, and compiles the source of five methods for each class: a
third of the time that `nbbg status` took. Here all classes share their methods, which look up the
fields. To mypy, and to whoever reads a class, it is `dataclasses`; what nbbg does not use is not
there (ordering, `InitVar`, `kw_only`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from dataclasses import asdict, dataclass, field, fields, replace

__all__ = ["asdict", "dataclass", "field", "fields", "replace"]


class _Field:
    """One field of a class, as its body declares it."""

    __slots__ = ("default_factory", "name", "shown", "type")

    def __init__(self, default_factory: Callable[[], Any] | None = None, *, shown: bool) -> None:
        self.name = self.type = ""
        self.default_factory = default_factory
        self.shown = shown  # in its repr


class _Shape:
    """The fields of a class, in their order, and what they are where a caller gives no value."""

    def __init__(self, declared: Iterable[_Field], defaults: Mapping[str, Any]) -> None:
        self.fields = {each.name: each for each in declared}
        self.names = tuple(self.fields)
        self.defaults = defaults

    def values(self, of: object) -> list[Any]:
        """What a value holds."""
        return [getattr(of, name) for name in self.names]

    def complete(self, kind: type, given: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        """The value of each field of a new one.

        Raises:
            TypeError: one is missing, given twice, or of no field.
        """
        found = dict(zip(self.names, given, strict=False))
        several = len(given) > len(self.names) or found.keys() & named.keys()
        found.update(named)
        if several or found.keys() - self.fields.keys():
            message = f"{kind.__name__} takes {', '.join(self.names)}, each once, and nothing else"
            raise TypeError(message)
        try:
            return [found[name] if name in found else self._default(name) for name in self.names]
        except KeyError as error:
            raise TypeError(f"{kind.__name__} needs {error}") from None

    def _default(self, name: str) -> Any:
        make = self.fields[name].default_factory
        return make() if make else self.defaults[name]


class _Foreign:
    """`__dataclass_fields__`, made when somebody asks: `dataclasses` itself, or pandas."""

    def __get__(self, _: object, kind: Any) -> Any:
        import dataclasses

        made: Any = dataclasses.make_dataclass(kind.__name__, kind.__shape__.names)
        return made.__dataclass_fields__


def _dataclass(
    cls: type | None = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    repr: bool = True,  # noqa: A002
) -> Any:
    if cls is None:
        return lambda each: _dataclass(each, frozen=frozen, slots=slots, repr=repr)
    shape = _shape(cls)
    methods: dict[str, Any] = {"__init__": _init(cls, shape), "__eq__": _eq, "__hash__": None}
    if repr:
        methods["__repr__"] = _repr
    if frozen:
        methods |= {"__hash__": _hash, "__setattr__": _refuse, "__delattr__": _refuse}
    made = {name: each for name, each in methods.items() if name not in vars(cls)}
    made |= {"__shape__": shape, "__match_args__": shape.names, "__dataclass_fields__": _Foreign()}
    if slots:
        return _with_slots(cls, shape, made)
    for name, each in made.items():
        setattr(cls, name, each)
    return cls


def _field(*, default_factory: Callable[[], Any] | None = None, repr: bool = True) -> Any:  # noqa: A002
    return _Field(default_factory, shown=repr)


def _fields(of: Any) -> tuple[_Field, ...]:
    return tuple(of.__shape__.fields.values())


def _replace(value: Any, /, **changes: Any) -> Any:
    return type(value)(**{name: getattr(value, name) for name in value.__shape__.names} | changes)


def _asdict(value: Any) -> Any:
    """The fields by name; also of values in fields, in lists, tuples and dicts."""
    if hasattr(value, "__shape__"):
        return {name: _asdict(getattr(value, name)) for name in value.__shape__.names}
    if isinstance(value, dict):
        return {key: _asdict(each) for key, each in value.items()}
    return type(value)(map(_asdict, value)) if type(value) in (list, tuple) else value


def _shape(cls: type) -> _Shape:
    """What the body of a class declares, after what it inherits; annotations are text there."""
    inherited: _Shape | None = getattr(cls, "__shape__", None)
    declared = [*inherited.fields.values()] if inherited else []
    defaults = {**inherited.defaults} if inherited else {}
    body = dict(vars(cls))
    for name, kind in body.get("__annotations__", {}).items():
        if kind.startswith("ClassVar"):
            continue
        given = body.get(name)
        each = given if isinstance(given, _Field) else _Field(shown=True)
        each.name, each.type = name, kind
        declared.append(each)
        if given is each:
            delattr(cls, name)
        elif name in body:
            defaults[name] = given
    return _Shape(declared, defaults)


def _with_slots(cls: type, shape: _Shape, made: Mapping[str, Any]) -> type:
    """The class made anew, since slots can't be added; its body must not say `super()`."""
    left_out = {*shape.names, "__dict__", "__weakref__"}
    body = {name: each for name, each in vars(cls).items() if name not in left_out}
    body |= {**made, "__slots__": shape.names, "__reduce__": _reduce}
    return type(cls)(cls.__name__, cls.__bases__, body)


def _init(cls: type, shape: _Shape) -> Callable[..., None]:
    put, names, finish = object.__setattr__, shape.names, getattr(cls, "__post_init__", None)

    def __init__(self: Any, /, *given: Any, **named: Any) -> None:  # noqa: N807 - as it is called
        whole = len(given) == len(names) and not named
        values = given if whole else shape.complete(type(self), given, named)
        for name, value in zip(names, values, strict=True):
            put(self, name, value)
        if finish:
            finish(self)

    return __init__


def _eq(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return self.__shape__.values(self) == self.__shape__.values(other)


def _hash(self: Any) -> int:
    return hash(tuple(self.__shape__.values(self)))


def _reduce(self: Any) -> tuple[type, tuple[Any, ...]]:
    """For `pickle` and `copy`, which would set the slots of a frozen value one by one."""
    return type(self), tuple(self.__shape__.values(self))


def _repr(self: Any) -> str:
    known = self.__shape__.fields.values()
    shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in known if each.shown)
    return f"{type(self).__qualname__}({shown})"


def _refuse(self: object, name: str, *_: object) -> None:
    raise AttributeError(f"{type(self).__name__}.{name} can't be changed: it is frozen")


if not TYPE_CHECKING:
    dataclass, field, fields, replace, asdict = _dataclass, _field, _fields, _replace, _asdict
