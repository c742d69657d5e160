/** What a native dialog needs beside what the browser does. */

/** Keys pressed in it are its own: the page's shortcuts do not hear them. */
export function holdKeys(dialog) {
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
}
