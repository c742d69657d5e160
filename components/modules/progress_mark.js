// Shows how far the work is in the title and the icon of the page, and puts both back after it.
const SIZE = 32;
const mark = { percent: null, title: null, icon: null, shown: null };

// `percent` is a whole number, or null when nothing runs.
export function showProgress(percent) {
  mark.percent = percent;
  watchTitle();
  writeTitle();
  writeIcon();
}

// Pages set their title as they please, at any time; whatever they set is the end of ours.
function watchTitle() {
  if (mark.title !== null) return;
  mark.title = document.title;
  const node = document.querySelector("title");
  new MutationObserver(() => {
    if (document.title === mark.shown) return;
    mark.title = document.title;
    writeTitle();
  }).observe(node, { childList: true, characterData: true, subtree: true });
}

function writeTitle() {
  mark.shown = mark.percent === null ? mark.title : `${mark.percent} % · ${mark.title}`;
  if (document.title !== mark.shown) document.title = mark.shown;
}

function writeIcon() {
  const link = document.querySelector("link[rel~=icon]");
  if (!link) return;
  mark.icon ??= link.getAttribute("href");
  // In steps that can be told apart at that size, so that the icon is not drawn for nothing.
  const href = mark.percent === null ? mark.icon : ring(Math.floor(mark.percent / 4) / 25);
  if (link.getAttribute("href") !== href) link.setAttribute("href", href);
}

function ring(fraction) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const pen = canvas.getContext("2d");
  const arc = (from, to, color) => {
    pen.beginPath();
    pen.arc(SIZE / 2, SIZE / 2, SIZE / 2 - 4, from, to);
    pen.strokeStyle = color;
    pen.lineWidth = 7;
    pen.stroke();
  };
  arc(0, 2 * Math.PI, "rgb(127 135 148 / .45)");
  arc(-Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * Math.max(0.02, fraction), "#4f97ea");
  return canvas.toDataURL("image/png");
}
