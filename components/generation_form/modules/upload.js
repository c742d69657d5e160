/** Giving a picture to the server. */

class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Send `{file}` or `{imageId}`; gives `{name, width, height}`. `progress` hears fractions. */
export function give({ file, imageId }, { progress = () => {}, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not say how far an upload is
    request.open("POST", "/api/inputs");
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () =>
      request.status < 300 ? resolve(request.response) : reject(new Refused(request.status, request.response?.detail ?? ""));
    request.onerror = () => reject(new Refused(0, ""));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    if (imageId) {
      request.setRequestHeader("Content-Type", "application/json");
      request.send(JSON.stringify({ imageId }));
      return;
    }
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}

/** What is said of a file that is not of the kind wanted. */
export function unreadable(t, { kind, name }) {
  if (kind === "image") return t("This is no picture that can be read.");
  if (kind === "video") return t("{name} is no video that can be read. Use MP4, WebM, MOV, MKV or GIF.", { name });
  if (kind === "audio") return t("{name} is no sound that can be read. Use WAV, MP3, FLAC or OGG.", { name });
  return t("{name} is no file that can be taken. Use a picture, a video, a sound or a GLB model.", { name });
}

/** Whether a file that was given is of the kind wanted; nodes take moving pictures for videos. */
export function fits(given, kind) {
  return kind === "file" || given.kind === kind || (kind === "video" && /\.(gif|webp)$/.test(given.name));
}

/** What a dialog of the system should offer. */
export function acceptOf(kind) {
  const types = { image: "image/*", video: "video/*,.mkv,.mov,image/gif,image/webp", audio: "audio/*,.flac,.m4a" };
  return types[kind] ?? "image/*,video/*,audio/*,.mkv,.glb";
}

/** Why it did not work, for people. `kind` is what is wanted, `name` what the file is called. */
export function reason(error, t, { kind = "image", name = "" } = {}) {
  if (kind !== "image" && error.status === 413) return t("{name} is too large: up to 50 MB are taken.", { name });
  if (kind !== "image" && error.status === 422) return unreadable(t, { kind, name });
  if (error.status === 413) return t("It is too large. Use a picture of up to 64 megapixels and 50 MB.");
  if (error.status === 422) return /pixels/.test(error.message)
    ? t("It is too large. Use a picture of up to 64 megapixels and 50 MB.")
    : t("This is no picture that can be read.");
  return error.message || t("The server did not answer. Is it still running?");
}
