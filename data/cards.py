"""The picture that a workflow travels in: a PNG with the workflow in its text chunks."""

import io
import logging
from collections.abc import Mapping
from pathlib import Path

from PIL import Image as Pillow
from PIL import ImageDraw, PngImagePlugin

from app.drawing.diagram import Diagram, DiagramNode, Mode

log = logging.getLogger(__name__)

_SIZE = (1024, 640)
_MARGIN = 48
_BEHIND = "#15171c"
_BODY, _HEAD, _WIRE = "#2a2e37", "#4b5263", "#7c8499"
_NODE_SIZE = (240.0, 160.0)  # of a node that does not say
_HEAD_PX = 30.0
_MAX_PIXELS = 64_000_000

Place = tuple[float, float, float, float]


class PngCards:
    """`app.workflow_files.Cards`, drawn with Pillow."""

    def make(self, diagram: Diagram, *, picture: Path | None, texts: Mapping[str, str]) -> bytes:
        """A PNG with the texts in it: the picture, or a drawing of the diagram."""
        seen = _opened(picture) if picture is not None else None
        chunks = PngImagePlugin.PngInfo()
        for name, text in texts.items():
            chunks.add_text(name, text)
        stream = io.BytesIO()
        (seen or _drawn(diagram)).save(stream, "PNG", pnginfo=chunks)
        return stream.getvalue()


def _opened(path: Path) -> Pillow.Image | None:
    try:
        with Pillow.open(path) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                return None
            return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    except Exception:  # a drawing does as well, and decoders fail in many ways
        log.info("The picture %s of a workflow cannot be read", path, exc_info=True)
        return None


def _drawn(diagram: Diagram) -> Pillow.Image:
    """The diagram from afar: boxes and wires."""
    card = Pillow.new("RGB", _SIZE, _BEHIND)
    boxes = {key: _box(node) for key, node in diagram.root.nodes.items()}
    if not boxes:
        return card
    left, top = (min(box[axis] for box in boxes.values()) for axis in (0, 1))
    right, bottom = (max(box[axis] for box in boxes.values()) for axis in (2, 3))
    scale = min(
        (_SIZE[0] - 2 * _MARGIN) / max(right - left, 1.0),
        (_SIZE[1] - 2 * _MARGIN) / max(bottom - top, 1.0),
        1.0,
    )
    shift_x = (_SIZE[0] - (right - left) * scale) / 2
    shift_y = (_SIZE[1] - (bottom - top) * scale) / 2

    def at(x: float, y: float) -> tuple[float, float]:
        return (x - left) * scale + shift_x, (y - top) * scale + shift_y

    draw = ImageDraw.Draw(card)
    for link in diagram.root.links.values():
        if link.source in boxes and link.target in boxes:
            source, target = boxes[link.source], boxes[link.target]
            ends = at(source[2], source[1] + _HEAD_PX), at(target[0], target[1] + _HEAD_PX)
            draw.line(ends, fill=_WIRE, width=2)
    for key, node in diagram.root.nodes.items():
        x, y, right_x, bottom_y = boxes[key]
        is_faint = node.mode is not Mode.ACTIVE
        draw.rectangle((*at(x, y), *at(right_x, bottom_y)), fill=_BODY, outline=_HEAD)
        head = _BODY if is_faint else (_color(node) or _HEAD)
        draw.rectangle((*at(x, y), *at(right_x, min(y + _HEAD_PX, bottom_y))), fill=head)
    return card


def _box(node: DiagramNode) -> Place:
    width, height = node.size or _NODE_SIZE
    if node.collapsed:
        height = _HEAD_PX
    x, y = node.pos
    return x, y, x + max(width, 1.0), y + max(height, 1.0)


def _color(node: DiagramNode) -> str | None:
    """Its own colour, if it is one."""
    color = node.color or ""
    is_color = color.startswith("#") and len(color) in (4, 7)
    return (
        color if is_color and all(each in "0123456789abcdefABCDEF" for each in color[1:]) else None
    )
