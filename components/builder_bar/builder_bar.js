import { give, reason } from "orchestrator-form/upload.js";
import { clock, span, watchClock } from "orchestrator/time.js";
import { importing } from "orchestrator-library/importing.js";
import { speaker } from "orchestrator/i18n.js";

// The bar over the graph: what is open, what can be done with it as a whole, and the test run.
export default {
  mixins: [importing],
  props: { texts: Object, start: Object },
  emits: ["open", "failed", "picture", "back", "rename", "undo", "redo", "command", "validate", "save", "test", "stop", "versions", "narrow"],
  template: `
    <div class="o-bb" data-testid="builder-bar" @keydown.stop>
      <a class="o-icon-btn" href="/builder" data-testid="builder-back" :title="t('All workflows')" :aria-label="t('All workflows')"><svg class="o-i" aria-hidden="true"><use href="#o-i-cl" /></svg></a>
      <input class="o-bb-name" :value="state.name" :size="Math.min(40, Math.max(8, state.name.length))" maxlength="200" dir="auto" data-testid="workflow-name" :aria-label="t('Name of the workflow')" :title="state.name"
             @change="rename" @keydown.enter="$event.target.blur()" @keydown.esc="$event.target.value = state.name; $event.target.blur()" />
      <button type="button" class="o-btn o-btn-quiet o-btn-compact o-num o-bb-version" data-testid="workflow-version" @click="$emit('versions')">{{ state.version ? t("version {n}", { n: state.version }) : t("never saved") }}<svg class="o-i o-i-xs" aria-hidden="true"><use href="#o-i-cd" /></svg></button>
      <span v-if="state.dirty" class="o-badge" data-st="cancelled" data-testid="unsaved"><svg class="o-i" aria-hidden="true"><use href="#o-i-dots" /></svg>{{ t("unsaved") }}</span>
      <span class="o-grow"></span>
      <template v-for="each in tools" :key="each.testid">
        <button type="button" class="o-icon-btn o-bb-edit" :data-testid="each.testid" :title="each.title" :aria-label="each.title" :disabled="each.off" @click="each.act"><svg class="o-i" aria-hidden="true"><use :href="'#o-i-' + each.icon" /></svg></button>
      </template>
      <span class="o-bb-sep o-bb-edit"></span>
      <button type="button" class="o-btn o-btn-quiet o-bb-edit" data-testid="workflow-validate" :title="t('Validate')" :aria-label="t('Validate')" @click="$emit('validate')"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-done" /></svg><span>{{ t("Validate") }}</span></button>
      <button type="button" class="o-btn o-bb-edit" data-testid="workflow-save" :title="t('Save (Ctrl S)')" :aria-label="t('Save (Ctrl S)')" :disabled="state.saving" @click="ask('save')"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-save" /></svg><span>{{ t("Save") }}</span></button>
      <button v-if="isRunning" type="button" class="o-btn o-bb-edit" data-testid="test-stop" @click="$emit('stop')"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-stop" /></svg>{{ t("Stop test") }} <span class="o-num o-mut">{{ passed }}</span></button>
      <button v-else type="button" class="o-btn o-btn-primary o-bb-edit" data-testid="test-run" :title="t('Test run (Ctrl ↵)')" @click="ask('test')"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-play" /></svg>{{ t("Test run") }}</button>

      <button type="button" class="o-icon-btn o-bb-edit o-bb-panel" data-testid="builder-panel" :title="t('Show or hide the panel')" :aria-label="t('Show or hide the panel')" @click="$el.closest('.o-builder').classList.toggle('o-panel-open')"><svg class="o-i" aria-hidden="true"><use href="#o-i-panel" /></svg></button>

      <dialog ref="save" class="o-bb-dialog" data-testid="save-dialog" :aria-label="t('Save a version')" @close="asked = null">
        <form method="dialog" @submit.prevent="save">
          <h2 class="o-h1">{{ t("Save version {n}", { n: state.version + 1 }) }}</h2>
          <p class="o-sec">{{ t("Versions never change. The Dashboard and programs use the newest one.") }}</p>
          <label class="o-field"><span class="o-label">{{ t("What is new in it (optional)") }}</span><textarea v-model="note" class="o-wp-input" rows="2" maxlength="1000" dir="auto" data-testid="save-note" @keydown.ctrl.enter.prevent="save" @keydown.meta.enter.prevent="save"></textarea></label>
          <div class="o-row o-dialog-acts"><button type="button" class="o-btn o-btn-quiet" @click="$refs.save.close()">{{ t("Cancel") }}</button><button type="submit" class="o-btn o-btn-primary" data-testid="save-confirm">{{ t("Save") }}</button></div>
        </form>
      </dialog>
      <dialog ref="test" class="o-bb-dialog" data-testid="test-dialog" :aria-label="t('Test run')" @close="asked = null">
        <form method="dialog" @submit.prevent="test">
          <h2 class="o-h1">{{ t("Test run") }}</h2>
          <label v-if="state.hasPrompt" class="o-field"><span class="o-label">{{ t("Prompt to try it with") }}</span><textarea v-model="sample.prompt" class="o-wp-input" rows="3" dir="auto" :placeholder="state.prompt" data-testid="test-prompt" @keydown.ctrl.enter.prevent="test" @keydown.meta.enter.prevent="test"></textarea></label>
          <label class="o-field"><span class="o-label">{{ t("Backend") }}</span><select v-model="sample.backend" class="o-wp-input" data-testid="test-backend"><option v-for="each in state.backends" :key="each.id" :value="each.id">{{ each.name }}{{ each.state ? " — " + each.state : "" }}</option></select></label>
          <label v-if="state.outputs.length > 1" class="o-field"><span class="o-label">{{ t("Run for") }}</span><select v-model="sample.output" class="o-wp-input" data-testid="test-output"><option value="">{{ t("All outputs") }}</option><option v-for="each in state.outputs" :key="each.path" :value="each.path">{{ each.title }} #{{ each.path }}</option></select></label>
          <div class="o-row o-dialog-acts"><button type="button" class="o-btn o-btn-quiet" @click="$refs.test.close()">{{ t("Cancel") }}</button><button type="submit" class="o-btn o-btn-primary" data-testid="test-start">{{ t("Run") }}</button></div>
        </form>
      </dialog>
    </div>`,
  data() {
    const state = { name: "", version: 0, dirty: false, canUndo: false, canRedo: false, saving: false, hasPrompt: false, prompt: "", backends: [], outputs: [], locked: false, test: null, ...this.start };
    return { state, asked: null, note: "", sample: { prompt: "", backend: state.backend || "auto", output: "" } };
  },
  created() {
    Object.assign(this, speaker(this.texts));
  },
  mounted() {
    this.unwatch = watchClock();
    // On a phone there is only looking: what is drawn by mistake cannot be seen there.
    this.narrow = matchMedia("(max-width: 767px)");
    this.tell = () => this.$emit("narrow", this.narrow.matches);
    this.narrow.addEventListener("change", this.tell);
    if (this.narrow.matches) this.tell();
  },
  unmounted() {
    this.unwatch();
    this.narrow.removeEventListener("change", this.tell);
  },
  computed: {
    isRunning() {
      return ["created", "queued", "running"].includes(this.state.test?.state);
    },
    passed() {
      return span((clock.now - Date.parse(this.state.test.since)) / 1000);
    },
    tools() {
      const { t, state } = this;
      const off = state.locked;
      return [
        { testid: "builder-undo", icon: "undo", title: t("Undo (Ctrl Z)"), off: off || !state.canUndo, act: () => this.$emit("undo") },
        { testid: "builder-redo", icon: "redo", title: t("Redo (Ctrl Shift Z)"), off: off || !state.canRedo, act: () => this.$emit("redo") },
        { testid: "builder-layout", icon: "auto", title: t("Auto-layout (L)"), off, act: () => this.$emit("command", "layout") },
        { testid: "builder-mute", icon: "mute", title: t("Mute (M)"), off, act: () => this.$emit("command", "mute") },
      ];
    },
  },
  methods: {
    apply(part) {
      Object.assign(this.state, part);
    },
    takesText: (text) => text.startsWith("{"), // what else is pasted here was meant for a field
    async takePicture(file, point) {
      if (this.narrow.matches) return this.$emit("failed", this.t("There is no workflow in this file."));
      try {
        const given = await give({ file });
        this.$emit("picture", { name: given.name, point });
      } catch (error) {
        this.$emit("failed", reason(error, this.t));
      }
    },
    ask(what) {
      if (what === "test" && this.isRunning) return;
      if (this.asked) return;
      this.asked = what;
      if (!this.state.outputs.some((each) => each.path === this.sample.output)) this.sample.output = "";
      if (!this.state.backends.some((each) => each.id === this.sample.backend)) this.sample.backend = this.state.backends[0]?.id ?? "auto";
      this.$refs[what].showModal();
    },
    rename(event) {
      const name = event.target.value.trim();
      if (name && name !== this.state.name) this.$emit("rename", name);
      else event.target.value = this.state.name;
    },
    save() {
      this.$emit("save", this.note.trim());
      this.note = "";
      this.$refs.save.close();
    },
    test() {
      this.$emit("test", { ...this.sample });
      this.$refs.test.close();
    },
  },
};
