"""OpenAPI for bodies that FastAPI does not read itself."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

REF: Final = "#/components/schemas/{model}"


def request_body(description: str, **models: type[BaseModel]) -> dict[str, Any]:
    """Say for OpenAPI what a route takes: a model by media type, whose slash is written as two underscores.

    Its name and that of what it uses must be told to :func:`add_schemas`.
    """
    content = {
        media_type.replace("__", "/").replace("_", "-"): {"schema": {"$ref": REF.format(model=model.__name__)}}
        for media_type, model in models.items()
    }
    return {"requestBody": {"required": True, "description": description, "content": content}}


def add_schemas(document: dict[str, Any], models: tuple[type[BaseModel], ...]) -> None:
    """Put the schemas of request models, and of what they use, into an OpenAPI document."""
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    known = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in found["$defs"].items():
        known.setdefault(name, schema)
