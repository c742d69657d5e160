// The form that the workflow makes: which widgets are fields of it, in which order, under which name.
const TYPES = ["int", "float", "text", "multiline", "bool", "choice", "seed", "image", "video", "audio"];
const NUMBERS = new Set(["int", "float"]);

export const FormTab = {
  props: { parameters: Array, suggested: Array, t: Function, tn: Function, locked: Boolean },
  emits: ["op", "suggest", "show"],
  template: `
    <div class="o-wp-form" data-testid="form-parameters">
      <p class="o-sec">{{ t("Ticked widgets become fields on the Dashboard. Drag to order.") }}</p>
      <ul class="o-wp-params" :aria-label="t('Fields of the form')">
        <li v-for="(each, i) in parameters" :key="each.name" :draggable="!locked" :data-testid="'param-' + each.name" :data-picked="picked === each.name || null" :data-lost="each.lost || null"
            :class="{ 'o-wp-over': over === i }" @dragstart="from = i" @dragend="from = over = null" @dragover.prevent="over = i" @drop.prevent="drop(i)">
          <svg class="o-i o-i-s o-wp-grip" aria-hidden="true"><use href="#o-i-grip" /></svg>
          <input type="checkbox" checked :disabled="locked" :aria-label="t('Shown in the form: {name}', { name: each.label })" @change="unexpose(each, $event)" />
          <button type="button" class="o-wp-name o-trunc" :aria-expanded="picked === each.name" :title="t('Alt ↑ and Alt ↓ move it')" dir="auto" @click="picked = picked === each.name ? null : each.name"
                  @keydown.alt.up.prevent="move(i, -1)" @keydown.alt.down.prevent="move(i, 1)">{{ each.label }}</button>
          <svg v-if="each.lost" class="o-i o-i-s o-wp-warn" role="img" :aria-label="t('Its widget is gone')"><use href="#o-i-alert" /></svg>
          <span class="o-mut o-num o-trunc">{{ about(each) }}</span>
        </li>
        <li v-for="each in suggested" :key="'+' + each.name" :data-testid="'suggested-' + each.name">
          <svg class="o-i o-i-s o-wp-grip" aria-hidden="true" style="visibility: hidden"><use href="#o-i-grip" /></svg>
          <input type="checkbox" :disabled="locked" :aria-label="t('Shown in the form: {name}', { name: each.label })" @change="expose(each, $event)" />
          <span class="o-wp-name o-sec o-trunc" dir="auto">{{ each.label }}</span><span class="o-mut">{{ t("hidden") }}</span>
        </li>
      </ul>
      <p v-if="!parameters.length && !suggested.length" class="o-sec">{{ t("Tick the dot of a widget in the graph, or let the usual ones be found.") }}</p>
      <button type="button" class="o-btn o-btn-compact" data-testid="form-suggest" :disabled="locked || !suggested.length" :title="suggested.length ? '' : t('All the usual ones are in the form.')" @click="$emit('suggest', '')"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-wand" /></svg>{{ t("Suggest fields") }}</button>
      <fieldset v-if="edited" class="o-wp-edit" data-testid="param-settings" :disabled="locked">
        <legend class="o-row"><span class="o-trunc" dir="auto">{{ edited.label }}</span><span class="o-mut o-grow">{{ t("field settings") }}</span></legend>
        <label class="o-field"><span class="o-label">{{ t("Label") }}</span><input class="o-wp-input" :value="edited.label" maxlength="200" dir="auto" data-testid="param-label" @change="change('label', $event.target.value.trim() || edited.name)" /></label>
        <label class="o-field"><span class="o-label">{{ t("Name for programs") }}</span><input class="o-wp-input o-mono" :value="edited.name" maxlength="100" data-testid="param-name" @change="rename($event)" /></label>
        <label class="o-field"><span class="o-label">{{ t("Type") }}</span>
          <select class="o-wp-input" :value="edited.type" data-testid="param-type" @change="change('type', $event.target.value)"><option v-for="type in types" :key="type" :value="type">{{ typeName(type) }}</option></select></label>
        <label class="o-field"><span class="o-label">{{ t("Section") }}</span><input class="o-wp-input" :value="edited.section" maxlength="100" dir="auto" data-testid="param-section" @change="change('section', $event.target.value.trim())" /></label>
        <div v-if="isNumber" class="o-wp-three">
          <label v-for="[key, name] in limits" :key="key" class="o-field"><span class="o-label">{{ name }}</span><input class="o-wp-input o-num" type="number" step="any" :value="edited[key]" :data-testid="'param-' + key" @change="change(key, $event.target.value === '' ? null : Number($event.target.value))" /></label>
        </div>
        <label v-if="edited.type === 'choice'" class="o-field"><span class="o-label">{{ t("Choices, one a line; none: what the backends offer") }}</span><textarea class="o-wp-input" rows="3" :value="(edited.choices || []).join('\\n')" data-testid="param-choices" @change="change('choices', $event.target.value.split('\\n').map((s) => s.trim()).filter(Boolean))"></textarea></label>
        <label class="o-field"><span class="o-label">{{ t("Help") }}</span><textarea class="o-wp-input" rows="2" :value="edited.help" maxlength="2000" dir="auto" data-testid="param-help" @change="change('help', $event.target.value.trim())"></textarea></label>
        <div class="o-row"><span class="o-mut o-mono o-trunc o-grow" dir="auto">{{ edited.node }}.{{ edited.input }}</span><button type="button" class="o-link" @click="$emit('show', edited.node)">{{ t("Show node") }}</button></div>
      </fieldset>
    </div>`,
  data: () => ({ picked: null, from: null, over: null }),
  computed: {
    types: () => TYPES,
    edited() {
      return this.parameters.find((each) => each.name === this.picked);
    },
    isNumber() {
      return NUMBERS.has(this.edited.type);
    },
    limits() {
      return [["min", this.t("Min")], ["max", this.t("Max")], ["step", this.t("Step")]];
    },
  },
  methods: {
    op(op) {
      this.$emit("op", { path: "", op });
    },
    change(key, value) {
      this.op({ op: "param.edit", name: this.edited.name, changes: { [key]: value } });
    },
    rename(event) {
      const name = event.target.value.trim();
      if (!name || name === this.edited.name) return (event.target.value = this.edited.name);
      const before = this.edited.name;
      this.change("name", name);
      if (!this.parameters.some((each) => each.name === name)) this.wanted = { name, before };
      this.picked = name;
    },
    expose(each, event) {
      event.target.checked = false;
      this.$emit("suggest", each.name);
    },
    unexpose(each, event) {
      event.target.checked = true;
      this.op({ op: "unexpose", name: each.name });
    },
    move(index, by) {
      this.reorder(index, index + by);
    },
    drop(index) {
      if (this.from !== null) this.reorder(this.from, index);
      this.from = this.over = null;
    },
    reorder(from, to) {
      if (this.locked || from === to || to < 0 || to >= this.parameters.length) return;
      const names = this.parameters.map((each) => each.name);
      names.splice(to, 0, ...names.splice(from, 1));
      this.op({ op: "param.order", names });
    },
    typeName(type) {
      const { t } = this;
      return {
        int: t("whole number"), float: t("number"), text: t("text"), multiline: t("long text"), bool: t("on or off"),
        choice: t("choice"), seed: t("seed"), image: t("picture"), video: t("video"), audio: t("sound"),
      }[type];
    },
    about(each) {
      if (each.lost) return this.t("lost");
      const hasRange = NUMBERS.has(each.type) && each.min !== null && each.max !== null;
      return hasRange ? this.t("{low} to {high}", { low: each.min, high: each.max }) : this.typeName(each.type);
    },
  },
  watch: {
    parameters(now) {
      // A name that was refused: the field is still there under the one before.
      if (this.wanted && !now.some((each) => each.name === this.wanted.name)) this.picked = this.wanted.before;
      this.wanted = null;
    },
  },
};
