import { inGigabytes } from "./words.js";

const SOURCES = { default: "default", environment: "environment", file: "file" };

export default {
  inject: ["words", "board", "act"],
  template: `
    <section class="o-panel o-dg-setup" data-testid="diagnostics-setup" :aria-label="t('Set-up')">
      <div class="o-panel-head"><h2>{{ t("Set-up") }}</h2><span class="o-count">{{ app.version }} · Python {{ app.python }}</span><span class="o-grow"></span>
        <button class="o-btn o-btn-quiet o-btn-compact" type="button" data-testid="paths-check" @click="act('paths')">{{ t("Check paths") }}</button></div>
      <div class="o-dg-scroll"><table class="o-dg-table"><thead><tr><th>{{ t("Path") }}</th><th>{{ t("State") }}</th><th class="n">{{ t("Free") }}</th></tr></thead>
        <tbody><tr v-for="each in board.paths" :key="each.name" :data-testid="'path-' + each.name" :data-ok="each.isWritable">
          <td :title="each.path"><b>{{ each.name }}</b> <span class="o-mono o-mut">{{ each.path }}</span></td>
          <td><span class="o-row" :class="each.isWritable ? 'o-dg-ok' : 'o-dg-bad'" :title="each.fix"><svg class="o-i o-i-s" aria-hidden="true"><use :href="each.isWritable ? '#o-i-done' : '#o-i-fail'" /></svg>{{ word(each) }}</span></td>
          <td class="n">{{ each.freeBytes === null ? "–" : inGigabytes(each.freeBytes) }}</td></tr></tbody></table></div>
      <div class="o-panel-head"><h3>{{ t("Configuration in force") }}</h3><span class="o-grow"></span><label class="o-row o-sec"><input v-model="isChanged" type="checkbox" data-testid="settings-changed" /> {{ t("only what is set") }}</label>
        <input v-model="text" class="o-dg-field" type="search" data-testid="settings-filter" :placeholder="t('Setting')" :aria-label="t('Setting')" /></div>
      <div class="o-dg-scroll o-dg-tall" tabindex="0" role="region" :aria-label="t('Configuration in force')"><table class="o-dg-table"><tbody>
        <tr v-for="each in shown" :key="each.key" :data-testid="'setting-' + each.key"><td class="o-mono">{{ each.key }}</td><td class="o-dg-value" :title="each.value">{{ each.value }}</td><td class="o-mut">{{ t(sources[each.source]) }}</td></tr></tbody></table></div>
    </section>`,
  data() {
    return { text: "", isChanged: false };
  },
  created() {
    Object.assign(this, { t: this.words.t, inGigabytes, sources: SOURCES });
  },
  computed: {
    app() {
      return this.board.app;
    },
    shown() {
      const text = this.text.toLowerCase();
      return this.board.settings.filter((each) => each.key.includes(text) && (!this.isChanged || each.source !== "default"));
    },
  },
  methods: {
    word(path) {
      if (!path.isWritable) return this.t("not writable");
      return path.exists ? this.t("writable") : this.t("will be made");
    },
  },
};
