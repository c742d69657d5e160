import { speaker } from "orchestrator/i18n.js";

const STATES = {
  on: ["done", "Connected"],
  away: ["fail", "Offline"],
  new: ["clock", "Connecting…"],
  off: ["slash", "Switched off"],
  rest: ["hold", "Resting"],
  try: ["hold", "Trying again"],
  dry: ["lock", "Dry run"],
};

export default {
  props: { texts: Object },
  emits: ["edit", "add"],
  template: `
    <section class="o-panel o-backends" :aria-label="t('Backends')">
      <table class="o-table" data-testid="backend-list">
        <thead><tr>
          <th>{{ t("Name") }}</th><th>{{ t("Address") }}</th><th class="o-b-kind">{{ t("Kind") }}</th>
          <th class="o-b-slots">{{ t("Slots") }}</th><th class="o-b-tags">{{ t("Tags") }}</th><th>{{ t("State") }}</th>
        </tr></thead>
        <tbody>
          <tr v-for="row in rows ?? []" :key="row.id" :data-testid="'backend-row-' + row.id" :data-state="row.state"
              :aria-selected="row.id === selected" @click="$emit('edit', row.id)">
            <td><button type="button" class="o-b-name" @click.stop="$emit('edit', row.id)">{{ row.name }}</button>
              <svg v-if="row.origin === 'config'" class="o-i o-i-s o-mut" role="img" :aria-label="t('defined by the configuration')"><title>{{ t("defined by the configuration") }}</title><use href="#o-i-lock" /></svg></td>
            <td class="o-mono o-sec o-trunc" :title="row.url">{{ row.kind === "embedded" ? t("built in") : row.url }}</td>
            <td class="o-sec o-b-kind">{{ kind(row) }}</td>
            <td class="o-b-slots o-num">{{ row.slots }}</td>
            <td class="o-b-tags"><span v-for="tag in row.tags" :key="tag" class="o-b-tag" :style="{ '--c': colour(tag) }">{{ tag }}</span></td>
            <td><span class="o-b-state" :title="row.error"><svg class="o-i o-i-s" aria-hidden="true"><use :href="'#o-i-' + states[row.state][0]" /></svg>{{ t(states[row.state][1]) }}</span></td>
          </tr>
          <template v-if="!rows"><tr v-for="n in 3" :key="n"><td colspan="6"><span class="o-skeleton o-b-wait"></span></td></tr></template>
        </tbody>
      </table>
      <div v-if="rows && !rows.some((row) => row.kind === 'comfyui')" class="o-b-empty" data-testid="backend-empty">
        <p>{{ t("No machine yet. Add the first one.") }}</p>
        <p class="o-hint">{{ t("Any computer on your network that runs ComfyUI will do; nothing is installed on it.") }}</p>
        <button type="button" class="o-btn" @click="$emit('add')"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-plus" /></svg>{{ t("Add a machine") }}</button>
      </div>
    </section>`,
  data() {
    return { rows: null, selected: null };
  },
  created() {
    Object.assign(this, speaker(this.texts), { states: STATES });
  },
  methods: {
    snapshot(rows, selected) {
      this.rows = rows;
      this.selected = selected;
    },
    // The form that had the focus is gone: back to where it was opened, by row or by button.
    async focus(id) {
      await this.$nextTick();
      const row = [...this.$el.querySelectorAll("tbody tr")].find((each) => each.dataset.testid === `backend-row-${id}`);
      (row?.querySelector("button") ?? document.querySelector("[data-testid=backend-add]"))?.focus({ preventScroll: true });
    },
    kind(row) {
      if (row.kind === "embedded") return this.t("Demo engine");
      if (row.kind === "bfl") return this.t("Black Forest Labs");
      return row.version ? `ComfyUI ${row.version}` : "ComfyUI";
    },
    colour(tag) {
      // The same word has the same colour everywhere; the word itself says what it means.
      const hues = ["MODEL", "CLIP", "CONDITIONING", "LATENT", "IMAGE", "MASK", "CONTROL_NET", "STRING"];
      const sum = [...tag].reduce((total, letter) => (total * 31 + letter.codePointAt(0)) % 9973, 7);
      return `var(--t-${hues[sum % hues.length]})`;
    },
  },
};
