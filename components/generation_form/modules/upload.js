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

/** Why it did not work, for people. */
export function reason(error, t) {
  if (error.status === 413) return t("It is too large. Use a picture of up to 64 megapixels and 50 MB.");
  if (error.status === 422) return /pixels/.test(error.message)
    ? t("It is too large. Use a picture of up to 64 megapixels and 50 MB.")
    : t("This is no picture that can be read.");
  return error.message || t("The server did not answer. Is it still running?");
}
