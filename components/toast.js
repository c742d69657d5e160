import { speaker } from "orchestrator/i18n.js";

const LIFETIME_MS = 8000;

// One message at a time: it goes after eight seconds, unless it is an error or somebody looks at it.
export default {
  props: { texts: Object },
  template: `
    <div :aria-label="t('Messages')" role="region">
      <Transition name="o-toast">
        <div v-if="message" :key="message.id" class="o-toast" data-testid="toast" :data-kind="message.kind"
             @mouseenter="hold" @mouseleave="release" @focusin="hold" @focusout="release">
          <svg class="o-i" aria-hidden="true"><use :href="message.kind === 'error' ? '#o-i-fail' : '#o-i-done'" /></svg>
          <span class="o-toast-text" dir="auto">{{ message.text }}</span>
          <button v-if="message.undo" class="o-btn o-btn-compact" data-testid="toast-undo" @click="undo">{{ t("Undo") }} <kbd>Ctrl Z</kbd></button>
          <button class="o-icon-btn o-icon-btn-compact" data-testid="toast-close" :title="t('Close')" :aria-label="t('Close')" @click="close">
            <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-x" /></svg>
          </button>
          <span v-if="message.kind !== 'error'" class="o-toast-left" @animationend="close"></span>
        </div>
      </Transition>
      <div class="o-vh" aria-live="polite">{{ message && message.kind !== "error" ? message.text : "" }}</div>
      <div class="o-vh" aria-live="assertive">{{ message && message.kind === "error" ? message.text : "" }}</div>
    </div>`,
  data() {
    return { message: null };
  },
  created() {
    Object.assign(this, speaker(this.texts));
    this.onKey = (event) => {
      const typing = event.target.closest?.("input, textarea, [contenteditable]");
      if (!typing && event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && this.message?.undo) {
        event.preventDefault();
        this.undo();
      }
    };
    addEventListener("keydown", this.onKey);
  },
  unmounted() {
    removeEventListener("keydown", this.onKey);
    clearTimeout(this.timer);
  },
  methods: {
    show(message) {
      this.message = message;
      this.left = LIFETIME_MS;
      this.release();
    },
    close() {
      clearTimeout(this.timer);
      this.message = null;
    },
    undo() {
      this.$emit("undo", this.message.id);
      this.close();
    },
    hold() {
      clearTimeout(this.timer);
      this.left -= Date.now() - this.since;
    },
    release() {
      clearTimeout(this.timer);
      this.since = Date.now();
      if (this.message && this.message.kind !== "error") this.timer = setTimeout(this.close, Math.max(500, this.left));
    },
  },
};
