import { connection } from "orchestrator/connection.js";
import { speaker } from "orchestrator/i18n.js";

const KEY = "o-form-draft";
const SURE_MS = 20_000; // until then a connection that is gone may not have been noticed

// The button of the form around it. While the server is away it waits and says why, and what is
// typed is kept here; the page that comes after the outage hands it in ("restore").
export default {
  inheritAttrs: false,
  props: { texts: Object },
  emits: ["restore"],
  template: `
    <button type="button" v-bind="$attrs" :disabled="!live"><slot /></button>
    <div class="o-hint o-generate-why" role="status" data-testid="generate-why" ref="why">{{ live ? "" : t("Not connected. Your text is kept.") }}</div>`,
  computed: {
    live() {
      return connection.live;
    },
  },
  created() {
    Object.assign(this, speaker(this.texts));
    this.draft = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    this.timers = new Map();
  },
  mounted() {
    this.form = this.$refs.why.closest(".o-form");
    this.form.addEventListener("input", this.onInput);
    this.form.addEventListener("keydown", this.onKey, { capture: true });
    this.restore();
  },
  unmounted() {
    this.form.removeEventListener("input", this.onInput);
    this.form.removeEventListener("keydown", this.onKey, { capture: true });
    for (const timer of this.timers.values()) clearTimeout(timer);
  },
  watch: {
    // What was typed meanwhile is on its way now.
    live(live) {
      if (live) for (const name of Object.keys(this.draft)) this.letGoLater(name);
    },
  },
  methods: {
    // Nothing of the draft counts any more: the server has put other values into the fields.
    forget() {
      for (const name of Object.keys(this.draft)) this.letGo(name);
    },
    restore() {
      const differs = ([name, value]) => {
        const field = this.form.querySelector(`[data-testid="${name}"]`);
        return field && field.value !== value;
      };
      const lost = Object.entries(this.draft).filter(differs);
      if (lost.length) this.$emit("restore", Object.fromEntries(lost));
      for (const name of Object.keys(this.draft)) this.letGoLater(name);
    },
    onInput({ target }) {
      const name = target.dataset.testid;
      if (!name || !["text", "number", "textarea"].includes(target.type)) return;
      this.draft[name] = target.value;
      this.save();
      this.letGoLater(name);
    },
    letGoLater(name) {
      clearTimeout(this.timers.get(name));
      this.timers.set(name, setTimeout(() => connection.live && this.letGo(name), SURE_MS));
    },
    letGo(name) {
      clearTimeout(this.timers.get(name));
      delete this.draft[name];
      this.save();
    },
    save() {
      sessionStorage.setItem(KEY, JSON.stringify(this.draft));
    },
    // Ctrl+Enter is the button too.
    onKey(event) {
      if (this.live || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      event.stopPropagation();
    },
  },
};
