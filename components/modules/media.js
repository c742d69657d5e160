/** What is different about videos, sounds, texts and other files. */

/** Whether the server has a small picture of it. */
export function hasThumbnail(image) {
  return !image.kind || image.kind === "image" || image.kind === "video";
}

/** The small picture of the first of them that has one. */
export function thumbnailOf(images) {
  return images?.find(hasThumbnail)?.thumbnailUrl;
}

/** Whether it moves or sounds: how long, as `0:04`; otherwise empty. */
export function lengthOf(image) {
  const seconds = image.durationSeconds;
  if (!seconds) return "";
  const whole = Math.max(1, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

const ICONS = { audio: "pulse", text: "list", file: "save", video: "play" };

/** The icon of what it is. */
export function iconOf(image) {
  return ICONS[image.kind] ?? "image";
}

/** A tile for what cannot be seen: its icon and its name. */
export function makePlate(image) {
  const plate = document.createElement("span");
  plate.className = "o-plate";
  plate.innerHTML = `<svg class="o-i" aria-hidden="true"><use href="#o-i-${iconOf(image)}"></use></svg>`;
  const name = document.createElement("b");
  name.textContent = image.file.split(".").pop().toUpperCase();
  plate.append(name);
  return plate;
}

/** A mark that says how long it is. */
export function makeLength(image) {
  const mark = document.createElement("span");
  mark.className = "o-length";
  mark.innerHTML = `<svg class="o-i" aria-hidden="true"><use href="#o-i-${iconOf(image)}"></use></svg>`;
  mark.append(lengthOf(image));
  return mark;
}

/** An element that plays it without its sound, over and over; null for what stands still. */
export function moving(image) {
  if (image.kind === "video") {
    const video = document.createElement("video");
    Object.assign(video, { muted: true, loop: true, autoplay: true, playsInline: true, src: image.url });
    video.setAttribute("aria-hidden", "true");
    return video;
  }
  if (image.kind !== "image" || !image.durationSeconds) return null;
  const picture = document.createElement("img");
  Object.assign(picture, { src: image.url, alt: "", draggable: false });
  return picture;
}
