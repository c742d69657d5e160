/** One cell of the grid: a square tile, or a line of the list. Text goes in as text only. */

import { hasThumbnail, lengthOf, makeLength, makePlate, moving } from "orchestrator/media.js";

const TOOLTIP = 400; // characters of a prompt that a tooltip can show
const HOVER_MS = 180; // until what moves is played
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export function makeCell(view) {
  const cell = document.createElement("div");
  cell.className = view === "list" ? "o-gal-line" : "o-gal-tile";
  cell.setAttribute("role", "gridcell");
  const picture = document.createElement("img");
  picture.decoding = "async";
  picture.draggable = false;
  picture.alt = "";
  picture.addEventListener("load", () => cell.classList.add("o-gal-loaded"));
  picture.addEventListener("error", () => {
    if (picture.getAttribute("src")) cell.classList.add("o-gal-missing");
  });
  cell.append(picture);
  if (view === "list") for (const part of LINE_PARTS) cell.append(makePart(part));
  else playOnHover(cell);
  return cell;
}

const LINE_PARTS = ["prompt", "backend", "size", "bytes", "made"];

function makePart(name) {
  const part = document.createElement("span");
  part.className = `o-gal-line-${name}`;
  if (name === "prompt") part.dir = "auto";
  return part;
}

/** Show a picture in a tile, or a skeleton while it is not known. */
export function fillCard(cell, image, { fast, words }) {
  if (cell.image !== image) renew(cell, image, words);
  showPicture(cell, image, fast);
}

/** Show a picture as a line of the list. */
export function fillRow(cell, image, { fast, words }) {
  if (cell.image !== image) {
    renew(cell, image, words);
    const [, prompt, backend, size, bytes, made] = cell.children;
    prompt.textContent = image ? firstLine(image.prompt) || image.downloadName : "";
    backend.textContent = image ? words.backend(image) : "";
    size.textContent = image ? (image.width ? `${image.width} × ${image.height}` : lengthOf(image)) : "";
    bytes.textContent = image ? words.bytes(image.size) : "";
    made.textContent = image ? words.when(image.createdAt) : "";
  }
  showPicture(cell, image, fast);
}

function renew(cell, image, words) {
  cell.image = image;
  const picture = cell.firstChild;
  still(cell);
  for (const extra of cell.querySelectorAll(":scope > :is(.o-plate, .o-length)")) extra.remove();
  cell.classList.remove("o-gal-loaded");
  cell.classList.toggle("o-gal-waiting", !image);
  cell.classList.toggle("o-gal-missing", Boolean(image?.missing));
  picture.removeAttribute("src");
  picture.alt = image?.prompt ?? "";
  cell.title = (image?.prompt ?? "").slice(0, TOOLTIP);
  if (!image) {
    delete cell.dataset.testid;
    delete cell.dataset.badge;
    delete cell.dataset.kind;
    return;
  }
  cell.dataset.kind = image.kind;
  if (!hasThumbnail(image)) cell.append(makePlate(image));
  if (lengthOf(image)) cell.append(makeLength(image));
  if (cell.resting) playSoon(cell); // the list was read again under the pointer
  cell.dataset.testid = `gallery-item-${image.id}`;
  if (image.missing) cell.dataset.badge = words.t("File missing");
  else if (image.isDemo) cell.dataset.badge = words.t("Demo");
  else delete cell.dataset.badge;
}

function showPicture(cell, image, fast) {
  if (!image || image.missing || fast || !hasThumbnail(image)) return;
  const picture = cell.firstChild;
  if (picture.getAttribute("src") !== image.thumbnailUrl) picture.src = image.thumbnailUrl;
}

function firstLine(text) {
  return text.slice(0, TOOLTIP).replace(/\s+/g, " ");
}

/** A video or an animation plays, without its sound, while the pointer rests on its tile. */
function playOnHover(cell) {
  cell.addEventListener("pointerenter", (event) => {
    cell.resting = event.pointerType === "mouse" && !calm.matches;
    playSoon(cell);
  });
  cell.addEventListener("pointerleave", () => {
    cell.resting = false;
    still(cell);
  });
}

function playSoon(cell) {
  clearTimeout(cell.hover);
  cell.hover = setTimeout(() => {
    const shown = cell.resting && cell.image && !cell.image.missing ? moving(cell.image) : null;
    if (!shown) return;
    shown.classList.add("o-gal-moving");
    cell.append(shown);
  }, HOVER_MS);
}

function still(cell) {
  clearTimeout(cell.hover);
  const shown = cell.querySelector(".o-gal-moving");
  if (!shown) return;
  shown.removeAttribute("src"); // ends the download, too
  shown.remove();
}
