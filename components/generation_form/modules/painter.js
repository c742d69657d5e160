/** A dialog in which a mask is painted on a picture: white is painted anew. */

import { holdKeys } from "orchestrator-form/dialog.js";

const MOST_SIDE = 2048; // pixels; a larger mask would only be slower
const UNDOS = 10;
const CURSOR_STEPS = 4; // of the arrow keys in one brush
const TINT = [236, 72, 153];

const icon = (name) => `<svg class="o-i" aria-hidden="true"><use href="#o-i-${name}"></use></svg>`;

export const Painter = {
  name: "MaskPainter",
  props: { t: Function, image: String, mask: String },
  emits: ["close", "paint"],
  template: `
    <dialog ref="dialog" class="o-dialog o-form-dialog o-painter" :aria-label="t('Paint mask')" data-testid="mask-painter" @close="$emit('close')" @keydown="key">
      <div class="o-row"><h2 class="o-h1 o-grow">{{ t("Paint mask") }}</h2>
        <button type="button" class="o-icon-btn" @click="$refs.dialog.close()" :title="t('Close')" :aria-label="t('Close')">${icon("x")}</button></div>
      <div class="o-painter-bar">
        <span class="o-seg" role="group">
          <button type="button" :aria-pressed="String(!erasing)" @click="erasing = false" data-testid="mask-brush">{{ t("Paint (X)") }}</button>
          <button type="button" :aria-pressed="String(erasing)" @click="erasing = true" data-testid="mask-erase">{{ t("Erase (X)") }}</button></span>
        <label class="o-painter-size"><span>{{ t("Brush size") }}</span>
          <input type="range" min="2" max="50" v-model.number="brush" data-testid="mask-size"></label>
        <span class="o-grow"></span>
        <button type="button" class="o-btn o-btn-compact" :disabled="!past" @click="undo" data-testid="mask-undo">${icon("undo")}{{ t("Undo") }}</button>
        <button type="button" class="o-btn o-btn-compact" @click="invert" data-testid="mask-invert">{{ t("Invert") }}</button>
        <button type="button" class="o-btn o-btn-compact" @click="clear" data-testid="mask-clear">{{ t("Clear") }}</button>
      </div>
      <div class="o-painter-stage" ref="stage">
        <img ref="picture" :src="'/api/inputs/' + image" alt="" draggable="false" @load="open">
        <canvas ref="canvas" tabindex="0" role="application" :aria-label="t('White is painted anew. Paint with the mouse, or with the arrow keys and Space.')" data-testid="mask-canvas"
          @pointerdown="press" @pointermove="move" @pointerup="release" @pointercancel="release" @pointerleave="pointer = null"></canvas>
        <i v-if="ring" class="o-painter-ring" :style="ring" aria-hidden="true"></i>
      </div>
      <p class="o-hint">{{ t("White is painted anew. Paint with the mouse, or with the arrow keys and Space.") }}</p>
      <p class="o-error" role="alert">{{ problem }}</p>
      <div class="o-row o-dialog-acts"><span class="o-grow"></span>
        <button type="button" class="o-btn" @click="$refs.dialog.close()">{{ t("Cancel") }}</button>
        <button type="button" class="o-btn o-btn-primary" @click="done" data-testid="mask-done">{{ t("Use mask") }}</button></div>
    </dialog>`,
  data: () => ({ brush: 12, erasing: false, past: 0, pointer: null, problem: "" }),
  computed: {
    /** Where the brush is, in the stage's own pixels. */
    ring() {
      if (!this.pointer) return null;
      const { x, y, scale } = this.pointer;
      const side = this.diameter() * scale;
      return { left: `${x - side / 2}px`, top: `${y - side / 2}px`, width: `${side}px`, height: `${side}px` };
    },
  },
  created() {
    this.steps = []; // what undo goes back to; large, so none of Vue's business
    this.at = null; // of the keyboard's brush, in the picture's pixels
  },
  mounted() {
    holdKeys(this.$refs.dialog);
    this.$refs.dialog.showModal();
  },
  methods: {
    async open() {
      const { picture, canvas } = this.$refs;
      const shrink = Math.min(1, MOST_SIDE / Math.max(picture.naturalWidth, picture.naturalHeight));
      canvas.width = Math.round(picture.naturalWidth * shrink);
      canvas.height = Math.round(picture.naturalHeight * shrink);
      this.paper = canvas.getContext("2d", { willReadFrequently: true });
      this.at = { x: canvas.width / 2, y: canvas.height / 2 };
      if (this.mask) await this.load();
      canvas.focus({ preventScroll: true });
    },
    /** Go on with the mask there is: what is white in it is painted. */
    async load() {
      const before = new Image();
      before.src = `/api/inputs/${this.mask}`;
      try {
        await before.decode();
      } catch {
        return; // gone: painted anew
      }
      const { width, height } = this.$refs.canvas;
      this.paper.drawImage(before, 0, 0, width, height);
      this.each((data, at) => this.set(data, at, data[at] > 127));
    },
    diameter() {
      const { canvas } = this.$refs;
      return (Math.max(canvas.width, canvas.height) * this.brush) / 100;
    },
    place(event) {
      const { canvas } = this.$refs;
      const box = canvas.getBoundingClientRect();
      const scale = box.width / canvas.width;
      return { x: (event.clientX - box.left) / scale, y: (event.clientY - box.top) / scale, scale };
    },
    show({ x, y, scale }) {
      const { canvas } = this.$refs;
      this.pointer = { x: canvas.offsetLeft + x * scale, y: canvas.offsetTop + y * scale, scale };
    },
    press(event) {
      if (event.button !== 0 || !this.paper) return;
      this.$refs.canvas.setPointerCapture(event.pointerId);
      this.keep();
      this.last = this.place(event);
      this.stroke(this.last, this.last);
    },
    move(event) {
      if (!this.paper) return;
      const here = this.place(event);
      this.show(here);
      if (!this.last) return;
      this.stroke(this.last, here);
      this.last = this.at = here;
    },
    release() {
      this.last = null;
    },
    stroke(from, to) {
      const { paper } = this;
      paper.globalCompositeOperation = this.erasing ? "destination-out" : "source-over";
      paper.strokeStyle = `rgb(${TINT})`;
      paper.lineCap = "round";
      paper.lineWidth = this.diameter();
      paper.beginPath();
      paper.moveTo(from.x, from.y);
      paper.lineTo(to.x + 0.01, to.y);
      paper.stroke();
      paper.globalCompositeOperation = "source-over";
      this.problem = "";
    },
    key(event) {
      if (event.target.type === "range" || event.key === "Escape" || !this.paper) return;
      const letter = event.key.toLowerCase();
      const step = this.diameter() / CURSOR_STEPS;
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      if ((event.ctrlKey || event.metaKey) && letter === "z") this.undo();
      else if (event.ctrlKey || event.metaKey || event.altKey) return;
      else if (letter === "x") this.erasing = !this.erasing;
      else if (letter === "[") this.brush = Math.max(2, this.brush - 2);
      else if (letter === "]") this.brush = Math.min(50, this.brush + 2);
      else if (event.target !== this.$refs.canvas) return;
      else if (moves[event.key]) this.steer(...moves[event.key]);
      else if (event.key === " ") this.dab();
      else return;
      event.preventDefault();
    },
    steer(dx, dy) {
      const { canvas } = this.$refs;
      const within = (value, most) => Math.max(0, Math.min(most, value));
      this.at = { x: within(this.at.x + dx, canvas.width), y: within(this.at.y + dy, canvas.height) };
      this.show({ ...this.at, scale: canvas.getBoundingClientRect().width / canvas.width });
    },
    dab() {
      this.keep();
      this.stroke(this.at, this.at);
      this.steer(0, 0);
    },
    keep() {
      const { width, height } = this.$refs.canvas;
      this.steps.push(this.paper.getImageData(0, 0, width, height));
      if (this.steps.length > UNDOS) this.steps.shift();
      this.past = this.steps.length;
    },
    undo() {
      const before = this.steps.pop();
      if (before) this.paper.putImageData(before, 0, 0);
      this.past = this.steps.length;
    },
    clear() {
      this.keep();
      this.each((data, at) => this.set(data, at, false));
    },
    invert() {
      this.keep();
      this.each((data, at) => this.set(data, at, data[at + 3] < 128));
    },
    set(data, at, painted) {
      [data[at], data[at + 1], data[at + 2]] = TINT;
      data[at + 3] = painted ? 255 : 0;
    },
    /** Let `change` write to every pixel. */
    each(change) {
      const { width, height } = this.$refs.canvas;
      const pixels = this.paper.getImageData(0, 0, width, height);
      for (let at = 0; at < pixels.data.length; at += 4) change(pixels.data, at);
      this.paper.putImageData(pixels, 0, 0);
    },
    /** White where something is painted, black elsewhere. */
    async done() {
      if (!this.paper) return;
      const { width, height } = this.$refs.canvas;
      const sheet = Object.assign(document.createElement("canvas"), { width, height });
      const target = sheet.getContext("2d");
      const pixels = this.paper.getImageData(0, 0, width, height);
      let painted = false;
      for (let at = 0; at < pixels.data.length; at += 4) {
        const white = pixels.data[at + 3];
        painted ||= white > 0;
        pixels.data.set([white, white, white, 255], at);
      }
      if (!painted) {
        this.problem = this.t("Nothing is painted yet.");
        return;
      }
      target.putImageData(pixels, 0, 0);
      this.$emit("paint", await new Promise((resolve) => sheet.toBlob(resolve, "image/png")));
    },
  },
};
