"""What routes there are, asked of the code: wires, the API's operations, pages."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

from hutch import routes


def listed() -> Iterator[tuple[str, str]]:
    """(method, route): a wire's name, an operation's path, or a page's name. A page has GET and POST to answer for."""
    for wire in routes.WIRES:
        for method in wire.methods:
            yield method, wire.name
    operations = {path for _, router in routes.api._routers for path in router.path_operations}
    for _, router in routes.api._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                yield from ((method, path) for method in operation.methods)
    for pattern in _patterns(get_resolver()):
        name = str(pattern.name)
        if pattern.lookup_str.startswith("ninja."):
            if name == "openapi-json":
                yield "GET", f"/{pattern.pattern}"
            continue
        yield "GET", name
        yield "POST", name
    assert operations


def listed_patterns() -> Iterator[str]:
    """The addresses of Django's views, as they are written."""
    return _written(get_resolver(), "")


def _written(resolver: URLResolver, before: str) -> Iterator[str]:
    for entry in resolver.url_patterns:
        here = before + str(entry.pattern).lstrip("^")
        if isinstance(entry, URLResolver):
            yield from _written(entry, here)
        else:
            yield here


def _patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _patterns(entry)
        else:
            yield entry
