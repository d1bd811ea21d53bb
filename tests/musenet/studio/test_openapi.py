"""The description names every request that there is, and no other."""

from __future__ import annotations

import re

from starlette.routing import BaseRoute, Mount, Route

from .conftest import Studio


def there(routes: list[BaseRoute]) -> set[tuple[str, str]]:
    found = set()
    for route in routes:
        if isinstance(route, Mount):
            found |= there(list(route.routes))
        elif isinstance(route, Route):
            path = route.path.replace(":int", "")
            found |= {(path, m.lower()) for m in route.methods or () if m != "HEAD"}
    return found


def test_every_request_is_described(studio: Studio) -> None:
    said = studio("GET", "openapi.json")
    assert said["openapi"].startswith("3.")
    assert said["servers"] == [{"url": "/api/v1"}]
    described = {(path, method) for path, own in said["paths"].items() for method in own}
    mount = next(route for route in studio.client.app.routes if isinstance(route, Mount))
    assert described == there(list(mount.routes))
    for path, own in said["paths"].items():
        for operation in own.values():
            named = [p["name"] for p in operation["parameters"]]
            assert named == re.findall(r"{(\w+)}", path)
