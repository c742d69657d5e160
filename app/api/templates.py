"""The official workflow templates over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import Here
from app.api.problems import responses
from app.submission import Wire
from app.templates import Requirements, Template

router = APIRouter(prefix="/api/templates", tags=["workflows"])


class TemplateView(Wire):
    """An official template; `POST /api/workflows/import?template=` takes it by its name."""

    name: str
    title: str
    description: str
    category: str
    media: str
    tags: list[str]
    models: list[str]
    """Families of models, for people."""
    size: int
    """Of its model files together, in bytes; 0: none, or not known."""
    min_version: str
    """Of ComfyUI."""
    date: str
    paid: bool
    """Its nodes call paid services."""


class TemplateList(Wire):
    """Templates, in the order of their index."""

    templates: list[TemplateView]


class ModelFileView(Wire):
    """A file that a template wants."""

    folder: str
    name: str
    url: str


class TemplateNeeds(Wire):
    """What a backend needs to run a template, and which backends lack what."""

    template: TemplateView
    classes: list[str]
    models: list[ModelFileView]
    missing_classes: list[str]
    """Node classes that no known backend has."""


@router.get("", responses=responses())
async def list_templates(
    here: Here,
    q: Annotated[str, Query(max_length=500, description="Words of what is said of it")] = "",
    category: Annotated[str | None, Query(max_length=200)] = None,
    media: Annotated[str | None, Query(max_length=50)] = None,
    tag: Annotated[list[str] | None, Query(max_length=20, description="All of them")] = None,
) -> TemplateList:
    """The templates that match."""
    found = await here.templates.list(words=q, category=category, media=media, tags=tag or ())
    return TemplateList(templates=[_view(each) for each in found])


@router.get("/{name}", responses=responses(404))
async def get_template(here: Here, name: Annotated[str, Path(max_length=200)]) -> TemplateNeeds:
    """One template, and what it needs."""
    template = await here.templates.get(name)
    return _needs(template, await here.templates.requirements(name), here)


def _needs(template: Template, needs: Requirements, here: Here) -> TemplateNeeds:
    schemas = here.known_nodes.schemas
    return TemplateNeeds(
        template=_view(template),
        classes=list(needs.classes),
        models=[
            ModelFileView(folder=each.folder, name=each.name, url=each.url) for each in needs.models
        ],
        missing_classes=[each for each in needs.classes if schemas.get(each) is None],
    )


def _view(template: Template) -> TemplateView:
    return TemplateView(
        name=template.name,
        title=template.title,
        description=template.description,
        category=template.category,
        media=template.media,
        tags=list(template.tags),
        models=list(template.models),
        size=template.size,
        min_version=template.min_version,
        date=template.date,
        paid=template.is_paid,
    )
